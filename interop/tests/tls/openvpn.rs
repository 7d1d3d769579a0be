//! OpenVPN, told to load the provider by itself.

use interop::{Daemon, Row, loopback};
use tests::may_change_user;

use crate::{KINDS, desk, documented, named};

#[test]
fn both_ends_of_a_tunnel_have_every_kind_of_key_by_reference() {
    let Some(desk) = desk(Row::program("openvpn"), "www-data") else { return };
    if !may_change_user() {
        return;
    }
    // among the modules of OpenSSL
    let modules = desk.path("modules");
    std::fs::create_dir(&modules).unwrap();
    std::os::unix::fs::symlink(desk.service.staged("libparsec_openssl.so"), modules.join("parsec.so")).unwrap();
    for (kind, peer) in KINDS.iter().zip(KINDS.iter().cycle().skip(1)) {
        let address = loopback();
        let (ip, port) = (address.ip(), address.port());
        let start = |role: &str, own: &str, peer: &str, ready: &str| {
            let more = format!("--verb 3 --dev null {role} --ca {peer}.crt");
            let mut command = desk.command(named(&documented("OpenVPN")[..1], own).replace('…', &more).trim_end());
            let log = desk.path(format!("{own}-to-{peer}.log"));
            Daemon::start(command.env("OPENSSL_MODULES", &modules), &log, || {
                std::fs::read_to_string(&log).unwrap().contains(ready)
            })
        };
        let role = format!("--tls-server --dh none --proto tcp-server --local {ip} --lport {port} --user www-data");
        let server = start(&role, kind, peer, "Listening for incoming TCP connection");
        let role = format!("--tls-client --proto tcp-client --remote {ip} {port}");
        let client = start(&role, peer, kind, "Initialization Sequence Completed");
        for side in [&server, &client] {
            let log = side.log();
            assert!(log.contains("VERIFY OK: depth=0, CN=localhost"), "{log}");
            assert!(log.contains("[localhost] Peer Connection Initiated"), "{log}");
        }
    }
}
