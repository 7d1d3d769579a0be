//! Objects that come from files and go to files.

use crate::Desk;
use interop::provider;

/// Algorithms of keys in files, as `openssl genpkey` names them.
const KINDS: [(&str, &str); 3] = [
    ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
    ("p256", "EC -pkeyopt group:P-256 -pkeyopt ec_param_enc:named_curve"),
    ("p384", "EC -pkeyopt group:P-384 -pkeyopt ec_param_enc:named_curve"),
];

/// Makes a key in a file, `NAME.key`, and the forms that pkcs11-tool reads, `NAME.der` and `NAME.pub`.
fn make(desk: &Desk, name: &str, algorithm: &str) {
    desk.openssl(&format!("genpkey -algorithm {algorithm} -out {name}.key"));
    desk.openssl(&format!("pkey -in {name}.key -traditional -outform DER -out {name}.der"));
    desk.openssl(&format!("pkey -in {name}.key -pubout -outform DER -out {name}.pub"));
}

#[test]
fn private_keys_are_written_used_and_deleted() {
    let Some(desk) = Desk::new() else { return };
    for (name, algorithm) in KINDS {
        make(&desk, name, algorithm);
        desk.ok(&format!("--write-object {name}.der --type privkey --usage-sign --label {name} --id 01"));
        assert_eq!(desk.parsec(&format!("key public {name}")), desk.openssl(&format!("pkey -in {name}.key -pubout")));
        let mechanism = if name == "rsa" { "SHA256-RSA-PKCS" } else { "ECDSA-SHA256 --signature-format openssl" };
        desk.ok(&format!("--sign --id 01 --mechanism {mechanism} --input-file message --output-file signature"));
        desk.openssl(&format!("dgst -sha256 -verify {name}.pub -signature signature message"));
        desk.ok("--delete-object --type privkey --id 01");
        assert!(desk.parsec("key list").contains("No keys"));
    }
}

#[test]
fn public_keys_are_written_used_read_and_deleted() {
    let Some(desk) = Desk::new() else { return };
    for (name, algorithm) in KINDS {
        make(&desk, name, algorithm);
        desk.ok(&format!("--write-object {name}.pub --type pubkey --usage-sign --label {name} --id 01"));
        desk.openssl(&format!("dgst -sha256 -sign {name}.key -out signature message"));
        let mechanism = if name == "rsa" { "SHA256-RSA-PKCS" } else { "ECDSA-SHA256 --signature-format openssl" };
        let said = desk.ok(&format!("--verify --id 01 --mechanism {mechanism} --input-file message --signature-file signature"));
        assert!(said.contains("Signature is valid"), "{said}");
        // what the module itself has to say of it; pkcs11-tool 0.23 reads P-384 wrong
        assert_eq!(desk.parsec(&format!("key public {name}")), desk.openssl(&format!("pkey -in {name}.key -pubout")));
        if name != "p384" {
            desk.ok("--read-object --type pubkey --id 01 --output-file read.pub");
            assert_eq!(desk.read("read.pub"), desk.read(format!("{name}.pub")));
        }
        desk.ok("--delete-object --type pubkey --id 01");
        assert_eq!(desk.ok("-O").trim(), "");
    }
}

#[test]
fn secret_keys_are_written_used_read_and_deleted() {
    let Some(desk) = Desk::with("encrypt", "AES-CBC-PAD") else { return };
    desk.write("secret", [7; 32]);
    desk.write("plain", [8; 48]);
    desk.ok("--write-object secret --type secrkey --key-type AES:32 --extractable --label open --id 01");
    desk.ok("--write-object secret --type secrkey --key-type AES:32 --sensitive --label closed --id 02");
    let read = desk.tool("--read-object --type secrkey --id 01 --output-file read");
    if provider() == "tpm" {
        read.refused();
    } else {
        read.ok();
        assert_eq!(desk.read("read"), [7; 32]);
    }
    desk.tool("--read-object --type secrkey --id 02 --output-file kept").refused();
    let iv = "000102030405060708090a0b0c0d0e0f";
    for id in ["01", "02"] {
        desk.ok(&format!("--encrypt --mechanism AES-CBC-PAD --iv {iv} --id {id} --input-file plain --output-file sealed"));
        let key = "07".repeat(32);
        desk.openssl(&format!("enc -d -aes-256-cbc -K {key} -iv {iv} -in sealed -out opened"));
        assert_eq!(desk.read("opened"), [8; 48]);
        desk.ok(&format!("--delete-object --type secrkey --id {id}"));
    }
    assert_eq!(desk.ok("-O").trim(), "");
}

#[test]
fn data_is_written_read_and_deleted() {
    let Some(desk) = Desk::new() else { return };
    let written = desk.ok("--write-object message --type data --label note --application-label mail --application-id 1.2.3");
    let shown = desk.ok("-O --type data");
    for objects in [written, shown] {
        for line in ["label:          'note'", "application:    'mail'", "app_id:         1.2.3"] {
            assert!(objects.contains(line), "{objects}");
        }
    }
    for name in ["--label note", "--application-label mail", "--application-id 1.2.3"] {
        desk.ok(&format!("--read-object --type data {name} --output-file read"));
        assert_eq!(desk.read("read"), desk.read("message"));
    }
    desk.ok("--delete-object --type data --label note");
    assert_eq!(desk.ok("-O").trim(), "");
}
