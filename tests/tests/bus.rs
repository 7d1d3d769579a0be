//! What a listener on the bus between the service and its TPM hears.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interface::ProviderId;
use interface::algorithm::{Hash, SignHash as Named, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::Client;
use interface::operations::{GenerateKey, SignHash};
use tests::{CONFIG, Service, TPM, TPM_SEALED};

const ECDSA: Signature = Signature::Ecdsa { hash: Named::Specific(Hash::Sha256) };
const EC: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);

const ENCRYPTED: &str = "parameter_encryption = true\n";

fn make(client: &Client, provider: ProviderId, name: &str) {
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm: ECDSA.into(), also: Vec::new() };
    let attributes = Some((&Attributes { key_type: EC, bits: 256, policy }).into());
    client.call(provider, &GenerateKey { key_name: name.to_owned(), attributes, ..Default::default() }).unwrap();
}

fn sign(client: &Client, provider: ProviderId, name: &str) {
    let sign = SignHash { key_name: name.to_owned(), alg: Some(ECDSA.into()), hash: vec![7; 32], ..Default::default() };
    client.call(provider, &sign).unwrap();
}

#[test]
fn the_session_is_opened_anew_when_the_chip_or_the_service_has_lost_it() {
    let mut service = Service::with_config(&format!("{CONFIG}{TPM}{ENCRYPTED}{TPM_SEALED}{ENCRYPTED}"));
    let client = service.client();
    let providers = [ProviderId::TPM, ProviderId::TPM_SEALED];
    providers.iter().for_each(|&provider| make(&client, provider, "k"));
    // more often than the chip has room for sessions
    for _ in 0..5 {
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
        service.kill9();
        service.restart();
    }
    for round in 0..3 {
        providers.iter().for_each(|&provider| make(&client, provider, &format!("new {round}")));
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
        service.tpm().restart();
        providers.iter().for_each(|&provider| sign(&client, provider, "k"));
    }
}
