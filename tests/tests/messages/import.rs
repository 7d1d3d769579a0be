//! Files that are not imported as they are.

use std::fs;

use tests::{Service, feed, program, run};

use crate::{Row, Table, done, refused, write};

fn openssl(service: &Service, line: &str) {
    run(service.command("openssl").args(line.split(' '))).ok();
}

/// A key file of OpenSSH's for a key of a security token (PROTOCOL.key and PROTOCOL.u2f of OpenSSH).
fn of_token(service: &Service) {
    let text = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text].concat();
    let public = [text(b"sk-ssh-ed25519@openssh.com"), text(&[7; 32]), text(b"ssh:")].concat();
    let private = [&[0; 8][..], &public, &[1], &text(b"handle"), &text(b""), &text(b"comment")].concat();
    let padding: Vec<u8> = (1..=8).take((8 - private.len() % 8) % 8).collect();
    let private = text(&[private, padding].concat());
    let head = [b"openssh-key-v1\0", &text(b"none")[..], &text(b"none"), &text(b""), &1_u32.to_be_bytes()].concat();
    let body = feed(service.command("base64").arg("--wrap=70"), &[head, text(&public), private].concat()).ok();
    write(service, "token.key", format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"));
}

pub(super) const IMPORT: Table = Table {
    section: "Importing",
    start: || {
        program("openssl")?;
        let service = Service::start();
        openssl(&service, "genpkey -algorithm ED25519 -aes256 -pass pass:right -out encrypted.key");
        write(&service, "passphrase", "wrong\n");
        Some(service)
    },
    rows: &[
        Row("it is encrypted, and there is no terminal to ask for the passphrase", "--passphrase-file FILE", |service| {
            let mut alone = service.command(program("setsid")?);
            alone.arg("--wait").arg(service.staged("parsec")).args(["key", "import", "k", "encrypted.key"]);
            Some(run(&mut alone).refused())
        }),
        Row("its passphrase is another one", "--passphrase-file", |service| {
            Some(refused(service, "key import k encrypted.key --passphrase-file passphrase"))
        }),
        Row("it is encrypted in OpenSSL's old way", "openssl pkey -in", |service| {
            openssl(service, "genrsa -traditional -aes256 -passout pass:right -out old.key 2048");
            Some(refused(service, "key import k old.key"))
        }),
        Row("it is PKCS#12", "openssl pkcs12 -in", |service| {
            openssl(service, "req -x509 -newkey ed25519 -nodes -keyout plain.key -out plain.crt -subj /CN=x");
            openssl(service, "pkcs12 -export -inkey plain.key -in plain.crt -passout pass:x -out bag.p12");
            Some(refused(service, "key import k bag.p12"))
        }),
        Row("it is a reference to a key that a service holds", "parsec key list", |service| {
            done(service, "key new web --for tls-server --out web.pem");
            Some(refused(service, "key import k web.pem"))
        }),
        Row("the key is in a security token", "parsec key new NAME --for ssh", |service| {
            of_token(service);
            Some(refused(service, "key import k token.key"))
        }),
        Row("it holds no private key", "openssl pkey -in", |service| Some(refused(service, "key import k config.toml"))),
        Row("… holds no X.509 certificate", "file ", |service| Some(refused(service, "cert put c config.toml"))),
        Row("a key of this type (…) is not fit for …", "leave --for out", |service| {
            fs::write(service.dir().join("raw"), [7; 32]).unwrap();
            Some(refused(service, "key import k raw --raw aes --for ssh"))
        }),
    ],
};
