//! libp11's engine for OpenSSL on our module: the `openssl` command, and stunnel.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Read;
use std::net::TcpStream;

use interop::{Daemon, Desk, Row, engine_conf, has, library, listens, loopback, provider};
use tests::run;

const KINDS: [&str; 4] = ["rsa-2048", "p256", "p384", "p521"];

/// A key of every kind that libp11 knows, with its certificate in a file and in the token.
fn desk(row: Option<Row>) -> Option<Desk> {
    let desk = Desk::with(row?).and("openssl")?;
    desk.certify(&KINDS);
    desk.write("message", "hello");
    Some(desk)
}

fn libp11() -> Option<Row> {
    Row::library("libp11", library("engines-3/pkcs11.so"))
}

fn uri(key: &str) -> String {
    format!("pkcs11:token={};object={key}", provider())
}

/// `openssl` with the engine.
#[track_caller]
fn openssl(desk: &Desk, arguments: &str) -> String {
    let (command, options) = arguments.split_once(' ').unwrap();
    let mut openssl = desk.command(&format!("openssl {command} -engine pkcs11 -keyform engine {options}"));
    run(openssl.env("OPENSSL_CONF", engine_conf(&desk.service))).ok()
}

#[test]
fn signatures_verify_elsewhere() {
    let Some(mut desk) = desk(libp11()) else { return };
    for kind in KINDS {
        for hash in ["sha256", "sha384", "sha512"] {
            openssl(&desk, &format!("dgst -{hash} -sign {} -out signature message", uri(kind)));
            desk.openssl(&format!("dgst -{hash} -verify {kind}.pub -signature signature message"));
        }
        openssl(&desk, &format!("req -new -x509 -subj /CN=signed -key {} -out signed.crt", uri(kind)));
        desk.openssl("verify -CAfile signed.crt signed.crt");
        openssl(&desk, &format!("cms -sign -in message -signer {kind}.crt -inkey {} -out signed", uri(kind)));
        desk.openssl(&format!("cms -verify -in signed -CAfile {kind}.crt -purpose any -out opened"));
    }
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    openssl(&desk, &format!("dgst -sha256 {pss} -sign {} -out signature message", uri("rsa-2048")));
    desk.openssl(&format!("dgst -sha256 {pss} -verify rsa-2048.pub -signature signature message"));

    if !has(&desk.service, "ed25519") {
        return;
    }
    // it stops at the first key that it does not know
    desk.parsec("key new ed25519 --algorithm ed25519");
    let mut command = desk.command(&format!("openssl dgst -sha256 -engine pkcs11 -keyform engine -sign {} message", uri("p256")));
    let said = run(command.env("OPENSSL_CONF", engine_conf(&desk.service))).refused();
    assert!(said.contains("Unable to enumerate private keys"), "{said}");
    desk.row.except("where the token has Edwards keys, with which this version finds none");
}

#[test]
fn what_others_encrypt_is_decrypted() {
    let Some(desk) = desk(libp11()) else { return };
    desk.pkcs11_tool("--keypairgen --key-type rsa:2048 --usage-decrypt --label vault --id 01").ok();
    desk.parsec("key public vault --out vault.pub");
    for padding in ["-pkeyopt rsa_padding_mode:pkcs1", "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"] {
        desk.openssl(&format!("pkeyutl -encrypt -pubin -inkey vault.pub -in message -out sealed {padding}"));
        openssl(&desk, &format!("pkeyutl -decrypt -inkey {} -in sealed -out opened {padding}", uri("vault")));
        assert_eq!(desk.text("opened"), "hello");
    }
}

#[test]
fn tls_servers_and_clients_have_their_keys_and_certificates_in_the_token() {
    let Some(desk) = desk(Row::program("stunnel4")) else { return };
    if !library("engines-3/pkcs11.so").exists() {
        return tests::skip("libengine-pkcs11-openssl is not installed");
    }
    let dir = desk.service.dir().display();
    for (name, version) in [("rsa-2048", "TLSv1.2"), ("rsa-2048", "TLSv1.3"), ("p256", "TLSv1.2"), ("p256", "TLSv1.3")] {
        let (server, client) = (loopback(), loopback());
        let identity =
            format!("engineNum = 1\ncert = {}\nkey = {}\nCAfile = {dir}/{name}.crt\nverifyPeer = yes\n", uri(name), uri(name));
        let echo = "exec = /bin/echo\nexecArgs = echo hello";
        desk.write(
            "stunnel.conf",
            format!(
                "foreground = yes\npid =\nengine = pkcs11\nengineCtrl = MODULE_PATH:{}\nsslVersion = {version}\n\
                 [server]\naccept = {server}\n{echo}\n{identity}[client]\nclient = yes\naccept = {client}\nconnect = {server}\n{identity}",
                desk.module().display()
            ),
        );
        let log = desk.path(format!("{name}-{version}.log"));
        let stunnel = Daemon::start(&mut desk.command("stunnel4 stunnel.conf"), &log, || listens(server) && listens(client));
        let mut said = String::new();
        TcpStream::connect(client).unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello\n", "{}", stunnel.log());
    }
}
