//! ML-DSA and ML-KEM.

use super::{attributes, generate, hex, import, public_half, status};
use crate::providers::software::{hash, key::ParsedKey};
use interface::Status;
use interface::algorithm::{Hash, Kem, Signature};
use interface::attributes::KeyType;

const ML_DSA: KeyType = KeyType::MlDsaKeyPair;
const ML_KEM: KeyType = KeyType::MlKemKeyPair;

/// A line is a kind, the bits, the seed, and what follows from it. Signatures have context, message and signature
/// (Wycheproof, <https://github.com/C2SP/wycheproof>, commit dac1dd47, `mldsa_*_sign_seed_test.json`; HashML-DSA with SHA-512 by
/// dilithium-py 1.5.1), encapsulations have ciphertext and secret (`mlkem_*_test.json`), and expanded keys stand by themselves
/// (`mlkem_512_keygen_seed_test.json`; ML-DSA by dilithium-py).
const VECTORS: &str = include_str!("pq.txt");

fn from_seed(key_type: KeyType, bits: &str, seed: &str) -> ParsedKey {
    ParsedKey::import(&attributes(key_type, bits.parse().unwrap()), &hex(seed)).unwrap().1
}

#[test]
fn published_vectors_hold() {
    for line in VECTORS.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [scheme @ ("ml-dsa" | "hash-ml-dsa"), bits, seed, context, message, signature] => {
                let hash = Hash::Sha512.into();
                let algorithm = if scheme == "ml-dsa" { Signature::MlDsa } else { Signature::HashMlDsa { hash } };
                let (context, message, signature) = (hex(context), hex(message), hex(signature));
                let key = from_seed(ML_DSA, bits, seed);
                key.verify_message(algorithm, &message, &signature, &context).unwrap();
                let elsewhere = key.verify_message(algorithm, &message, &signature, b"elsewhere");
                assert_eq!(status(elsewhere), Status::PsaErrorInvalidSignature);
            }
            [expanded @ ("expanded-ml-dsa" | "expanded-ml-kem"), bits, seed, private] => {
                let key_type = if expanded == "expanded-ml-dsa" { ML_DSA } else { ML_KEM };
                let key = import(key_type, &hex(private)).unwrap();
                assert_eq!(key.public().unwrap(), from_seed(key_type, bits, seed).public().unwrap());
                assert_eq!(*key.export().unwrap(), hex(private));
            }
            ["ml-kem", bits, seed, ciphertext, secret] => {
                let key = from_seed(ML_KEM, bits, seed);
                assert_eq!(*key.decapsulate(Kem::MlKem, &hex(ciphertext)).unwrap(), hex(secret));
            }
            _ => panic!("{line}"),
        }
    }
}

#[test]
fn only_the_owner_recovers_the_secret() {
    for bits in [512, 768, 1024] {
        let key = generate(ML_KEM, bits);
        let public = public_half(&key, ML_KEM);
        let (ciphertext, secret) = public.encapsulate(Kem::MlKem).unwrap();
        assert_eq!((*key.decapsulate(Kem::MlKem, &ciphertext).unwrap()).clone(), *secret);
        let mut other = ciphertext.clone();
        other[0] ^= 1;
        assert_ne!(key.decapsulate(Kem::MlKem, &other).unwrap(), secret, "implicit rejection");
        assert_eq!(status(key.decapsulate(Kem::MlKem, &ciphertext[1..])), Status::PsaErrorInvalidArgument);
        assert_eq!(status(public.decapsulate(Kem::MlKem, &ciphertext)), Status::PsaErrorInvalidArgument);
        assert_ne!(public.encapsulate(Kem::MlKem).unwrap().1, secret, "every secret is fresh");
    }
    assert_eq!(status(generate(ML_DSA, 128).encapsulate(Kem::MlKem)), Status::PsaErrorInvalidArgument);
}

#[test]
fn hash_and_message_and_context_are_told_apart() {
    let key = generate(ML_DSA, 128);
    let prehashed = Signature::HashMlDsa { hash: Hash::Sha512.into() };
    let signature = key.sign_message(prehashed, b"message", b"mail").unwrap();
    key.verify_message(prehashed, b"message", &signature, b"mail").unwrap();
    let digest = hash::compute(Hash::Sha512, b"message").unwrap();
    key.verify_hash(prehashed, &digest, &signature, b"mail").unwrap();
    let other = Signature::HashMlDsa { hash: Hash::Sha3_512.into() };
    for refused in [
        key.verify_hash(other, &digest, &signature, b"mail"),
        key.verify_message(Signature::MlDsa, b"message", &signature, b"mail"),
        key.verify_message(Signature::MlDsa, &digest, &signature, b"mail"),
        key.verify_hash(prehashed, &digest, &signature, b""),
    ] {
        assert_eq!(status(refused), Status::PsaErrorInvalidSignature);
    }
    assert_eq!(status(key.sign_hash(Signature::MlDsa, &digest, b"")), Status::PsaErrorInvalidArgument, "it signs messages");
    assert_eq!(status(key.sign_message(Signature::MlDsa, b"m", &[0; 256])), Status::PsaErrorInvalidArgument);
    key.sign_message(Signature::MlDsa, b"m", &[0; 255]).unwrap();
    let ec = generate(super::P256, 256);
    let ecdsa = Signature::Ecdsa { hash: super::SHA256 };
    assert_eq!(status(ec.sign_message(ecdsa, b"m", b"mail")), Status::PsaErrorInvalidArgument, "ECDSA has no context");
}

#[test]
fn signatures_are_hedged() {
    let key = generate(ML_DSA, 192);
    let sign = || key.sign_message(Signature::MlDsa, b"message", b"").unwrap();
    assert_ne!(sign(), sign());
}

#[test]
fn a_seed_needs_its_size_and_what_is_no_key_is_refused() {
    for (key_type, bits) in [(ML_DSA, 256), (ML_KEM, 512)] {
        let seed = generate(key_type, bits).export().unwrap();
        let (found, _) = ParsedKey::import(&attributes(key_type, bits), &seed).unwrap();
        assert_eq!(found.bits, bits);
        assert_eq!(status(import(key_type, &seed)), Status::PsaErrorInvalidArgument);
        assert_eq!(status(import(key_type.public(), &[0; 77])), Status::PsaErrorInvalidArgument);
    }
    // a number above the modulus in the encoded vector (FIPS 203 §7.2)
    let public = import(KeyType::MlKemPublicKey, &[0xff; 800]).unwrap();
    assert_eq!(status(public.encapsulate(Kem::MlKem)), Status::PsaErrorInvalidArgument);
    assert_eq!(status(import(ML_KEM, &[0xff; 1632])), Status::PsaErrorInvalidArgument);
    assert_eq!(status(import(ML_DSA, &[0xff; 2560])), Status::PsaErrorInvalidArgument);
}
