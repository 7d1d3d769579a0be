//! stunnel, which changes its user when it has read its keys.

use std::io::Read;
use std::net::TcpStream;

use interop::{Daemon, Row, listens, loopback};
use tests::may_change_user;

use crate::{KINDS, VERSIONS, desk, documented, named};

#[test]
fn both_ends_of_a_tunnel_prove_themselves_with_every_kind_of_key() {
    let Some(desk) = desk(Row::program("stunnel4"), "nobody") else { return };
    if !may_change_user() {
        return;
    }
    for version in VERSIONS {
        let mut tunnels = Vec::new();
        let mut conf = "foreground = yes\npid =\nsetuid = nobody\nsetgid = nogroup\n".to_owned();
        for kind in KINDS {
            let (server, client) = (loopback(), loopback());
            let identity = named(&documented("stunnel"), kind)
                + &format!("CAfile = {kind}.crt\nverifyPeer = yes\nsslVersion = TLSv{version}\n");
            conf += &format!("[{kind}]\naccept = {server}\nexec = /bin/echo\nexecArgs = echo {kind}\n{identity}");
            conf += &format!("[to-{kind}]\nclient = yes\naccept = {client}\nconnect = {server}\n{identity}");
            tunnels.push((kind, client));
        }
        desk.write("stunnel.conf", conf);
        let log = desk.path(format!("stunnel-{version}.log"));
        let ready = || tunnels.iter().all(|(_, client)| listens(*client));
        let _stunnel = Daemon::start(&mut desk.ours("stunnel4 stunnel.conf"), &log, ready);
        for (kind, client) in &tunnels {
            let mut said = String::new();
            TcpStream::connect(client).unwrap().read_to_string(&mut said).unwrap();
            assert_eq!(said.trim(), *kind);
        }
    }
}
