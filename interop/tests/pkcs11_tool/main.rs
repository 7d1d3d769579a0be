//! pkcs11-tool on our module, with the commands that a person types.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod objects;
mod own_tests;
mod wrapping;

use std::ops::Deref;

use interop::{has, provider};
use tests::Ran;

/// Kinds of keys as pkcs11-tool names them, what `-O` calls their private and public objects, and how the command line names them.
const KINDS: [(&str, &str, &str, &str); 6] = [
    ("rsa:2048", "Private Key Object; RSA", "Public Key Object; RSA 2048 bits", "rsa-2048"),
    ("rsa:3072", "Private Key Object; RSA", "Public Key Object; RSA 3072 bits", "rsa-3072"),
    ("EC:prime256v1", "Private Key Object; EC", "Public Key Object; EC  EC_POINT 256 bits", "p256"),
    ("EC:secp384r1", "Private Key Object; EC", "Public Key Object; EC  EC_POINT 384 bits", "p384"),
    ("EC:secp521r1", "Private Key Object; EC", "Public Key Object; EC  EC_POINT 528 bits", "p521"),
    ("EC:edwards25519", "Private Key Object; EC_EDWARDS", "Public Key Object; EC_EDWARDS", "ed25519"),
];

/// pkcs11-tool on a service.
struct Desk(interop::Desk);

impl Deref for Desk {
    type Target = interop::Desk;

    fn deref(&self) -> &interop::Desk {
        &self.0
    }
}

impl Desk {
    fn new() -> Option<Self> {
        let desk = interop::Desk::new("pkcs11-tool")?;
        desk.write("message", b"hello");
        desk.write("digest", [7; 32]);
        Some(Self(desk))
    }

    /// A desk for what this mechanism does, where the token has it.
    fn with(flag: &str, mechanism: &str) -> Option<Self> {
        let desk = Self::new()?;
        let can = desk.mechanisms(flag).iter().any(|name| name == mechanism);
        desk.0.only_if(can).map(Self)
    }

    /// The kinds of key that the token has.
    fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
        KINDS.into_iter().filter(|(.., name)| has(&self.service, name))
    }

    fn tool(&self, arguments: &str) -> Ran {
        self.pkcs11_tool(arguments)
    }

    fn ok(&self, arguments: &str) -> String {
        self.tool(arguments).ok()
    }

    /// The mechanisms that have this word among their flags, where pkcs11-tool has a name for them.
    fn mechanisms(&self, flag: &str) -> Vec<String> {
        let list = self.ok("-M");
        let lines = list.lines().filter(|line| line.split(", ").skip(1).any(|word| word == flag));
        let names = lines.map(|line| line.trim().split(',').next().unwrap().to_owned());
        names.filter(|name| !name.starts_with("mechtype-")).collect()
    }
}

#[test]
fn the_token_needs_no_login() {
    let Some(desk) = Desk::new() else { return };
    let slots = desk.ok("-L");
    assert!(slots.contains(&format!("token label        : {}", provider())) && slots.contains("token initialized"), "{slots}");
    assert!(!slots.contains("login required"), "{slots}");
    // and takes one from programs that always log in
    desk.ok("--login --pin 1234 -O");
}

#[test]
fn keys_are_made_shown_and_removed() {
    let Some(desk) = Desk::new() else { return };
    for (kind, private, public, name) in desk.kinds() {
        let made = desk.ok(&format!("--keypairgen --key-type {kind} --label web --id 01"));
        let shown = desk.ok("-O --id 01");
        for objects in [made, shown] {
            assert!(objects.contains(private) && objects.contains(public), "{objects}");
            assert_eq!(objects.matches("label:      web").count(), 2, "{objects}");
            assert_eq!(objects.matches("ID:         01").count(), 2, "{objects}");
        }
        let listed = desk.parsec("key list");
        assert!(listed.contains("web") && listed.contains(name), "{listed}");
        // pkcs11-tool 0.23 writes no other kinds right, whatever the module
        if name.starts_with("rsa") || name == "p256" {
            desk.ok("--read-object --type pubkey --id 01 --output-file public.der");
            let public = desk.openssl("pkey -pubin -inform DER -in public.der -pubout");
            assert_eq!(public, desk.parsec("key public web"));
        }
        for (half, ids) in [("privkey", ["01", "02"]), ("pubkey", ["02", "02"])] {
            desk.ok(&format!("--set-id 02 --type {half} --id 01"));
            for (class, id) in ["pubkey", "privkey"].iter().zip(ids) {
                assert!(desk.ok(&format!("-O --type {class}")).contains(&format!("ID:         {id}")), "{half}");
            }
        }
        desk.ok("-b --type privkey --id 02");
        assert_eq!(desk.ok("-O").trim(), "");
        assert!(desk.parsec("key list").contains("No keys"));
    }
}

#[test]
fn keys_of_the_command_line_are_shown() {
    let Some(desk) = Desk::new() else { return };
    for (.., name) in desk.kinds() {
        desk.parsec(&format!("key new {name} --algorithm {name} --label of-{name}"));
    }
    let objects = desk.ok("-O");
    for (_, private, public, name) in desk.kinds() {
        assert!(objects.contains(private) && objects.contains(public), "{objects}");
        assert_eq!(objects.matches(&format!("label:      of-{name}\n")).count(), 2, "{objects}");
    }
}

#[test]
fn every_mechanism_that_is_shown_to_sign_signs_and_verifies() {
    let Some(desk) = Desk::new() else { return };
    for (id, kind, name) in
        [("01", "rsa:2048", "rsa-2048"), ("02", "EC:prime256v1", "p256"), ("03", "EC:edwards25519", "ed25519")]
    {
        if has(&desk.service, name) {
            desk.ok(&format!("--keypairgen --key-type {kind} --label {id} --id {id}"));
        }
    }
    desk.ok("--keypairgen --key-type rsa:2048 --allowed-mechanisms RSA-X-509 --label 05 --id 05");
    if has(&desk.service, "hmac-sha256") {
        desk.ok("--keygen --key-type GENERIC:32 --usage-sign --label 04 --id 04");
    }
    let mechanisms = desk.mechanisms("sign");
    assert_eq!(mechanisms, desk.mechanisms("verify").into_iter().filter(|name| !name.contains("SHA1")).collect::<Vec<_>>());
    let shown = |mechanism: &str| mechanisms.iter().any(|name| name == mechanism);
    for expected in
        ["RSA-PKCS", "SHA256-RSA-PKCS", "RSA-PKCS-PSS", "SHA512-RSA-PKCS-PSS", "ECDSA", "ECDSA-SHA384", "ECDSA-SHA3-256"]
    {
        assert!(shown(expected), "{mechanisms:?}");
    }
    assert_eq!(shown("EDDSA"), has(&desk.service, "ed25519"), "{mechanisms:?}");
    for mechanism in &mechanisms {
        let id = match mechanism.as_str() {
            "EDDSA" => "03",
            // pkcs11-tool looks for a private key
            "AES-CMAC" => continue,
            // and has no names for these, or no parameter
            name if name.starts_with("mechtype") || name.contains("GENERAL") => continue,
            "RSA-X-509" => "05",
            name if name.contains("RSA") => "01",
            name if name.contains("HMAC") => "04",
            _ => "02",
        };
        let (input, parameters) = match mechanism.as_str() {
            "RSA-PKCS-PSS" => ("digest", " --hash-algorithm SHA256"),
            "ECDSA" | "RSA-X-509" => ("digest", ""),
            _ => ("message", ""),
        };
        let common = format!("--id {id} --mechanism {mechanism}{parameters}");
        desk.ok(&format!("--sign {common} --input-file {input} --output-file signature"));
        let verify = format!("--verify {common} --signature-file signature --input-file");
        let said = desk.ok(&format!("{verify} {input}"));
        assert!(said.contains("Signature is valid"), "{mechanism}\n{said}");
        desk.write("other", [8; 32]);
        let said = desk.tool(&format!("{verify} other"));
        assert!(!said.out.contains("Signature is valid"), "{mechanism}\n{}", said.out);
    }
}

#[test]
fn every_mechanism_that_is_shown_to_encrypt_encrypts_and_decrypts() {
    let Some(desk) = Desk::new() else { return };
    desk.ok("--keypairgen --key-type rsa:2048 --usage-decrypt --label 01 --id 01");
    if has(&desk.service, "aes-256") {
        desk.ok("--keygen --key-type AES:32 --label 02 --id 02");
    }
    let mechanisms = desk.mechanisms("encrypt");
    assert_eq!(mechanisms, desk.mechanisms("decrypt"));
    for mechanism in mechanisms {
        let (id, parameters) = match mechanism.as_str() {
            "RSA-PKCS" => ("01", ""),
            "RSA-PKCS-OAEP" => ("01", " --hash-algorithm SHA256"),
            "AES-ECB" => ("02", ""),
            "AES-CBC" | "AES-CBC-PAD" => ("02", " --iv 000102030405060708090a0b0c0d0e0f"),
            // pkcs11-tool has no parameters for these
            "AES-CTR" | "AES-GCM" => continue,
            // and wraps keys alone with these
            "AES-KEY-WRAP" | "AES-KEY-WRAP-PAD" => continue,
            // a key that names it signs with it above
            "RSA-X-509" => continue,
            unknown => panic!("{unknown}: a mechanism without a case here"),
        };
        let common = format!("--id {id} --mechanism {mechanism}{parameters}");
        desk.write("plain", vec![7; if id == "01" { 48 } else { 200 << 10 }]);
        if id == "01" {
            // pkcs11-tool encrypts with secret keys only
            let padding = if parameters.is_empty() { "pkcs1" } else { "oaep" };
            let hash = if parameters.is_empty() { "" } else { " -pkeyopt rsa_oaep_md:sha256" };
            desk.ok("--read-object --type pubkey --id 01 --output-file public.der");
            desk.openssl(&format!(
                "pkeyutl -encrypt -pubin -keyform DER -inkey public.der -in plain -out sealed -pkeyopt rsa_padding_mode:{padding}{hash}"
            ));
        } else {
            desk.ok(&format!("--encrypt {common} --input-file plain --output-file sealed"));
        }
        let read = |file| std::fs::read(desk.path(file)).unwrap();
        assert_ne!(read("sealed"), read("plain"), "{mechanism}");
        desk.ok(&format!("--decrypt {common} --input-file sealed --output-file opened"));
        assert_eq!(read("opened"), read("plain"), "{mechanism}");
    }
}

#[test]
fn signatures_verify_elsewhere() {
    let Some(desk) = Desk::new() else { return };
    for (kind, .., name) in desk.kinds() {
        desk.ok(&format!("--keypairgen --key-type {kind} --label {name} --id 01"));
        std::fs::write(desk.path("public.pem"), desk.parsec(&format!("key public {name}"))).unwrap();
        let ways: &[(&str, &str)] = match name {
            "ed25519" => &[("EDDSA", "pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile signature")],
            rsa if rsa.starts_with("rsa") => &[
                ("SHA256-RSA-PKCS", "dgst -sha256 -verify public.pem -signature signature message"),
                (
                    "SHA384-RSA-PKCS-PSS",
                    "dgst -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify public.pem -signature signature message",
                ),
            ],
            _ => &[
                ("ECDSA-SHA256 --signature-format openssl", "dgst -sha256 -verify public.pem -signature signature message"),
                ("ECDSA-SHA512 --signature-format openssl", "dgst -sha512 -verify public.pem -signature signature message"),
            ],
        };
        for (mechanism, verify) in ways {
            desk.ok(&format!("--sign --id 01 --mechanism {mechanism} --input-file message --output-file signature"));
            desk.openssl(verify);
        }
        desk.ok("-b --type privkey --id 01");
    }
}

#[test]
fn certificates_are_stored_beside_their_keys() {
    let Some(desk) = Desk::new() else { return };
    desk.ok("--keypairgen --key-type EC:prime256v1 --label web --id 01");
    desk.parsec("key csr web --self-signed --cn web.example --out web.crt");
    desk.openssl("x509 -in web.crt -outform DER -out web.der");
    let written = desk.ok("--write-object web.der --type cert --label web --id 01");
    assert!(written.contains("subject:    DN: CN=web.example"), "{written}");
    desk.ok("--read-object --type cert --id 01 --output-file read.der");
    assert_eq!(std::fs::read(desk.path("read.der")).unwrap(), std::fs::read(desk.path("web.der")).unwrap());
    assert!(desk.parsec("cert list").contains("web"));
    desk.ok("-b --type cert --id 01");
    assert_eq!(desk.ok("-O --type cert").trim(), "");
    assert!(desk.ok("-O --type privkey").contains("web"), "the key stays");
}

#[test]
fn random_numbers_and_digests() {
    let Some(desk) = Desk::new() else { return };
    desk.ok("--generate-random 64 --output-file first");
    desk.ok("--generate-random 64 --output-file second");
    let (first, second) = (std::fs::read(desk.path("first")).unwrap(), std::fs::read(desk.path("second")).unwrap());
    assert_eq!((first.len(), second.len()), (64, 64));
    assert_ne!(first, second);
    for (mechanism, digest) in [("SHA-1", "sha1"), ("SHA256", "sha256"), ("SHA512", "sha512"), ("SHA3-384", "sha3-384")] {
        desk.ok(&format!("--hash --mechanism {mechanism} --input-file message --output-file hash"));
        desk.openssl(&format!("dgst -{digest} -binary -out expected message"));
        assert_eq!(std::fs::read(desk.path("hash")).unwrap(), std::fs::read(desk.path("expected")).unwrap());
    }
}

#[test]
fn a_service_that_is_away_is_a_token_that_is_away() {
    let Some(Desk(mut desk)) = Desk::new() else { return };
    desk.service.stop();
    let slots = desk.pkcs11_tool("-L").ok();
    assert!(slots.contains("(empty)"), "{slots}");
    desk.pkcs11_tool("-O").refused();
    desk.service.restart();
    desk.pkcs11_tool("-O").ok();
}

#[test]
fn a_token_is_initialised_and_its_pins_are_set_used_changed_and_unlocked() {
    let Some(Desk(mut desk)) = Desk::new() else { return };
    let ok = |arguments: &str| desk.pkcs11_tool(arguments).ok();
    ok("--keypairgen --key-type EC:prime256v1 --label old --id 01");
    ok("--init-token --label mine --so-pin officer");
    let slots = ok("-L");
    assert!(slots.contains("token label        : mine") && !slots.contains("PIN initialized"), "{slots}");
    assert_eq!(ok("-O").trim(), "", "nothing is left of before");
    let again = desk.pkcs11_tool("--init-token --label other --so-pin guess").refused();
    assert!(again.contains("CKR_PIN_INCORRECT"), "{again}");
    let early = desk.pkcs11_tool("--login --pin 1234 -O").refused();
    assert!(early.contains("CKR_USER_PIN_NOT_INITIALIZED"), "{early}");

    ok("--init-pin --login --login-type so --so-pin officer --new-pin 1234");
    let slots = ok("-L");
    assert!(slots.contains("login required") && slots.contains("PIN initialized"), "{slots}");
    let public = desk.pkcs11_tool("--keypairgen --key-type EC:prime256v1 --label web --id 01").refused();
    assert!(public.contains("CKR_USER_NOT_LOGGED_IN"), "{public}");
    ok("--login --pin 1234 --keypairgen --key-type EC:prime256v1 --label web --id 01");
    let seen = ok("-O");
    assert!(seen.contains("Public Key Object") && !seen.contains("Private Key Object"), "{seen}");
    assert!(ok("--login --pin 1234 -O").contains("Private Key Object"));
    ok("--login --pin 1234 --sign --mechanism ECDSA-SHA256 --id 01 --input-file message --output-file signature");
    ok("--login --pin 1234 --test");
    ok("--login --pin 1234 --keypairgen --key-type EC:prime256v1 --always-auth --label asks --id 02");
    ok("--login --pin 1234 --sign --mechanism ECDSA-SHA256 --id 02 --input-file message --output-file signature");

    ok("--change-pin --pin 1234 --new-pin 5678");
    let old = desk.pkcs11_tool("--login --pin 1234 -O").refused();
    assert!(old.contains("CKR_PIN_INCORRECT"), "{old}");
    assert!(ok("-L").contains("user PIN count low"));
    ok("--login --pin 5678 --change-pin --new-pin 1234");
    ok("--login --login-type so --so-pin officer --change-pin --new-pin commander");
    ok("--unlock-pin --puk 1234 --new-pin 5678");

    desk.service.alter_store("UPDATE pin SET failures = 10 WHERE role = 1");
    let ok = |arguments: &str| desk.pkcs11_tool(arguments).ok();
    assert!(ok("-L").contains("user PIN locked"));
    let locked = desk.pkcs11_tool("--login --pin 5678 -O").refused();
    assert!(locked.contains("CKR_PIN_LOCKED"), "{locked}");
    ok("--init-pin --login --login-type so --so-pin commander --new-pin 1234");
    assert!(ok("--login --pin 1234 -O").contains("Private Key Object"), "keys stay");
    desk.parsec("token reset-pin");
    assert!(ok("-O").contains("Private Key Object"), "no PIN, no login");
}
