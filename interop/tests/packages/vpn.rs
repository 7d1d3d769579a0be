//! strongSwan's charon: both ends of a connection prove themselves with keys of the token.

use interop::{Machine, Row, eventually};

use crate::{LIBRARIES, OLDER, packages};

/// One end. Packets for other ports than those of IKE need a port on which both ends take them for those of a NAT.
struct End {
    name: &'static str,
    peer: &'static str,
    /// The one for IKE, that for it behind a NAT, and the latter one of the peer.
    ports: [u16; 3],
    /// Its `strongswan.conf`, and where swanctl has its files.
    conf: &'static str,
    folder: &'static str,
    socket: &'static str,
}

/// The daemon of the system, as the package configures it.
const GATE: End = End {
    name: "gate",
    peer: "road",
    ports: [500, 4500, 5500],
    conf: "/etc/strongswan.conf",
    folder: "/etc/swanctl",
    socket: "/run/charon.vici",
};
const ROAD: End = End {
    name: "road",
    peer: "gate",
    ports: [5000, 5500, 4500],
    conf: "/srv/road.conf",
    folder: "/srv/road",
    socket: "/srv/road/vici",
};

impl End {
    /// What it has in `swanctl.conf`; this kernel carries no ESP.
    fn connection(&self, id: &str) -> String {
        let Self { name, peer, ports: [_, local, remote], .. } = self;
        format!(
            "connections {{ vpn {{
               local_addrs = 127.0.0.1\n local_port = {local}\n remote_addrs = 127.0.0.1\n remote_port = {remote}\n childless = force
               local {{ auth = pubkey\n certs = {name}.crt\n id = {name} }}
               remote {{ auth = pubkey\n certs = {peer}.crt\n id = {peer} }}
             }} }}
             secrets {{ token-{name} {{ module = parsec\n handle = {id}\n pin = 1234 }} }}"
        )
    }

    fn swanctl(&self, arguments: &str) -> String {
        let Self { conf, folder, socket, .. } = self;
        format!("STRONGSWAN_CONF={conf} SWANCTL_DIR={folder} swanctl {arguments} --uri unix://{socket}")
    }
}

#[test]
fn both_ends_of_a_connection_prove_themselves_with_keys_of_the_token() {
    let Some(machine) = Machine::with_servers(packages()) else { return };
    let version = machine.ok("dpkg-query --show --showformat '${Package} ${Version}' charon-systemd");
    let _row = Row::new("charon", version);
    machine.ok(&format!("dpkg --install /shared/*_{OLDER}_*.deb; mkdir -p /srv/road/x509"));
    for (name, algorithm) in [(GATE.name, "p256"), (ROAD.name, "rsa-2048")] {
        machine.ok(&format!(
            "parsec key new {name} --algorithm {algorithm}
             parsec key csr {name} --self-signed --cn {name} --dns {name} --out /etc/swanctl/x509/{name}.crt"
        ));
    }
    let [port, nat, _] = ROAD.ports;
    machine.ok(&format!(
        "echo 'libstrongswan {{ plugins {{ pkcs11 {{ modules {{ parsec {{ path = {LIBRARIES}/pkcs11/libparsec_pkcs11.so
         }} }} }} }} }}' > /etc/strongswan.d/parsec.conf
         cp /etc/swanctl/x509/* /srv/road/x509
         (cat /etc/strongswan.conf; echo 'charon-systemd {{ port = {port}
           port_nat_t = {nat}
           plugins {{ vici {{ socket = unix://{}
           }} }} }}') > /srv/road.conf
         sed -i 's|include strongswan.d|include /etc/strongswan.d|' /srv/road.conf
         printf '{LIBRARIES}/pkcs11/libparsec_pkcs11.so mr,\n/run/parsec/parsec.sock rw,\n' > /etc/apparmor.d/local/usr.sbin.charon-systemd
         apparmor_parser --skip-kernel-load --skip-cache /etc/apparmor.d/usr.sbin.charon-systemd
         systemctl start strongswan
         systemd-run --quiet --service-type notify --unit road --setenv STRONGSWAN_CONF=/srv/road.conf charon-systemd",
        ROAD.socket
    ));
    for end in [GATE, ROAD] {
        let id = machine.ok(&format!("parsec key show {} | sed -n 's/^id *//p'", end.name));
        let file = format!("{}/swanctl.conf", end.folder);
        machine.ok(&format!("cat > {file} <<'END'\n{}\nEND", end.connection(id.trim())));
        let loaded = machine.ok(&end.swanctl(&format!("--load-all --noprompt --file {file}")));
        assert!(loaded.contains(&format!("loaded key token-{} from token", end.name)), "{loaded}");
    }
    for _ in 0..2 {
        let said = machine.ok(&GATE.swanctl("--initiate --ike vpn"));
        assert!(said.contains("authentication of 'road' with RSA_EMSA_PKCS1_SHA2_256 successful"), "{said}");
        let seen = machine.ok(&ROAD.swanctl("--list-sas"));
        assert!(seen.contains("ESTABLISHED") && seen.contains("remote 'gate'"), "{seen}");
        machine.ok(&GATE.swanctl("--terminate --ike vpn"));
        eventually("an end of the connection", || {
            (!machine.ok(&ROAD.swanctl("--list-sas")).contains("ESTABLISHED")).then_some(())
        });
        machine.ok("systemctl restart parsec");
    }
    machine.ok("parsec key rm gate --yes");
    machine.refused(&GATE.swanctl("--initiate --ike vpn"));
}
