//! p11-kit: the module file that is shipped, the proxy that shows all modules as one, and a module served to others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::os::unix::net::UnixStream;
use std::path::Path;

use interop::{Daemon, Desk, library, may_unshare, provider};
use tests::{Ran, run};

/// A service, and the files of an installation.
fn desk() -> Option<Desk> {
    let desk = Desk::new("p11-kit")?.and("pkcs11-tool")?.and("p11tool")?;
    desk.install();
    desk.write("message", "hello");
    Some(desk)
}

/// A program where our two files are installed, for this program alone.
fn installed(desk: &Desk, line: &str) -> Ran {
    run(&mut desk.installed(line))
}

/// `pkcs11-tool` signs through another module, and `openssl` verifies.
fn sign(desk: &Desk, pkcs11_tool: impl Fn(&str) -> Ran) {
    desk.openssl("dgst -sha256 -binary -out digest message");
    for (kind, mechanism, input) in
        [("rsa:2048", "SHA256-RSA-PKCS", "message"), ("EC:prime256v1", "ECDSA --signature-format openssl", "digest")]
    {
        pkcs11_tool(&format!("--keypairgen --key-type {kind} --label key --id 01")).ok();
        pkcs11_tool(&format!("--sign --id 01 --mechanism {mechanism} --input-file {input} --output-file signature")).ok();
        desk.parsec("key public key --out public.pem");
        desk.openssl("dgst -sha256 -verify public.pem -signature signature message");
        pkcs11_tool("--delete-object --type privkey --id 01").ok();
    }
}

#[test]
fn the_module_file_that_is_shipped_lists_the_token() {
    let (Some(mut desk), true) = (desk(), may_unshare()) else {
        return;
    };
    let listed = installed(&desk, "p11-kit list-modules").ok();
    assert!(listed.contains("parsec: libparsec_pkcs11.so") && listed.contains(&format!("token: {}", provider())), "{listed}");
    desk.parsec("key new web --algorithm p256");
    // what GnuTLS shows to whoever names no module
    let listed = installed(&desk, &format!("p11tool --list-all pkcs11:token={}", provider())).ok();
    assert!(listed.contains("object=web;type=private"), "{listed}");
    desk.row.except("list-tokens and list-objects, which came with 0.25");
}

#[test]
fn a_service_that_is_down_is_a_module_without_a_token() {
    let (Some(mut desk), true) = (desk(), may_unshare()) else {
        return;
    };
    desk.service.stop();
    let listed = installed(&desk, "p11-kit list-modules");
    assert_eq!(listed.err, "");
    let listed = listed.ok();
    assert!(listed.contains("parsec: libparsec_pkcs11.so") && !listed.contains("token:"), "{listed}");
    // programs that ask for other tokens hear nothing of ours
    let listed = installed(&desk, "p11tool --list-tokens");
    assert_eq!(listed.err, "");
    listed.ok();
}

#[test]
fn the_proxy_signs() {
    let (Some(desk), true) = (desk(), may_unshare()) else {
        return;
    };
    let proxy = library("p11-kit-proxy.so");
    sign(&desk, |arguments| installed(&desk, &format!("pkcs11-tool --module {} {arguments}", proxy.display())));
}

#[test]
fn a_module_is_served_to_other_programs() {
    let Some(mut desk) = desk() else { return };
    let (socket, log) = (desk.path("served"), desk.path("served.log"));
    let mut server = desk.command("p11-kit server --foreground --name served --provider");
    server.arg(desk.path("lib/libparsec_pkcs11.so")).arg(format!("pkcs11:token={}", provider()));
    let _server = Daemon::start(&mut server, &log, || UnixStream::connect(&socket).is_ok());
    let client: &Path = &library("pkcs11/p11-kit-client.so");
    sign(&desk, |arguments| {
        let mut command = desk.command("pkcs11-tool --module");
        command.arg(client).args(arguments.split(' '));
        run(command.env("P11_KIT_SERVER_ADDRESS", format!("unix:path={}", socket.display())))
    });
    desk.row.except("ECDSA with its hash and CKA_ALLOWED_MECHANISMS, which it does not transport");
}
