//! The kinds of keys that have a name: one row each, for the protocol, the file formats, both libraries and the command line.

use crate::attributes::{Attributes, EccFamily, KeyType};
use crate::policy::Job;
use crate::table::kinds;
use der::asn1::ObjectIdentifier;
use std::ffi::CStr;

/// A kind of key.
#[derive(Debug)]
pub struct KeyKind {
    /// The name that people type.
    pub name: &'static str,
    /// A pair or a secret key.
    pub key_type: KeyType,
    /// The size in bits.
    pub bits: u32,
    /// What a key of this kind is for, if the user does not say.
    pub job: Job,
    /// Whether people are offered it. The others are for programs that ask for them.
    pub offered: bool,
    /// An elliptic curve, or a parameter set.
    pub parameters: Option<Parameters>,
}

/// What an object identifier names in a public key: an elliptic curve, or a parameter set of ML-DSA or ML-KEM.
#[derive(Debug)]
pub struct Parameters {
    /// Of a Weierstrass curve: the parameter of `id-ecPublicKey`. Of all others: the algorithm itself (RFC 8410, RFC 9881, RFC 9935).
    pub oid: ObjectIdentifier,
    /// The type of the public key.
    pub key_type: KeyType,
    /// The size in bits.
    pub bits: u32,
    /// The name that OpenSSL prefers.
    pub openssl: &'static CStr,
    /// Length in bytes of a private key: the scalar or the seed.
    pub private_len: usize,
    /// Length in bytes of a public key; a point is not compressed.
    pub public_len: usize,
    /// Length in bytes of what a private key makes or takes: a signature (two numbers of ECDSA side by side), a secret that is agreed on, a
    /// ciphertext of ML-KEM.
    pub output_len: usize,
}

macro_rules! key_kinds {
    (@parameters) => {
        None
    };
    (@parameters $parameters:expr) => {
        Some($parameters)
    };
    (@offered) => {
        true
    };
    (@offered asked) => {
        false
    };
    ($($kind:ident $name:literal $job:ident $($asked:ident)? $bits:literal $key_type:expr
        $(, $oid:literal $openssl:literal $private_len:literal $public_len:literal $output_len:literal)?;)*) => {
        $(
            #[doc = concat!("`", $name, "`.")]
            pub static $kind: KeyKind = KeyKind {
                name: $name,
                key_type: $key_type,
                bits: $bits,
                job: Job::$job,
                offered: key_kinds!(@offered $($asked)?),
                parameters: key_kinds!(@parameters $(Parameters {
                    oid: ObjectIdentifier::new_unwrap($oid),
                    key_type: $key_type.public(),
                    bits: $bits,
                    openssl: $openssl,
                    private_len: $private_len,
                    public_len: $public_len,
                    output_len: $output_len,
                })?),
            };
        )*

        /// Every kind.
        pub static KINDS: &[&KeyKind] = &[$(&$kind),*];
    };
}

kinds!(key_kinds);

impl KeyKind {
    /// The kind that people call so, of those that they are offered.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::offered().find(|kind| kind.name == name)
    }

    /// The kinds that people are offered.
    pub fn offered() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().copied().filter(|kind| kind.offered)
    }

    /// The kind of a key, whichever half of a pair it is.
    pub fn of(key_type: KeyType, bits: u32) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.key_type == key_type.pair() && kind.bits == bits)
    }

    /// What a key of this kind for this job is; `None` if such keys cannot do the job.
    pub fn attributes(&self, job: Job) -> Option<Attributes> {
        Some(Attributes { key_type: self.key_type, bits: self.bits, policy: job.policy(self.key_type)? })
    }
}

impl Parameters {
    /// Every curve and parameter set.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().filter_map(|kind| kind.parameters.as_ref())
    }

    /// Every curve.
    pub fn curves() -> impl Iterator<Item = &'static Self> {
        Self::all().filter(|named| named.key_type.family().is_some())
    }

    /// Those of a key of this type and size, be it public or a pair.
    pub fn of(key_type: KeyType, bits: u32) -> Option<&'static Self> {
        KeyKind::of(key_type, bits)?.parameters.as_ref()
    }

    /// Those with this object identifier.
    pub fn by_oid(oid: ObjectIdentifier) -> Option<&'static Self> {
        Self::all().find(|named| named.oid == oid)
    }

    /// Whether keys are `id-ecPublicKey` with the curve as a parameter.
    pub fn weierstrass(&self) -> bool {
        self.key_type.family().is_some_and(EccFamily::weierstrass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_do_its_own_job() {
        for kind in KeyKind::offered() {
            let attributes = kind.attributes(kind.job).unwrap();
            assert!(!attributes.policy.usage.is_empty(), "{}", kind.name);
        }
    }

    #[test]
    fn every_kind_is_found_by_what_it_is() {
        for &kind in KINDS {
            for half in [kind.key_type, kind.key_type.public()] {
                assert_eq!(KeyKind::of(half, kind.bits).map(|found| found.name), Some(kind.name));
            }
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1);
        }
        for named in Parameters::all() {
            assert_eq!(Parameters::by_oid(named.oid).map(|found| found.openssl), Some(named.openssl));
            assert_eq!(Parameters::of(named.key_type, named.bits).map(|found| found.oid), Some(named.oid));
        }
    }

    #[test]
    fn points_are_two_coordinates_and_signatures_two_numbers() {
        for curve in Parameters::curves().filter(|curve| curve.weierstrass()) {
            let len = curve.bits.div_ceil(8) as usize;
            assert_eq!(
                (curve.private_len, curve.public_len, curve.output_len),
                (len, 1 + 2 * len, 2 * len),
                "{:?}",
                curve.openssl
            );
        }
    }
}
