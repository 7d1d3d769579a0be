//! What a listener on the bus between the service and its TPM hears.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interface::ProviderId;
use interface::algorithm::{Agreement, Algorithm, Encryption, Hash, SignHash as Named, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::Client;
use interface::operations::{
    AsymmetricDecrypt, AsymmetricEncrypt, ExportKey, ExportPublicKey, GenerateKey, ImportKey, RawKeyAgreement, SignHash,
};
use tests::{CONFIG, Proxy, Service, Swtpm, TPM, TPM_SEALED, may_lock_memory};

const ECDSA: Signature = Signature::Ecdsa { hash: Named::Specific(Hash::Sha256) };
const EC: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
const ENCRYPTED: &str = "parameter_encryption = true\n";
const OWNER: &str = "a password of the owner";
/// TPM_RS_PW: what follows in the command is a password (TPM 2.0 Part 2 §7.4).
const PASSWORD: [u8; 4] = [0x40, 0, 0, 9];
/// TPM_CC_Create.
const CREATE: [u8; 4] = [0, 0, 1, 0x53];

fn attributes(key_type: KeyType, bits: u32, algorithm: impl Into<Algorithm>) -> Attributes {
    Attributes { key_type, bits, policy: Policy { usage: Usage::ALL, algorithm: algorithm.into(), also: Vec::new() } }
}

fn make(client: &Client, provider: ProviderId, name: &str, attributes: &Attributes) {
    let generate = GenerateKey { key_name: name.to_owned(), attributes: Some(attributes.into()), ..Default::default() };
    client.call(provider, &generate).unwrap();
}

fn ec() -> Attributes {
    attributes(EC, 256, ECDSA)
}

/// The value of a private key of software that the TPM has imported.
fn imported(client: &Client) -> Vec<u8> {
    make(client, ProviderId::SOFTWARE, "mine", &ec());
    let data = client.call(ProviderId::SOFTWARE, &ExportKey { key_name: "mine".to_owned(), owner: None }).unwrap().data.clone();
    let (key_name, attributes) = ("mine".to_owned(), Some((&ec()).into()));
    let (label, id, volatile, pkcs11) = Default::default();
    let import = ImportKey { key_name, attributes, data: data.clone(), label, id, volatile, pkcs11 };
    client.call(ProviderId::TPM, &import).unwrap();
    sign(client, ProviderId::TPM, "mine");
    data
}

fn agreed(client: &Client) -> Vec<u8> {
    let name = || "ecdh".to_owned();
    make(client, ProviderId::TPM, "ecdh", &attributes(EC, 256, Agreement::Ecdh));
    let peer_key = client.call(ProviderId::TPM, &ExportPublicKey { key_name: name(), owner: None }).unwrap().data.clone();
    let agree = RawKeyAgreement { alg: Agreement::Ecdh.into(), key_name: name(), peer_key, owner: None };
    client.call(ProviderId::TPM, &agree).unwrap().shared_secret.clone()
}

/// With a padding that leaves the message as it is.
fn decrypted(client: &Client) -> Vec<u8> {
    let (name, alg) = (|| "rsa".to_owned(), Some(Encryption::RsaPkcs1v15.into()));
    make(client, ProviderId::TPM, "rsa", &attributes(KeyType::RsaKeyPair, 2048, Encryption::RsaPkcs1v15));
    let (plaintext, salt) = (b"a message for nobody else".to_vec(), Vec::new());
    let encrypt = AsymmetricEncrypt { key_name: name(), alg, plaintext, salt: salt.clone(), owner: None };
    let ciphertext = client.call(ProviderId::TPM, &encrypt).unwrap().ciphertext;
    let decrypt = AsymmetricDecrypt { key_name: name(), alg, ciphertext, salt, owner: None };
    client.call(ProviderId::TPM, &decrypt).unwrap().plaintext.clone()
}

#[test]
fn a_listener_hears_secrets_unless_parameters_are_encrypted() {
    if !may_lock_memory() {
        return;
    }
    for encrypted in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let tpm = Swtpm::start(folder.path().join("tpm"));
        tpm.own(b"", OWNER.as_bytes());
        let proxy = Proxy::start(tpm.port());
        let settings = format!("owner_hierarchy_auth = \"{OWNER}\"\nparameter_encryption = {encrypted}\n");
        let config = format!("{CONFIG}{TPM}{settings}{TPM_SEALED}{settings}").replace("{tcti}", &proxy.tcti());
        let service = Service::with_config(&config);
        let client = service.client();
        let (imported, agreed, decrypted) = (imported(&client), agreed(&client), decrypted(&client));
        make(&client, ProviderId::TPM_SEALED, "k", &ec());
        let heard = proxy.heard();
        let hears = |secret: &[u8]| heard.windows(secret.len()).any(|heard| heard == secret);
        for (what, secret) in [
            ("what two keys agreed on", &agreed[..]),
            ("what was decrypted", &decrypted),
            ("the owner's password", OWNER.as_bytes()),
            ("any password", &PASSWORD),
        ] {
            assert_eq!(hears(secret), !encrypted, "{what}, encrypted: {encrypted}");
        }
        assert!(!hears(&imported), "an imported key");
    }
}

/// The passwords of objects that are created, and the secrets that are sealed, where a listener hears them.
fn created(mut heard: &[u8]) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    while let [_, _, a, b, c, d, ..] = *heard {
        let (message, rest) = heard.split_at(u32::from_be_bytes([a, b, c, d]) as usize);
        heard = rest;
        if message[6..10] == CREATE {
            // The parent, the authorisation after its size in four bytes; then TPM2B_SENSITIVE_CREATE (TPM 2.0 Part 3 §12.1).
            let authorisation = u32::from_be_bytes([message[14], message[15], message[16], message[17]]) as usize;
            let (password, rest) = sized(&message[18 + authorisation + 2..]);
            let (sealed, _) = sized(rest);
            secrets.extend([password, sealed].into_iter().filter(|secret| !secret.is_empty()).map(<[u8]>::to_vec));
        }
    }
    secrets
}

/// What follows its length in two bytes, and the rest.
fn sized(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes[2..].split_at(u16::from_be_bytes([bytes[0], bytes[1]]).into())
}

#[test]
fn a_listener_who_knows_the_secrets_of_keys_does_not_hear_them_when_parameters_are_encrypted() {
    if !may_lock_memory() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tpm = Swtpm::start(folder.path().join("tpm"));
    let proxy = Proxy::start(tpm.port());
    let mut service = Service::with_config(&format!("{CONFIG}{TPM}{TPM_SEALED}").replace("{tcti}", &proxy.tcti()));
    let client = service.client();
    let providers = [ProviderId::TPM, ProviderId::TPM_SEALED];
    providers.iter().for_each(|&provider| make(&client, provider, "k", &ec()));
    let secrets = created(&proxy.heard());
    assert_eq!(secrets.len(), 3, "two passwords, and what all keys of the sealed tier are stored under");
    let file = service.dir().join("config.toml");
    let plain = std::fs::read_to_string(&file).unwrap();
    for encrypted in [false, true] {
        let settings = format!("tcti = \"{}\"\nparameter_encryption = {encrypted}", proxy.tcti());
        std::fs::write(&file, plain.replace(&format!("tcti = \"{}\"", proxy.tcti()), &settings)).unwrap();
        service.restart();
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
        // which has the chip unseal again
        make(&client, ProviderId::TPM_SEALED, &format!("encrypted: {encrypted}"), &ec());
        let heard = proxy.heard();
        for secret in &secrets {
            // A password is sent without the zeros at its end.
            let start = &secret[..secret.len() / 2];
            let hears = heard.windows(start.len()).any(|heard| heard == start);
            assert_eq!(hears, !encrypted, "{} bytes, encrypted: {encrypted}", secret.len());
        }
    }
}

fn sign(client: &Client, provider: ProviderId, name: &str) {
    let sign = SignHash { key_name: name.to_owned(), alg: Some(ECDSA.into()), hash: vec![7; 32], ..Default::default() };
    client.call(provider, &sign).unwrap();
}

#[test]
fn the_session_is_opened_anew_when_the_chip_or_the_service_has_lost_it() {
    if !may_lock_memory() {
        return;
    }
    let mut service = Service::with_config(&format!("{CONFIG}{TPM}{ENCRYPTED}{TPM_SEALED}{ENCRYPTED}"));
    let client = service.client();
    let providers = [ProviderId::TPM, ProviderId::TPM_SEALED];
    providers.iter().for_each(|&provider| make(&client, provider, "k", &ec()));
    // more often than the chip has room for sessions
    for _ in 0..5 {
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
        service.kill9();
        service.restart();
    }
    for round in 0..3 {
        providers.iter().for_each(|&provider| make(&client, provider, &format!("new {round}"), &ec()));
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
        service.tpm().restart();
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
    }
}
