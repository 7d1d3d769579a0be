//! The types of secret keys, as CKA_KEY_TYPE names them: more than there are families, as some are of one size or for one use only.

use cryptoki_sys::*;
use interface::algorithm::Hash;
use interface::attributes::{Attributes, Policy};

use crate::mechanism::table::hashes;
use crate::mechanism::{self, Family, SignatureScheme};

/// One type.
pub(crate) struct SecretType {
    pub(crate) kind: CK_KEY_TYPE,
    pub(crate) family: Family,
    /// The size of all its keys.
    pub(crate) bits: Option<u32>,
    /// The hash of the only HMAC that its keys make.
    pub(crate) hash: Option<Hash>,
}

const TABLE: &[SecretType] = &[
    row(CKK_AES, Family::Aes),
    row(CKK_GENERIC_SECRET, Family::Generic),
    row(CKK_HKDF, Family::Hkdf),
    row(CKK_CHACHA20, Family::ChaCha20),
    triple_des(CKK_DES2, 128),
    triple_des(CKK_DES3, 192),
];

macro_rules! hmac_types {
    ($($hash:ident $digest:ident $hmac:ident $cut:ident $kind:ident $generator:ident $(, $($rest:ident)*)*;)*) => {
        /// Keys for one HMAC alone.
        const HMACS: &[SecretType] = &[$(SecretType { hash: Some(Hash::$hash), ..row($kind, Family::Generic) }),*];
    };
}

hashes!(hmac_types);

const fn row(kind: CK_KEY_TYPE, family: Family) -> SecretType {
    SecretType { kind, family, bits: None, hash: None }
}

const fn triple_des(kind: CK_KEY_TYPE, bits: u32) -> SecretType {
    SecretType { bits: Some(bits), ..row(kind, Family::Des) }
}

impl SecretType {
    fn all() -> impl DoubleEndedIterator<Item = &'static Self> {
        TABLE.iter().chain(HMACS)
    }

    /// The type of this number.
    pub(crate) fn named(kind: CK_KEY_TYPE) -> Option<&'static Self> {
        Self::all().find(|row| row.kind == kind)
    }

    /// The type that such keys are made as, whatever their policy.
    pub(crate) fn widest(attributes: &Attributes) -> Option<&'static Self> {
        TABLE.iter().find(|row| row.holds(attributes))
    }

    /// The type that says most of such a key: one whose policy is HMAC with one hash and nothing else is of the type for that.
    pub(crate) fn of(attributes: &Attributes) -> Option<&'static Self> {
        let only = |hash| attributes.policy.algorithms().eq(SignatureScheme::Hmac.algorithms(Some(hash)));
        Self::all().rev().find(|row| row.holds(attributes) && row.hash.is_none_or(only))
    }

    fn holds(&self, attributes: &Attributes) -> bool {
        Family::of(attributes.key_type) == Some(self.family) && self.bits.is_none_or(|bits| bits == attributes.bits)
    }

    /// The sizes of the keys that the module generates, smallest first.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        let all = self.family.keys().into_iter().map(|kind| kind.1);
        all.filter(|bits| self.bits.is_none_or(|own| own == *bits)).collect()
    }

    /// What is left of a policy in a key of this type.
    pub(crate) fn narrow(&self, policy: Policy) -> Policy {
        match self.hash {
            Some(hash) => mechanism::policy(policy.usage, policy.algorithms().filter(|algorithm| algorithm.hash() == Some(hash))),
            None => policy,
        }
    }
}
