//! OpenVPN with its keys and certificates in the token, at both ends of a tunnel.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interop::{Daemon, Desk, loopback};

/// Where pkcs11-helper finds a certificate in the list that OpenVPN prints.
fn serialized_id(listed: &str, name: &str) -> String {
    let entry = listed.split("Certificate\n").find(|entry| entry.contains(&format!("CN={name}\n"))).unwrap();
    entry.lines().find_map(|line| line.trim().strip_prefix("Serialized id:")).unwrap().trim().to_owned()
}

#[test]
fn servers_and_clients_have_their_keys_in_the_token() {
    let Some(desk) = Desk::new("openvpn") else { return };
    let kinds = ["rsa-2048", "p256", "p384"];
    for kind in kinds {
        desk.parsec(&format!("key new {kind} --algorithm {kind}"));
        desk.parsec(&format!("key csr {kind} --self-signed --cn {kind} --out {kind}.crt"));
        desk.parsec(&format!("cert put {kind} {kind}.crt"));
    }
    let module = desk.module();
    let module = module.display();
    let listed = desk.ok(&format!("openvpn --show-pkcs11-ids {module}"));
    for (server, client) in [("p256", "rsa-2048"), ("rsa-2048", "p384")] {
        let address = loopback();
        let (ip, port) = (address.ip(), address.port());
        let start = |role: &str, own: &str, peer: &str, ready: &str| {
            let mut command = desk
                .command(&format!("openvpn --verb 3 --dev null {role} --ca {peer}.crt --pkcs11-providers {module} --pkcs11-id"));
            let log = desk.path(format!("{own}-to-{peer}.log"));
            Daemon::start(command.arg(serialized_id(&listed, own)), &log, || {
                std::fs::read_to_string(&log).unwrap().contains(ready)
            })
        };
        let role = format!("--tls-server --dh none --proto tcp-server --local {ip} --lport {port}");
        let server_side = start(&role, server, client, "Listening for incoming TCP connection");
        let role = format!("--tls-client --proto tcp-client --remote {ip} {port}");
        let client_side = start(&role, client, server, "Initialization Sequence Completed");
        for (side, peer) in [(&server_side, client), (&client_side, server)] {
            let log = side.log();
            assert!(log.contains(&format!("VERIFY OK: depth=0, CN={peer}")), "{log}");
            assert!(log.contains(&format!("[{peer}] Peer Connection Initiated")), "{log}");
        }
    }
}
