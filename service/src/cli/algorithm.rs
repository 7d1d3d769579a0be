//! Keys and algorithms, as people write them.

use interface::algorithm::{Aead, Algorithm, Encryption, Hash, Kem, KeyAgreement, Mac, MacKind};
use interface::attributes::KeyType;
use interface::kind::KeyKind;

/// The name of a kind of key; one that has no name here is described.
pub(crate) fn name(key_type: KeyType, bits: u32) -> String {
    KeyKind::of(key_type, bits).map_or_else(
        || {
            let kind = match key_type {
                KeyType::RsaKeyPair | KeyType::RsaPublicKey => "rsa".to_owned(),
                KeyType::EccKeyPair(family) | KeyType::EccPublicKey(family) => format!("{family:?}").to_lowercase(),
                KeyType::DhKeyPair(_) | KeyType::DhPublicKey(_) => "dh".to_owned(),
                KeyType::DsaKeyPair | KeyType::DsaPublicKey => "dsa".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            };
            format!("{kind}-{bits}")
        },
        |kind| kind.name.to_owned(),
    )
}

/// An algorithm of a policy, as people write it.
pub(crate) fn describe(algorithm: Algorithm) -> String {
    let with = |scheme: &str, hash: Option<Hash>| match hash {
        None => scheme.to_owned(),
        Some(hash) => format!("{scheme}-{hash:?}").to_lowercase(),
    };
    match algorithm {
        Algorithm::Signature(signature) => with(signature.name(), signature.chosen_hash()),
        Algorithm::Encryption(Encryption::RsaPkcs1v15) => "rsa-pkcs1-encryption".to_owned(),
        Algorithm::Encryption(Encryption::RsaOaep { hash } | Encryption::RsaOaepWith { hash, .. }) => {
            with("rsa-oaep", Some(hash))
        }
        Algorithm::Encryption(Encryption::RsaRaw) => "rsa-raw-encryption".to_owned(),
        Algorithm::Aead(Aead { kind, .. }) => format!("{kind:?}").to_lowercase(),
        Algorithm::Cipher(cipher) => format!("{cipher:?}").to_lowercase(),
        Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, .. }) => with("hmac", Some(hash)),
        Algorithm::Mac(Mac { kind, .. }) => format!("{kind:?}").to_lowercase(),
        Algorithm::Agreement(KeyAgreement::Raw(agreement)) => format!("{agreement:?}").to_lowercase(),
        Algorithm::Kem(Kem::MlKem) => "ml-kem".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}
