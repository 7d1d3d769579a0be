//! Kinds of keys by the names that people type, and what a key of each kind is for.

use interface::algorithm::{Aead, AeadKind, Agreement, Algorithm, Encryption, Hash, Kem, Mac, MacKind, SignHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};

/// What a key does for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Sign,
    Decrypt,
    Agree,
    Encrypt,
    Authenticate,
}

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
        Some(Attributes { key_type: self.key_type, bits: self.bits, policy: policy(self.key_type, job)? })
    }
}

/// The policy of a key of this type for this job.
pub(crate) fn policy(key_type: KeyType, job: Job) -> Option<Policy> {
    let any = SignHash::Any;
    let hash = Hash::Sha256;
    let (algorithm, also): (Algorithm, Vec<Algorithm>) = match (job, key_type) {
        (Job::Sign, KeyType::RsaKeyPair) => {
            (Signature::RsaPkcs1v15 { hash: any }.into(), vec![Signature::RsaPss { hash: any }.into()])
        }
        (Job::Sign, KeyType::EccKeyPair(EccFamily::TwistedEdwards)) => (Signature::PureEddsa.into(), vec![]),
        (Job::Sign, KeyType::EccKeyPair(family)) if family != EccFamily::Montgomery => {
            (Signature::Ecdsa { hash: any }.into(), vec![Signature::EcdsaAny.into()])
        }
        (Job::Sign, KeyType::MlDsaKeyPair) => (Signature::MlDsa.into(), vec![Signature::HashMlDsa { hash: any }.into()]),
        (Job::Decrypt, KeyType::MlKemKeyPair) => (Kem::MlKem.into(), vec![]),
        (Job::Decrypt, KeyType::RsaKeyPair) => (Encryption::RsaOaep { hash }.into(), vec![]),
        (Job::Agree, KeyType::EccKeyPair(family)) if family != EccFamily::TwistedEdwards => (Agreement::Ecdh.into(), vec![]),
        (Job::Encrypt, KeyType::Aes | KeyType::ChaCha20) => {
            let kind = if key_type == KeyType::Aes { AeadKind::Gcm } else { AeadKind::ChaCha20Poly1305 };
            (Aead { kind, tag_len: None }.into(), vec![])
        }
        (Job::Authenticate, KeyType::Hmac) => {
            let kind = MacKind::Hmac { hash };
            (Mac { kind, len: None }.into(), vec![])
        }
        _ => return None,
    };
    let usage = match job {
        Job::Sign if algorithm == Signature::PureEddsa.into() => Usage::SIGN_MESSAGE | Usage::VERIFY_MESSAGE,
        Job::Sign => Usage::SIGN | Usage::VERIFY,
        Job::Decrypt | Job::Encrypt => Usage::ENCRYPT | Usage::DECRYPT,
        Job::Agree => Usage::DERIVE,
        Job::Authenticate => Usage::SIGN_MESSAGE | Usage::VERIFY_MESSAGE,
    };
    Some(Policy { usage, algorithm, also })
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
            other => format!("{other:?}").to_lowercase(),
        };
        format!("{kind}-{bits}")
    })
}

/// An algorithm of a policy, as people write it.
pub(crate) fn describe(algorithm: Algorithm) -> String {
    let with = |scheme: &str, hash: SignHash| match hash {
        SignHash::Any => scheme.to_owned(),
        SignHash::Specific(hash) => format!("{scheme}-{hash:?}").to_lowercase(),
    };
    match algorithm {
        Algorithm::Signature(signature) => match signature {
            Signature::RsaPkcs1v15 { hash } => with("rsa-pkcs1", hash),
            Signature::RsaPkcs1v15Raw => "rsa-pkcs1-raw".to_owned(),
            Signature::RsaPss { hash } => with("rsa-pss", hash),
            Signature::Ecdsa { hash } => with("ecdsa", hash),
            Signature::EcdsaAny => "ecdsa-raw".to_owned(),
            Signature::DeterministicEcdsa { hash } => with("ecdsa-deterministic", hash),
            Signature::PureEddsa => "eddsa".to_owned(),
            Signature::MlDsa => "ml-dsa".to_owned(),
            Signature::HashMlDsa { hash } => with("hash-ml-dsa", hash),
        },
        Algorithm::Encryption(Encryption::RsaPkcs1v15) => "rsa-pkcs1-encryption".to_owned(),
        Algorithm::Encryption(Encryption::RsaOaep { hash }) => with("rsa-oaep", hash.into()),
        Algorithm::Aead(Aead { kind, .. }) => format!("{kind:?}").to_lowercase(),
        Algorithm::Cipher(cipher) => format!("{cipher:?}").to_lowercase(),
        Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, .. }) => with("hmac", hash.into()),
        Algorithm::Mac(Mac { kind, .. }) => format!("{kind:?}").to_lowercase(),
        Algorithm::Agreement(agreement) => format!("{agreement:?}").to_lowercase(),
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

    #[test]
    fn keys_do_no_job_that_is_not_theirs() {
        for (kind, job) in [("ed25519", Job::Decrypt), ("ed25519", Job::Agree), ("x25519", Job::Sign), ("aes-256", Job::Sign)] {
            assert!(Kind::named(kind).unwrap().attributes(job).is_none(), "{kind}");
        }
    }

    #[test]
    fn an_rsa_signing_key_serves_both_versions_of_tls() {
        let policy = policy(KeyType::RsaKeyPair, Job::Sign).unwrap();
        let hash = Hash::Sha256.into();
        assert!(policy.permits(Signature::RsaPkcs1v15 { hash }.into()));
        assert!(policy.permits(Signature::RsaPss { hash }.into()));
        assert!(!policy.permits(Encryption::RsaPkcs1v15.into()));
    }
}
