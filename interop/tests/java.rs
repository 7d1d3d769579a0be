//! Java's SunPKCS11 on our module, as keytool uses it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interop::Desk;
use tests::{Ran, run};

/// Arguments of `-genkeypair` for each kind of key.
const KINDS: [(&str, &str); 4] = [
    ("rsa", "-keyalg RSA -keysize 2048"),
    ("pss", "-keyalg RSA -keysize 3072 -sigalg RSASSA-PSS"),
    ("p256", "-keyalg EC -groupname secp256r1"),
    ("p384", "-keyalg EC -groupname secp384r1 -sigalg SHA512withECDSA"),
];

fn desk() -> Option<Desk> {
    let desk = Desk::new("keytool")?;
    desk.write("pkcs11.cfg", format!("name = parsec\nlibrary = {}\n", desk.module().display()));
    Some(desk)
}

fn keytool(desk: &Desk, arguments: &str) -> Ran {
    let mut command = desk.command(&format!("keytool {arguments} -keystore NONE -storetype PKCS11 -storepass any-pin-will-do"));
    run(command.args("-providerClass sun.security.pkcs11.SunPKCS11 -providerArg pkcs11.cfg".split(' ')))
}

#[test]
fn keys_are_made_and_sign_their_certificates_and_requests() {
    let Some(desk) = desk() else { return };
    for (alias, kind) in KINDS {
        keytool(&desk, &format!("-genkeypair -alias {alias} {kind} -dname CN={alias}.example")).ok();
        keytool(&desk, &format!("-exportcert -rfc -alias {alias} -file {alias}.pem")).ok();
        desk.openssl(&format!("verify -check_ss_sig -CAfile {alias}.pem {alias}.pem"));
        keytool(&desk, &format!("-certreq -alias {alias} -file {alias}.csr")).ok();
        desk.openssl(&format!("req -verify -noout -in {alias}.csr"));
    }
    let listed = keytool(&desk, "-list").ok();
    for (alias, _) in KINDS {
        assert!(listed.contains(&format!("{alias}, PrivateKeyEntry")), "{listed}");
        let objects = desk.pkcs11_tool(&format!("-O --label {alias}")).ok();
        assert!(objects.contains("Private Key Object") && objects.contains("Certificate Object"), "{objects}");
    }
}

#[test]
fn a_certificate_of_an_authority_takes_the_place_of_the_first() {
    let Some(desk) = desk() else { return };
    desk.openssl("req -x509 -newkey rsa:2048 -noenc -keyout ca.key -out ca.pem -subj /CN=authority.example");
    keytool(&desk, "-genkeypair -alias web -keyalg EC -groupname secp256r1 -dname CN=web.example").ok();
    keytool(&desk, "-certreq -alias web -file web.csr").ok();
    desk.openssl("x509 -req -in web.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out web.pem");
    desk.write("chain.pem", [desk.read("web.pem"), desk.read("ca.pem")].concat());
    keytool(&desk, "-importcert -noprompt -alias web -file chain.pem").ok();
    let listed = keytool(&desk, "-list -v -alias web").ok();
    assert!(listed.contains("Certificate chain length: 2") && listed.contains("Issuer: CN=authority.example"), "{listed}");
    keytool(&desk, "-delete -alias web").ok();
    let left = desk.pkcs11_tool("-O").ok();
    assert!(!left.contains("Private Key Object"), "{left}");
}

/// Java's default for OAEP is MGF1 with SHA-1, whatever the digest.
#[test]
fn what_java_encrypts_by_default_is_decrypted() {
    let Some(desk) = Desk::new("java") else { return };
    desk.pkcs11_tool("--keypairgen --key-type rsa:2048 --usage-decrypt --label vault --id 01").ok();
    desk.parsec("key public vault --out vault.pub");
    desk.openssl("pkey -pubin -in vault.pub -outform DER -out vault.der");
    desk.write("message", "hello");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/Oaep.java");
    desk.ok(&format!("java {source} vault.der message SHA-256 SHA-384 SHA-512"));
    for (digest, hash) in [("SHA-256", "SHA256"), ("SHA-384", "SHA384"), ("SHA-512", "SHA512")] {
        let padding = format!("-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{hash} -pkeyopt rsa_mgf1_md:SHA1");
        let decrypt = format!("openssl pkeyutl -decrypt -inkey parsec:object=vault -in {digest} {padding}");
        assert_eq!(run(&mut desk.ours(&decrypt)).ok(), "hello");
        let parameters = format!("--mechanism RSA-PKCS-OAEP --hash-algorithm {hash} --mgf MGF1-SHA1");
        desk.pkcs11_tool(&format!("--decrypt {parameters} --id 01 --input-file {digest} --output-file opened")).ok();
        assert_eq!(desk.text("opened"), "hello");
    }
}
