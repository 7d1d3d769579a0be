//! What the key store promises, held against the real service: keys outlive crashes, names are taken once, and others see nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accept;
mod access;
mod crash;
mod disk;
mod granted;
mod quotas;
mod race;
mod start;
mod token;

use interface::algorithm::{Algorithm, Hash, SignHash as AnyHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::message::Pkcs11Attribute;
use interface::operations::{DestroyKey, GenerateKey, SignHash, VerifyHash};
use interface::{ProviderId, Status};

const SOFTWARE: ProviderId = ProviderId::SOFTWARE;
const DIGEST: [u8; 32] = [0x5a; 32];

fn ecdsa() -> Signature {
    let hash = AnyHash::Specific(Hash::Sha256);
    Signature::Ecdsa { hash }
}

/// A P-256 key that signs and verifies.
fn generate(client: &Client, name: &str) -> Result<(), Error> {
    generate_with(client, name, Vec::new())
}

/// A key with which the service keeps these attributes.
fn generate_with(client: &Client, name: &str, pkcs11: Vec<Pkcs11Attribute>) -> Result<(), Error> {
    let attributes = Attributes {
        key_type: KeyType::EccKeyPair(EccFamily::SecpR1),
        bits: 256,
        policy: Policy {
            usage: Usage::SIGN_HASH | Usage::VERIFY_HASH,
            algorithm: Algorithm::Signature(ecdsa()),
            also: Vec::new(),
        },
    };
    let (key_name, attributes) = (name.to_owned(), Some((&attributes).into()));
    client.call(SOFTWARE, &GenerateKey { key_name, attributes, pkcs11, ..GenerateKey::default() }).map(drop)
}

fn destroy(client: &Client, name: &str) -> Result<(), Error> {
    let destroy = DestroyKey { key_name: name.to_owned(), owner: None };
    client.call(SOFTWARE, &destroy).map(drop)
}

fn sign(client: &Client, owner: Option<&str>, name: &str) -> Result<Vec<u8>, Error> {
    let sign = SignHash {
        key_name: name.to_owned(),
        alg: Some(ecdsa().into()),
        hash: DIGEST.to_vec(),
        owner: owner.map(str::to_owned),
        ..Default::default()
    };
    let signed = client.call(SOFTWARE, &sign)?;
    Ok(signed.signature)
}

fn verify(client: &Client, name: &str, signature: Vec<u8>) -> Result<(), Error> {
    let verify = VerifyHash {
        key_name: name.to_owned(),
        alg: Some(ecdsa().into()),
        hash: DIGEST.to_vec(),
        signature,
        ..Default::default()
    };
    client.call(SOFTWARE, &verify).map(drop)
}

/// Whether the key is there; where it is, it must work.
#[track_caller]
fn usable(client: &Client, name: &str) -> bool {
    match sign(client, None, name) {
        Ok(signature) => {
            verify(client, name, signature).expect("its own signature");
            true
        }
        Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => false,
        Err(error) => panic!("the key '{name}' is there and does not work: {error}"),
    }
}
