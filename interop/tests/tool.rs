//! Upstream's `parsec-tool`: every subcommand, unchanged, on our service; what it prints is checked with `openssl`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

use interop::{Row, provider, setup, upstream_tool};
use tests::{Ran, STRANGER, Service, as_uid, install, may_change_user, program, run};

/// A service, and the two programs that meet on it.
struct Desk {
    service: Service,
    _row: Row,
    openssl: PathBuf,
}

impl Desk {
    fn new() -> Option<Self> {
        Some(Self { openssl: program("openssl")?, _row: Row::peer("parsec-tool", &upstream_tool()), service: setup().start() })
    }

    fn tool(&self, arguments: &[&str]) -> Ran {
        run(self.service.command(upstream_tool()).args(arguments))
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        run(Command::new(&self.openssl).current_dir(self.service.dir()).args(arguments)).ok()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.service.dir().join(file), text).unwrap();
    }

    /// Writes the public key to `public.pem`, and decodes base64 `text` into `data`.
    fn export(&self, key: &str) {
        self.write("public.pem", &self.tool(&["export-public-key", "-k", key]).ok());
    }

    fn decode(&self, base64: &str, file: &str) {
        self.write("base64", base64.trim());
        self.openssl(&["base64", "-d", "-A", "-in", "base64", "-out", file]);
    }
}

#[test]
fn ping_and_lists() {
    let Some(desk) = Desk::new() else { return };
    assert!(desk.tool(&["ping"]).ok().contains("1.0"));
    let providers = desk.tool(&["list-providers"]).ok();
    let (id, uuid) = match provider().as_str() {
        "tpm" => ("3", "1e4954a4-ff21-46d3-ab0c-661eeb667e1d"),
        _ => ("1", "1c1139dc-ad7c-47dc-ad6b-db6fdb466552"),
    };
    assert!(providers.contains(&format!("ID: 0x0{id}")) && providers.contains(uuid), "{providers}");
    assert!(providers.contains("ID: 0x00"), "{providers}");
    let authenticators = desk.tool(&["list-authenticators"]).ok();
    assert!(authenticators.contains("ID: 0x03"), "{authenticators}");
    for (provider, opcode) in [("0", "ListProviders"), (id, "PsaSignHash"), (id, "PsaCipherEncrypt")] {
        let opcodes = desk.tool(&["list-opcodes", "-p", provider]).ok();
        assert!(opcodes.contains(opcode), "{opcodes}");
    }
}

#[test]
fn random() {
    let Some(desk) = Desk::new() else { return };
    let random = desk.tool(&["generate-random", "-n", "10"]).ok();
    let bytes: Vec<u8> = random.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    assert_eq!(bytes.len(), 10, "{random}");
}

#[test]
fn keys_are_listed_until_deleted() {
    let Some(desk) = Desk::new() else { return };
    desk.tool(&["create-ecc-key", "-k", "web"]).ok();
    let keys = desk.tool(&["list-keys"]).ok();
    assert!(keys.contains("web") && keys.contains("256 bits"), "{keys}");
    assert!(desk.tool(&["create-ecc-key", "-k", "web"]).refused().contains("already exist"));
    desk.tool(&["delete-key", "-k", "web"]).ok();
    assert!(!desk.tool(&["list-keys"]).ok().contains("web"));
    desk.tool(&["delete-key", "-k", "web"]).refused();
}

#[test]
fn signatures_verify_elsewhere() {
    let Some(desk) = Desk::new() else { return };
    desk.tool(&["create-ecc-key", "-k", "ec"]).ok();
    desk.tool(&["create-rsa-key", "-k", "rsa", "--for-signing"]).ok();
    desk.write("message", "hello");
    for key in ["ec", "rsa"] {
        desk.export(key);
        desk.decode(&desk.tool(&["sign", "hello", "-k", key]).ok(), "signature");
        desk.openssl(&["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"]);
    }
}

#[test]
fn encryption_meets_openssl() {
    let Some(desk) = Desk::new() else { return };
    desk.write("message", "hello");
    let oaep = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"];
    for (key, create, padding) in
        [("pkcs1", &["create-rsa-key", "-k", "pkcs1"][..], &[][..]), ("oaep", &["create-rsa-key", "-k", "oaep", "--oaep"], &oaep)]
    {
        desk.tool(create).ok();
        let sealed = desk.tool(&["encrypt", "hello", "-k", key]).ok();
        assert_eq!(desk.tool(&["decrypt", sealed.trim(), "-k", key]).ok().trim(), "hello");

        desk.export(key);
        desk.openssl(
            &[&["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "message", "-out", "sealed"], padding].concat(),
        );
        let sealed = desk.openssl(&["base64", "-A", "-in", "sealed"]);
        assert_eq!(desk.tool(&["decrypt", sealed.trim(), "-k", key]).ok().trim(), "hello");
    }
}

#[test]
fn public_keys_in_both_formats() {
    let Some(desk) = Desk::new() else { return };
    desk.tool(&["create-rsa-key", "-k", "rsa", "-b", "3072"]).ok();
    desk.export("rsa");
    assert!(desk.openssl(&["rsa", "-pubin", "-in", "public.pem", "-text", "-noout"]).contains("3072 bit"));
    desk.write("pkcs1.pem", &desk.tool(&["export-public-key", "-k", "rsa", "--pkcs1"]).ok());
    assert!(desk.openssl(&["rsa", "-RSAPublicKey_in", "-in", "pkcs1.pem", "-text", "-noout"]).contains("3072 bit"));
}

#[test]
fn certificate_requests() {
    let Some(desk) = Desk::new() else { return };
    desk.tool(&["create-ecc-key", "-k", "ec"]).ok();
    desk.tool(&["create-rsa-key", "-k", "rsa", "--for-signing"]).ok();
    for key in ["ec", "rsa"] {
        let names = ["--cn", "www.example.com", "--o", "Example", "--san", "example.com", "--serialNumber", "EZ4U2CIXL"];
        desk.write("request.pem", &desk.tool(&[&["create-csr", "-k", key][..], &names].concat()).ok());
        let text = desk.openssl(&["req", "-verify", "-noout", "-text", "-in", "request.pem"]);
        assert!(
            text.contains("CN = www.example.com") && text.contains("EZ4U2CIXL") && text.contains("DNS:example.com"),
            "{text}"
        );
    }
}

#[test]
fn administration() {
    let Some(desk) = Desk::new() else { return };
    if !may_change_user() {
        return;
    }
    let tool = desk.service.dir().join("parsec-tool");
    install(&upstream_tool(), &tool);
    let stranger = STRANGER.to_string();
    let as_stranger = |arguments: &[&str]| run(as_uid(desk.service.command(&tool).args(arguments), STRANGER));

    as_stranger(&["create-ecc-key", "-k", "theirs"]).ok();
    assert!(!desk.tool(&["list-keys"]).ok().contains("theirs"), "one user sees another's key");
    assert!(desk.tool(&["list-clients"]).ok().contains(&stranger));
    as_stranger(&["list-clients"]).refused();
    as_stranger(&["delete-client", "-c", "0"]).refused();

    desk.tool(&["delete-client", "-c", &stranger]).ok();
    assert!(!as_stranger(&["list-keys"]).ok().contains("theirs"));
    assert!(!desk.tool(&["list-clients"]).ok().contains(&stranger));
}
