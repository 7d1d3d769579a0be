//! nginx that a user starts, and that may serve on the usual port by a capability of its file. OpenSSL and our provider leave the user's
//! environment alone, and find each other and the service by root's files.

use std::os::unix::net::UnixListener;

use tests::{Privilege, STRANGER, is_privileged, may_mount, program, run};

use crate::site::{Site, Way, uids};

#[test]
fn a_user_starts_it_on_the_usual_port() {
    if !may_mount() {
        return;
    }
    let Some(mut site) = Site::new(Way::References, &[("ec", "p256")]) else { return };
    site.servers[0].1.set_port(443);
    site.configure("");
    site.parsec(&format!("key grant ec uid:{STRANGER}=sign"));
    let socket = site.service.socket().display().to_string();
    site.service.etc("parsec/client.conf", &format!("socket = {socket}\n"));
    site.service.etc("ssl/openssl.cnf", &std::fs::read_to_string(site.service.openssl_conf()).unwrap());
    let evil = UnixListener::bind(site.path("evil.sock")).unwrap();
    evil.set_nonblocking(true).unwrap();

    let Some(nginx) = program("nginx") else { return };
    let nginx = site.service.privileged(&nginx, Privilege::Capability);
    run(site.service.command("chown").args(["--recursive", &STRANGER.to_string(), "nginx"])).ok();
    let mut command = site.service.on_host(STRANGER, nginx);
    command.args(site.nginx(&[]).get_args());
    command.env("PARSEC_SERVICE_ENDPOINT", format!("unix:{}", site.path("evil.sock").display())).env("OPENSSL_CONF", "/dev/null");
    let nginx = site.start_with(&mut command);
    run(&mut site.curl("ec", &[])).ok();
    assert_eq!(uids(nginx.pid()), [STRANGER; 4]);
    assert!(is_privileged(nginx.pid()));
    assert!(evil.accept().is_err(), "it went where its user wanted it to");
    // it signs as the user
    site.parsec(&format!("key revoke ec uid:{STRANGER}"));
    run(&mut site.curl("ec", &[])).refused();
    site.logs(&format!("uid:{STRANGER} may not use key 'ec' of uid:0"));
}
