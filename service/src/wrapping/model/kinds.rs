//! Kinds of keys, as far as the rules distinguish them, and the ways to use them.

use super::Caller;
use crate::key::{Decision, Key, Meta, Uuid};
use interface::algorithm::{Aead, AeadKind, Algorithm, Cipher, Derivation, Encryption, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::message::Pkcs11Attribute;
use interface::{KeyName, ProviderId, Used};

/// What sort of key it is, with all algorithms that its policy names: of those that do not conflict, more are never worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Family {
    /// AES, for everything.
    Aes,
    /// AES, for what authenticates.
    Sound,
    /// RSA, for everything, and that signs whatever it is told.
    Signing,
}

pub(super) const KW: Algorithm = Algorithm::Cipher(Cipher::KeyWrapPadded);
pub(super) const CBC: Algorithm = Algorithm::Cipher(Cipher::CbcPkcs7);
pub(super) const GCM: Algorithm = Algorithm::Aead(Aead { kind: AeadKind::Gcm, tag_len: None });
pub(super) const CTR: Algorithm = Algorithm::Cipher(Cipher::Ctr);
pub(super) const ECB: Algorithm = Algorithm::Cipher(Cipher::EcbNoPadding);
pub(super) const DIGEST: Algorithm = Algorithm::Derivation(Derivation::Digest { hash: Hash::Sha256 });
pub(super) const CONCATENATE: Algorithm = Algorithm::Derivation(Derivation::Concatenate);
pub(super) const BLOCK: Algorithm = Algorithm::Derivation(Derivation::Encrypt(Cipher::EcbNoPadding));
pub(super) const OAEP: Algorithm = Algorithm::Encryption(Encryption::RsaOaep { hash: Hash::Sha256 });
pub(super) const PKCS1: Algorithm = Algorithm::Encryption(Encryption::RsaPkcs1v15);
pub(super) const RAW: Algorithm = Algorithm::Signature(Signature::RsaRaw);

impl Family {
    pub(super) const fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Aes => &[KW, CBC, GCM, CTR, ECB, DIGEST, CONCATENATE, BLOCK],
            Self::Sound => &[KW, GCM, DIGEST, CONCATENATE],
            Self::Signing => &[OAEP, PKCS1, RAW],
        }
    }

    pub(super) fn attributes(self, usage: Usage) -> Attributes {
        let (key_type, bits) =
            if matches!(self, Self::Aes | Self::Sound) { (KeyType::Aes, 256) } else { (KeyType::RsaKeyPair, 2048) };
        let [algorithm, also @ ..] = self.algorithms() else { unreachable!() };
        Attributes { key_type, bits, policy: Policy { usage, algorithm: *algorithm, also: also.to_vec() } }
    }
}

/// All that the rules look at in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) owner: Caller,
    pub(super) family: Family,
    pub(super) usage: Usage,
    pub(super) past: Usage,
    pub(super) local: bool,
    pub(super) trusted: bool,
    /// To the caller who is not its owner.
    pub(super) granted: Usage,
}

/// The number of a [`Kind`].
pub(super) type Id = u16;

/// A way to use a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) usage: Usage,
    pub(super) algorithm: Option<Algorithm>,
    /// Under a nonce that the caller chooses.
    pub(super) nonce: bool,
}

const fn way(usage: Usage, algorithm: Algorithm) -> Way {
    Way { usage, algorithm: Some(algorithm), nonce: false }
}

/// Every way.
pub(super) const WAYS: [Way; 24] = [
    Way { usage: Usage::EXPORT, algorithm: None, nonce: false },
    Way { usage: Usage::COPY, algorithm: None, nonce: false },
    way(Usage::WRAP, KW),
    way(Usage::WRAP, CBC),
    way(Usage::WRAP, OAEP),
    way(Usage::WRAP, PKCS1),
    way(Usage::UNWRAP, KW),
    way(Usage::UNWRAP, CBC),
    way(Usage::UNWRAP, OAEP),
    way(Usage::UNWRAP, PKCS1),
    way(Usage::DECRYPT, KW),
    way(Usage::DECRYPT, CBC),
    way(Usage::DECRYPT, GCM),
    way(Usage::DECRYPT, CTR),
    way(Usage::DECRYPT, OAEP),
    way(Usage::DECRYPT, PKCS1),
    way(Usage::ENCRYPT, KW),
    Way { usage: Usage::ENCRYPT, algorithm: Some(GCM), nonce: true },
    Way { usage: Usage::ENCRYPT, algorithm: Some(CTR), nonce: true },
    way(Usage::ENCRYPT, ECB),
    way(Usage::DERIVE, DIGEST),
    way(Usage::DERIVE, CONCATENATE),
    way(Usage::DERIVE, BLOCK),
    way(Usage::SIGN_HASH, RAW),
];
/// The place of the right to leave among the ways.
pub(super) const COPY: usize = 1;

/// A set of ways.
pub(super) type Ways = u32;

impl Way {
    pub(super) fn used(&self) -> Used<'static> {
        Used { nonce: self.nonce, ..Used::new(KeyName { owner: None, name: "k" }, self.usage, self.algorithm) }
    }
}

/// PKCS#11 `CKA_TRUSTED`, set.
pub(super) fn trusted() -> Pkcs11Attribute {
    Pkcs11Attribute { kind: 0x86, value: vec![1] }
}

pub(super) fn ways_where(holds: impl Fn(&Way) -> bool) -> Ways {
    WAYS.iter().enumerate().filter(|(_, way)| holds(way)).fold(0, |ways, (place, _)| ways | 1 << place)
}

/// The ways of a set, by their place.
pub(super) fn each_way(ways: Ways) -> impl Iterator<Item = usize> {
    (0..WAYS.len()).filter(move |place| ways >> place & 1 != 0)
}

impl Kind {
    /// A key of this kind as the product has it.
    pub(super) fn key(&self, decided: Option<Decision>) -> Key {
        let pkcs11 = if self.trusted { vec![trusted()] } else { Vec::new() };
        let meta = Meta {
            uuid: Uuid::default(),
            provider: ProviderId::SOFTWARE,
            owner: self.owner.principal(),
            name: "k".to_owned(),
            label: String::new(),
            id: Vec::new(),
            pkcs11,
            created: 0,
        };
        let mut key = Key::new(meta, self.family.attributes(self.usage), self.local, self.past);
        key.past = self.past;
        if !self.granted.is_empty() {
            let other = if self.owner == Caller::Owner { Caller::Grantee } else { Caller::Owner };
            key.grants.insert(other.principal(), self.granted);
        }
        if let Some(decided) = decided {
            let _ = key.decided.set(decided);
        }
        key
    }

    /// A new key.
    pub(super) fn made(owner: Caller, family: Family, usage: Usage, local: bool) -> Self {
        Self { owner, family, usage, past: usage, local, trusted: false, granted: Usage::NONE }
    }
}
