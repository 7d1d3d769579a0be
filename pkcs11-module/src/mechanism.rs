//! The mechanisms: one table. Lists, infos and every `C_*Init` are read off it. What a token shows is the part of it that
//! its provider says it can do, so that what is listed works.

use cryptoki_sys::*;
use interface::algorithm::{Algorithm, Hash, SignHash, Signature};
use interface::attributes::{EccFamily, KeyType, Policy, Usage};

use crate::error::{Error, Result};

/// One mechanism.
pub(crate) struct Mechanism {
    pub(crate) kind: CK_MECHANISM_TYPE,
    pub(crate) work: Work,
}

/// What a mechanism does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Computed in the module.
    Digest(Hash),
    /// Signs and verifies; the hash is the one that the mechanism itself applies.
    Sign(Scheme, Option<Hash>),
    /// Generates a key pair.
    Pair(Family),
    /// Generates a secret key.
    Secret(Family),
}

/// A signature scheme, apart from its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    RsaPkcs1v15,
    RsaPss,
    Ecdsa,
    Eddsa,
}

/// The keys of one family, as far as the mechanisms distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    Ec,
    Edwards,
    Aes,
    /// Secrets of any length; they make HMACs.
    Generic,
    ChaCha20,
}

use Work::{Digest, Pair, Secret, Sign};

const TABLE: &[Mechanism] = &[
    row(CKM_SHA_1, Digest(Hash::Sha1)),
    row(CKM_SHA224, Digest(Hash::Sha224)),
    row(CKM_SHA256, Digest(Hash::Sha256)),
    row(CKM_SHA384, Digest(Hash::Sha384)),
    row(CKM_SHA512, Digest(Hash::Sha512)),
    row(CKM_SHA512_224, Digest(Hash::Sha512_224)),
    row(CKM_SHA512_256, Digest(Hash::Sha512_256)),
    row(CKM_SHA3_224, Digest(Hash::Sha3_224)),
    row(CKM_SHA3_256, Digest(Hash::Sha3_256)),
    row(CKM_SHA3_384, Digest(Hash::Sha3_384)),
    row(CKM_SHA3_512, Digest(Hash::Sha3_512)),
    row(CKM_RSA_PKCS, Sign(Scheme::RsaPkcs1v15, None)),
    row(
        CKM_SHA1_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha1)),
    ),
    row(
        CKM_SHA224_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha224)),
    ),
    row(
        CKM_SHA256_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha256)),
    ),
    row(
        CKM_SHA384_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha384)),
    ),
    row(
        CKM_SHA512_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha512)),
    ),
    row(
        CKM_SHA3_224_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha3_224)),
    ),
    row(
        CKM_SHA3_256_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha3_256)),
    ),
    row(
        CKM_SHA3_384_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha3_384)),
    ),
    row(
        CKM_SHA3_512_RSA_PKCS,
        Sign(Scheme::RsaPkcs1v15, Some(Hash::Sha3_512)),
    ),
    row(CKM_RSA_PKCS_PSS, Sign(Scheme::RsaPss, None)),
    row(
        CKM_SHA1_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha1)),
    ),
    row(
        CKM_SHA224_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha224)),
    ),
    row(
        CKM_SHA256_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha256)),
    ),
    row(
        CKM_SHA384_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha384)),
    ),
    row(
        CKM_SHA512_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha512)),
    ),
    row(
        CKM_SHA3_224_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha3_224)),
    ),
    row(
        CKM_SHA3_256_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha3_256)),
    ),
    row(
        CKM_SHA3_384_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha3_384)),
    ),
    row(
        CKM_SHA3_512_RSA_PKCS_PSS,
        Sign(Scheme::RsaPss, Some(Hash::Sha3_512)),
    ),
    row(CKM_ECDSA, Sign(Scheme::Ecdsa, None)),
    row(CKM_ECDSA_SHA1, Sign(Scheme::Ecdsa, Some(Hash::Sha1))),
    row(CKM_ECDSA_SHA224, Sign(Scheme::Ecdsa, Some(Hash::Sha224))),
    row(CKM_ECDSA_SHA256, Sign(Scheme::Ecdsa, Some(Hash::Sha256))),
    row(CKM_ECDSA_SHA384, Sign(Scheme::Ecdsa, Some(Hash::Sha384))),
    row(CKM_ECDSA_SHA512, Sign(Scheme::Ecdsa, Some(Hash::Sha512))),
    row(
        CKM_ECDSA_SHA3_224,
        Sign(Scheme::Ecdsa, Some(Hash::Sha3_224)),
    ),
    row(
        CKM_ECDSA_SHA3_256,
        Sign(Scheme::Ecdsa, Some(Hash::Sha3_256)),
    ),
    row(
        CKM_ECDSA_SHA3_384,
        Sign(Scheme::Ecdsa, Some(Hash::Sha3_384)),
    ),
    row(
        CKM_ECDSA_SHA3_512,
        Sign(Scheme::Ecdsa, Some(Hash::Sha3_512)),
    ),
    row(CKM_EDDSA, Sign(Scheme::Eddsa, None)),
    row(CKM_RSA_PKCS_KEY_PAIR_GEN, Pair(Family::Rsa)),
    row(CKM_EC_KEY_PAIR_GEN, Pair(Family::Ec)),
    row(CKM_EC_EDWARDS_KEY_PAIR_GEN, Pair(Family::Edwards)),
    row(CKM_AES_KEY_GEN, Secret(Family::Aes)),
    row(CKM_GENERIC_SECRET_KEY_GEN, Secret(Family::Generic)),
    row(CKM_CHACHA20_KEY_GEN, Secret(Family::ChaCha20)),
];

const fn row(kind: CK_MECHANISM_TYPE, work: Work) -> Mechanism {
    Mechanism { kind, work }
}

/// Every mechanism of the module.
pub(crate) fn all() -> impl Iterator<Item = &'static Mechanism> {
    TABLE.iter()
}

pub(crate) fn find(kind: CK_MECHANISM_TYPE) -> Result<&'static Mechanism> {
    all()
        .find(|mechanism| mechanism.kind == kind)
        .ok_or(Error::MechanismInvalid)
}

/// The hash that a mechanism parameter names.
pub(crate) fn hash(kind: CK_MECHANISM_TYPE) -> Option<Hash> {
    match find(kind).ok()?.work {
        Digest(hash) => Some(hash),
        _ => None,
    }
}

/// The MGF1 of a hash, as mechanism parameters name it.
pub(crate) fn mgf1(hash: Hash) -> Option<CK_RSA_PKCS_MGF_TYPE> {
    Some(match hash {
        Hash::Sha1 => CKG_MGF1_SHA1,
        Hash::Sha224 => CKG_MGF1_SHA224,
        Hash::Sha256 => CKG_MGF1_SHA256,
        Hash::Sha384 => CKG_MGF1_SHA384,
        Hash::Sha512 => CKG_MGF1_SHA512,
        Hash::Sha3_224 => CKG_MGF1_SHA3_224,
        Hash::Sha3_256 => CKG_MGF1_SHA3_256,
        Hash::Sha3_384 => CKG_MGF1_SHA3_384,
        Hash::Sha3_512 => CKG_MGF1_SHA3_512,
        _ => return None,
    })
}

impl Scheme {
    pub(crate) fn family(self) -> Family {
        match self {
            Self::RsaPkcs1v15 | Self::RsaPss => Family::Rsa,
            Self::Ecdsa => Family::Ec,
            Self::Eddsa => Family::Edwards,
        }
    }

    /// The algorithms, best first, that make a signature of this scheme over a digest of `hash`, or over a digest of unknown
    /// origin.
    pub(crate) fn algorithms(self, hash: Option<Hash>) -> impl Iterator<Item = Signature> {
        let named = hash.map(SignHash::Specific);
        let algorithms = match (self, named) {
            (Self::RsaPkcs1v15, Some(hash)) => [Some(Signature::RsaPkcs1v15 { hash }), None, None],
            (Self::RsaPkcs1v15, None) => [Some(Signature::RsaPkcs1v15Raw), None, None],
            (Self::RsaPss, hash) => [hash.map(|hash| Signature::RsaPss { hash }), None, None],
            (Self::Ecdsa, hash) => [
                hash.map(|hash| Signature::Ecdsa { hash }),
                hash.map(|hash| Signature::DeterministicEcdsa { hash }),
                Some(Signature::EcdsaAny),
            ],
            (Self::Eddsa, _) => [Some(Signature::PureEddsa), None, None],
        };
        algorithms.into_iter().flatten()
    }

    /// Whether a policy permits some algorithm that a mechanism of this scheme and hash leads to.
    pub(crate) fn permitted(self, hash: Option<Hash>, policy: &Policy) -> bool {
        let open = hash.is_none();
        let hashes = Hash::ALL
            .iter()
            .copied()
            .map(Some)
            .filter(|&any| open || any == hash);
        let mut algorithms = hashes.chain([hash]).flat_map(|hash| self.algorithms(hash));
        algorithms.any(|algorithm| policy.permits(algorithm.into()))
    }
}

impl Family {
    pub(crate) const ALL: [Self; 6] = [
        Self::Rsa,
        Self::Ec,
        Self::Edwards,
        Self::Aes,
        Self::Generic,
        Self::ChaCha20,
    ];

    pub(crate) fn of(key_type: KeyType) -> Option<Self> {
        Some(match key_type.public() {
            KeyType::RsaPublicKey => Self::Rsa,
            KeyType::EccPublicKey(EccFamily::TwistedEdwards) => Self::Edwards,
            KeyType::EccPublicKey(EccFamily::Montgomery) => return None,
            KeyType::EccPublicKey(_) => Self::Ec,
            KeyType::Aes => Self::Aes,
            KeyType::Hmac => Self::Generic,
            KeyType::ChaCha20 => Self::ChaCha20,
            _ => return None,
        })
    }

    /// The kinds of key that the module generates, smallest first.
    pub(crate) fn keys(self) -> &'static [(KeyType, u32)] {
        use EccFamily::{SecpK1, SecpR1, TwistedEdwards};
        match self {
            Self::Rsa => &[
                (KeyType::RsaKeyPair, 2048),
                (KeyType::RsaKeyPair, 3072),
                (KeyType::RsaKeyPair, 4096),
            ],
            Self::Ec => &[
                (KeyType::EccKeyPair(SecpR1), 256),
                (KeyType::EccKeyPair(SecpK1), 256),
                (KeyType::EccKeyPair(SecpR1), 384),
                (KeyType::EccKeyPair(SecpR1), 521),
            ],
            Self::Edwards => &[(KeyType::EccKeyPair(TwistedEdwards), 255)],
            Self::Aes => &[
                (KeyType::Aes, 128),
                (KeyType::Aes, 192),
                (KeyType::Aes, 256),
            ],
            Self::Generic => &[(KeyType::Hmac, 8), (KeyType::Hmac, 0xfff8)],
            Self::ChaCha20 => &[(KeyType::ChaCha20, 256)],
        }
    }

    /// The mechanism that generates its keys.
    pub(crate) fn generator(self) -> Option<CK_MECHANISM_TYPE> {
        let generates = |mechanism: &&Mechanism| matches!(mechanism.work, Pair(family) | Secret(family) if family == self);
        all().find(generates).map(|mechanism| mechanism.kind)
    }

    /// A key's size as mechanism infos have it: secret keys are counted in bytes.
    pub(crate) fn size(self, bits: u32) -> u32 {
        match self {
            Self::Rsa | Self::Ec | Self::Edwards => bits,
            Self::Aes | Self::Generic | Self::ChaCha20 => bits / 8,
        }
    }

    pub(crate) fn flags(self) -> CK_FLAGS {
        match self {
            Self::Ec => CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS,
            Self::Edwards => CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME,
            _ => 0,
        }
    }
}

/// The policy of a key that signs, with every scheme of its family.
pub(crate) fn signing_policy(family: Family, usage: Usage) -> Policy {
    let any = SignHash::Any;
    let algorithms: &[Signature] = match family {
        Family::Rsa => &[
            Signature::RsaPkcs1v15 { hash: any },
            Signature::RsaPss { hash: any },
            Signature::RsaPkcs1v15Raw,
        ],
        Family::Ec => &[Signature::Ecdsa { hash: any }, Signature::EcdsaAny],
        Family::Edwards => &[Signature::PureEddsa],
        Family::Aes | Family::Generic | Family::ChaCha20 => &[],
    };
    policy(usage, algorithms.iter().map(|&algorithm| algorithm.into()))
}

/// The policy that permits these algorithms.
pub(crate) fn policy(usage: Usage, algorithms: impl IntoIterator<Item = Algorithm>) -> Policy {
    let mut algorithms = algorithms.into_iter();
    Policy {
        usage,
        algorithm: algorithms.next().unwrap_or(Algorithm::None),
        also: algorithms.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_stands_there_once() {
        for (i, mechanism) in all().enumerate() {
            assert!(all().skip(i + 1).all(|other| other.kind != mechanism.kind));
            assert_eq!(find(mechanism.kind).unwrap().work, mechanism.work);
        }
    }
}
