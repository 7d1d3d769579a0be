//! Published vectors, refusals, and the `openssl` program as a second opinion.

mod agreement;
mod capability;
mod derive;
mod field;
mod openssl;
mod pq;
mod requests;
mod rsa;
mod sign;
mod symmetric;
mod wrap;

use super::key::ParsedKey;
use crate::error::Result;
use interface::Status;
use interface::algorithm::{Algorithm, Hash, SignHash};
use interface::attributes::{Attributes, DhFamily, EccFamily, KeyType, Policy, Usage};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn attributes(key_type: KeyType, bits: u32) -> Attributes {
    Attributes { key_type, bits, policy: Policy { usage: Usage::ALL, algorithm: Algorithm::None, also: Vec::new() } }
}

fn import(key_type: KeyType, data: &[u8]) -> Result<ParsedKey> {
    ParsedKey::import(&attributes(key_type, 0), data).map(|(_, key)| key)
}

fn generate(key_type: KeyType, bits: u32) -> ParsedKey {
    ParsedKey::generate(&attributes(key_type, bits), &[]).unwrap()
}

/// The key as someone who got only its public half has it.
fn public_half(key: &ParsedKey, key_type: KeyType) -> ParsedKey {
    import(key_type.public(), &key.public().unwrap()).unwrap()
}

fn status<T>(result: Result<T>) -> Status {
    result.map_or_else(|error| error.status(), |_| Status::Success)
}

const P256: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
const ED25519: KeyType = KeyType::EccKeyPair(EccFamily::TwistedEdwards);
const X25519: KeyType = KeyType::EccKeyPair(EccFamily::Montgomery);
const SHA256: SignHash = SignHash::Specific(Hash::Sha256);

const PAIRS: [(KeyType, u32); 17] = [
    (KeyType::RsaKeyPair, 2048),
    (P256, 192),
    (P256, 224),
    (P256, 256),
    (P256, 384),
    (P256, 521),
    (KeyType::EccKeyPair(EccFamily::SecpK1), 256),
    (ED25519, 255),
    (X25519, 255),
    (KeyType::MlDsaKeyPair, 128),
    (KeyType::MlDsaKeyPair, 192),
    (KeyType::MlDsaKeyPair, 256),
    (KeyType::MlKemKeyPair, 512),
    (KeyType::MlKemKeyPair, 768),
    (KeyType::MlKemKeyPair, 1024),
    (KeyType::DsaKeyPair, 1024),
    (KeyType::DhKeyPair(DhFamily::Own), 2048),
];

#[test]
fn a_key_is_the_same_after_export_and_load() {
    let secrets = [
        (KeyType::Aes, 128),
        (KeyType::Aes, 192),
        (KeyType::Aes, 256),
        (KeyType::ChaCha20, 256),
        (KeyType::Hmac, 8),
        (KeyType::RawData, 800),
    ];
    for (key_type, bits) in PAIRS.into_iter().chain(secrets) {
        let attributes = attributes(key_type, bits);
        let key = ParsedKey::generate(&attributes, &[]).unwrap();
        let material = key.export().unwrap();
        let loaded = ParsedKey::load(&attributes, &material).unwrap();
        assert_eq!(material, loaded.export().unwrap());
        // a seed does not tell its parameter set
        let asked = if matches!(key_type, KeyType::MlDsaKeyPair | KeyType::MlKemKeyPair) { bits } else { 0 };
        let (found, imported) = ParsedKey::import(&Attributes { bits: asked, ..attributes.clone() }, &material).unwrap();
        assert_eq!((found.bits, imported.bits()), (bits, bits), "{key_type:?}");
        if key_type.is_pair() {
            assert_eq!(key.public().unwrap(), loaded.public().unwrap());
            let public = public_half(&key, key_type);
            assert_eq!(*public.export().unwrap(), key.public().unwrap());
        } else {
            assert_eq!(status(key.public()), Status::PsaErrorInvalidArgument);
            assert_eq!(material.len(), bits as usize / 8);
        }
        assert_eq!(status(ParsedKey::load(&attributes, &material[1..])), Status::PsaErrorDataCorrupt, "{key_type:?}");
    }
}

#[test]
fn bad_curve_keys_are_refused() {
    let refused = |key_type, data: &[u8]| assert_eq!(status(import(key_type, data)), Status::PsaErrorInvalidArgument);
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    refused(P256, &order);
    refused(P256, &[0; 32]);
    refused(P256, &[1; 31]);
    let mut below = order;
    *below.last_mut().unwrap() -= 1;
    import(P256, &below).unwrap();
    let mut point = generate(P256, 256).public().unwrap();
    point[64] ^= 1;
    refused(P256.public(), &point);
    point[64] ^= 1;
    import(P256.public(), &point).unwrap();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    assert_eq!(import(P256.public(), &compressed).unwrap().public().unwrap(), point);
    refused(P256.public(), &[&[5], &compressed[1..]].concat());
    refused(P256.public(), &[&[2], &[0xff; 32][..]].concat());
    refused(P256.public(), &[0]);
    refused(ED25519, &[1; 33]);
    assert_eq!(status(ParsedKey::import(&attributes(P256, 384), &below)), Status::PsaErrorInvalidArgument);
    assert_eq!(status(ParsedKey::import(&attributes(P256, 512), &below)), Status::PsaErrorNotSupported);
    assert_eq!(status(import(KeyType::EccKeyPair(EccFamily::Frp), &below)), Status::PsaErrorNotSupported);
    assert_eq!(status(import(KeyType::Camellia, &[1; 16])), Status::PsaErrorNotSupported);
    assert_eq!(status(import(KeyType::Aes, &[1; 20])), Status::PsaErrorInvalidArgument);
    assert_eq!(status(import(KeyType::RawData, &[])), Status::PsaErrorInvalidArgument);
}
