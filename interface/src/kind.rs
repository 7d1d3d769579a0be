//! The kinds of keys that have a name: one row each, for the protocol, the file formats, both libraries and the command line.

use crate::attributes::{Attributes, EccFamily, KeyType};
use crate::policy::Job;
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

macro_rules! kinds {
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
                offered: kinds!(@offered $($asked)?),
                parameters: kinds!(@parameters $(Parameters {
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

kinds! {
    // kind     name          what for      bits key type; object identifier, name for OpenSSL, lengths (private, public, output)
    P192        "p192"        Sign asked    192  KeyType::EccKeyPair(EccFamily::SecpR1), "1.2.840.10045.3.1.1" c"prime192v1" 24 49 48;
    P224        "p224"        Sign asked    224  KeyType::EccKeyPair(EccFamily::SecpR1), "1.3.132.0.33" c"secp224r1" 28 57 56;
    P256        "p256"        Sign          256  KeyType::EccKeyPair(EccFamily::SecpR1), "1.2.840.10045.3.1.7" c"prime256v1" 32 65 64;
    P384        "p384"        Sign          384  KeyType::EccKeyPair(EccFamily::SecpR1), "1.3.132.0.34" c"secp384r1" 48 97 96;
    P521        "p521"        Sign          521  KeyType::EccKeyPair(EccFamily::SecpR1), "1.3.132.0.35" c"secp521r1" 66 133 132;
    SECP256K1   "secp256k1"   Sign          256  KeyType::EccKeyPair(EccFamily::SecpK1), "1.3.132.0.10" c"secp256k1" 32 65 64;
    ED25519     "ed25519"     Sign          255  KeyType::EccKeyPair(EccFamily::TwistedEdwards), "1.3.101.112" c"ED25519" 32 32 64;
    ED448       "ed448"       Sign          448  KeyType::EccKeyPair(EccFamily::TwistedEdwards), "1.3.101.113" c"ED448" 57 57 114;
    ML_DSA_44   "ml-dsa-44"   Sign          128  KeyType::MlDsaKeyPair, "2.16.840.1.101.3.4.3.17" c"ML-DSA-44" 32 1312 2420;
    ML_DSA_65   "ml-dsa-65"   Sign          192  KeyType::MlDsaKeyPair, "2.16.840.1.101.3.4.3.18" c"ML-DSA-65" 32 1952 3309;
    ML_DSA_87   "ml-dsa-87"   Sign          256  KeyType::MlDsaKeyPair, "2.16.840.1.101.3.4.3.19" c"ML-DSA-87" 32 2592 4627;
    RSA_1024    "rsa-1024"    Sign asked    1024 KeyType::RsaKeyPair;
    RSA_2048    "rsa-2048"    Sign          2048 KeyType::RsaKeyPair;
    RSA_3072    "rsa-3072"    Sign          3072 KeyType::RsaKeyPair;
    RSA_4096    "rsa-4096"    Sign          4096 KeyType::RsaKeyPair;
    X25519      "x25519"      Agree         255  KeyType::EccKeyPair(EccFamily::Montgomery), "1.3.101.110" c"X25519" 32 32 32;
    ML_KEM_512  "ml-kem-512"  Decrypt       512  KeyType::MlKemKeyPair, "2.16.840.1.101.3.4.4.1" c"ML-KEM-512" 64 800 768;
    ML_KEM_768  "ml-kem-768"  Decrypt       768  KeyType::MlKemKeyPair, "2.16.840.1.101.3.4.4.2" c"ML-KEM-768" 64 1184 1088;
    ML_KEM_1024 "ml-kem-1024" Decrypt       1024 KeyType::MlKemKeyPair, "2.16.840.1.101.3.4.4.3" c"ML-KEM-1024" 64 1568 1568;
    AES_128     "aes-128"     Encrypt       128  KeyType::Aes;
    AES_192     "aes-192"     Encrypt asked 192  KeyType::Aes;
    AES_256     "aes-256"     Encrypt       256  KeyType::Aes;
    CHACHA20    "chacha20"    Encrypt       256  KeyType::ChaCha20;
    HMAC_SHA256 "hmac-sha256" Authenticate  256  KeyType::Hmac;
}

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
        let others = [EccFamily::TwistedEdwards, EccFamily::Montgomery];
        self.key_type.family().is_some_and(|family| !others.contains(&family))
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
