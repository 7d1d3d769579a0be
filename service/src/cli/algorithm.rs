//! Kinds of keys by the names that people type, and what a key of each kind is for.

use interface::algorithm::{Aead, Algorithm, Encryption, Hash, Kem, KeyAgreement, Mac, MacKind};
use interface::attributes::{Attributes, EccFamily, KeyType};
use interface::policy::Job;

/// One kind of key.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) key_type: KeyType,
    pub(crate) bits: u32,
    /// What it is for, where the user does not say.
    pub(crate) job: Job,
}

macro_rules! kinds {
    ($($name:literal $job:ident $bits:literal $key_type:expr;)*) => {
        /// Every kind that has a name.
        pub(crate) const KINDS: &[Kind] =
            &[$(Kind { name: $name, key_type: $key_type, bits: $bits, job: Job::$job }),*];
    };
}

kinds! {
    "p256"        Sign         256  KeyType::EccKeyPair(EccFamily::SecpR1);
    "p384"        Sign         384  KeyType::EccKeyPair(EccFamily::SecpR1);
    "p521"        Sign         521  KeyType::EccKeyPair(EccFamily::SecpR1);
    "secp256k1"   Sign         256  KeyType::EccKeyPair(EccFamily::SecpK1);
    "ed25519"     Sign         255  KeyType::EccKeyPair(EccFamily::TwistedEdwards);
    "ed448"       Sign         448  KeyType::EccKeyPair(EccFamily::TwistedEdwards);
    "ml-dsa-44"   Sign         128  KeyType::MlDsaKeyPair;
    "ml-dsa-65"   Sign         192  KeyType::MlDsaKeyPair;
    "ml-dsa-87"   Sign         256  KeyType::MlDsaKeyPair;
    "rsa-2048"    Sign         2048 KeyType::RsaKeyPair;
    "rsa-3072"    Sign         3072 KeyType::RsaKeyPair;
    "rsa-4096"    Sign         4096 KeyType::RsaKeyPair;
    "x25519"      Agree        255  KeyType::EccKeyPair(EccFamily::Montgomery);
    "ml-kem-512"  Decrypt      512  KeyType::MlKemKeyPair;
    "ml-kem-768"  Decrypt      768  KeyType::MlKemKeyPair;
    "ml-kem-1024" Decrypt      1024 KeyType::MlKemKeyPair;
    "aes-128"     Encrypt      128  KeyType::Aes;
    "aes-256"     Encrypt      256  KeyType::Aes;
    "chacha20"    Encrypt      256  KeyType::ChaCha20;
    "hmac-sha256" Authenticate 256  KeyType::Hmac;
}

impl Kind {
    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// What a key of this kind for this job is; `None` where such keys cannot do the job.
    pub(crate) fn attributes(&self, job: Job) -> Option<Attributes> {
        Some(Attributes { key_type: self.key_type, bits: self.bits, policy: job.policy(self.key_type)? })
    }
}

/// The name of a kind of key; one that has no name here is described.
pub(crate) fn name(key_type: KeyType, bits: u32) -> String {
    let pair = |kind: &&Kind| (kind.key_type == key_type || kind.key_type.public() == key_type) && kind.bits == bits;
    let known = KINDS.iter().find(pair).map(|kind| kind.name.to_owned());
    known.unwrap_or_else(|| {
        let kind = match key_type {
            KeyType::RsaKeyPair | KeyType::RsaPublicKey => "rsa".to_owned(),
            KeyType::EccKeyPair(family) | KeyType::EccPublicKey(family) => format!("{family:?}").to_lowercase(),
            KeyType::DhKeyPair(_) | KeyType::DhPublicKey(_) => "dh".to_owned(),
            KeyType::DsaKeyPair | KeyType::DsaPublicKey => "dsa".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        format!("{kind}-{bits}")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_do_its_own_job() {
        for kind in KINDS {
            let attributes = kind.attributes(kind.job).unwrap();
            assert!(!attributes.policy.usage.is_empty(), "{}", kind.name);
            assert_eq!(name(attributes.key_type, attributes.bits), kind.name);
            assert_eq!(name(attributes.key_type.public(), kind.bits), kind.name);
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1);
        }
    }
}
