//! The mechanisms: one table. Lists, infos and every `C_*Init` are read off it. What a token shows is the part of it that
//! its provider says it can do, so that what is listed works.

use cryptoki_sys::*;
use interface::Opcode;
use interface::algorithm::{Hash, SignHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::operations::CheckType;

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
}

/// A signature scheme, apart from its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    RsaPkcs1v15,
    RsaPss,
    Ecdsa,
    Eddsa,
}

/// The key pairs of one family, as far as the mechanisms distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    Ec,
    Edwards,
}

use Work::{Digest, Pair, Sign};

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
    pub(crate) fn of(key_type: KeyType) -> Option<Self> {
        Some(match key_type.public() {
            KeyType::RsaPublicKey => Self::Rsa,
            KeyType::EccPublicKey(EccFamily::TwistedEdwards) => Self::Edwards,
            KeyType::EccPublicKey(EccFamily::Montgomery) => return None,
            KeyType::EccPublicKey(_) => Self::Ec,
            _ => return None,
        })
    }

    /// The kinds of key that the module generates, smallest first.
    pub(crate) fn pairs(self) -> &'static [(KeyType, u32)] {
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
        }
    }

    fn flags(self) -> CK_FLAGS {
        match self {
            Self::Rsa => 0,
            Self::Ec => CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS,
            Self::Edwards => CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME,
        }
    }
}

/// A question to a provider: would it do this?
pub(crate) struct Question {
    /// The operation that it comes down to.
    pub(crate) opcode: Opcode,
    pub(crate) check: CheckType,
    pub(crate) attributes: Attributes,
}

/// What a provider answered: the part of the table that works on its token.
#[derive(Default)]
pub(crate) struct Abilities(Vec<(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)>);

impl Abilities {
    /// Asks a provider about all mechanisms. `can` answers a question, or fails if the provider cannot be asked.
    pub(crate) fn ask(mut can: impl FnMut(Question) -> Result<bool>) -> Result<Self> {
        let mut sizes = Vec::new();
        for family in [Family::Rsa, Family::Ec, Family::Edwards] {
            let mut able = Vec::new();
            for &(key_type, bits) in family.pairs() {
                let policy = signing_policy(family, Usage::SIGN | Usage::VERIFY);
                let attributes = Attributes {
                    key_type,
                    bits,
                    policy,
                };
                let (opcode, check) = (Opcode::GenerateKey, CheckType::Generate);
                if can(Question {
                    opcode,
                    check,
                    attributes,
                })? {
                    able.push((key_type, bits));
                }
            }
            sizes.push((family, able));
        }
        let mut list = Vec::new();
        for mechanism in all() {
            if let Some(info) = mechanism.info(&sizes, &mut can)? {
                list.push((mechanism.kind, info));
            }
        }
        Ok(Self(list))
    }

    pub(crate) fn kinds(&self) -> Vec<CK_MECHANISM_TYPE> {
        self.0.iter().map(|(kind, _)| *kind).collect()
    }

    pub(crate) fn info(&self, kind: CK_MECHANISM_TYPE) -> Result<CK_MECHANISM_INFO> {
        let found = self.0.iter().find(|(have, _)| *have == kind);
        found.map(|(_, info)| *info).ok_or(Error::MechanismInvalid)
    }
}

type Sizes = [(Family, Vec<(KeyType, u32)>)];

impl Mechanism {
    /// Flags and key sizes on a token whose provider generates keys of `sizes`; none when it cannot do this at all.
    fn info(
        &self,
        sizes: &Sizes,
        can: &mut impl FnMut(Question) -> Result<bool>,
    ) -> Result<Option<CK_MECHANISM_INFO>> {
        let (family, does) = match self.work {
            Digest(_) => return Ok(Some(mechanism_info(CKF_DIGEST, 0, 0))),
            Sign(scheme, _) => (scheme.family(), CKF_SIGN | CKF_VERIFY),
            Pair(family) => (family, CKF_GENERATE_KEY_PAIR),
        };
        let able = sizes.iter().find(|(have, _)| *have == family);
        let able = able.map(|(_, able)| able.as_slice()).unwrap_or_default();
        let (Some(&(key_type, min)), Some(&(_, max))) = (able.first(), able.last()) else {
            return Ok(None);
        };
        let mut flags = does;
        if let Sign(scheme, hash) = self.work {
            let probe = hash.unwrap_or(Hash::Sha256);
            let Some(algorithm) = scheme.algorithms(Some(probe)).next() else {
                return Ok(None);
            };
            let message = scheme == Scheme::Eddsa;
            let sign = if message {
                Opcode::SignMessage
            } else {
                Opcode::SignHash
            };
            let verify = if message {
                Opcode::VerifyMessage
            } else {
                Opcode::VerifyHash
            };
            for (flag, usage, opcode) in [
                (CKF_SIGN, Usage::SIGN, sign),
                (CKF_VERIFY, Usage::VERIFY, verify),
            ] {
                let policy = Policy {
                    usage,
                    algorithm: algorithm.into(),
                    also: vec![],
                };
                let attributes = Attributes {
                    key_type,
                    bits: min,
                    policy,
                };
                if !can(Question {
                    opcode,
                    check: CheckType::Use,
                    attributes,
                })? {
                    flags &= !flag;
                }
            }
            if flags == 0 {
                return Ok(None);
            }
        }
        Ok(Some(mechanism_info(flags | family.flags(), min, max)))
    }
}

fn mechanism_info(flags: CK_FLAGS, min: u32, max: u32) -> CK_MECHANISM_INFO {
    CK_MECHANISM_INFO {
        ulMinKeySize: min.into(),
        ulMaxKeySize: max.into(),
        flags,
    }
}

/// The policy of a key that signs, with every scheme of its family.
pub(crate) fn signing_policy(family: Family, usage: Usage) -> Policy {
    let any = SignHash::Any;
    let (algorithm, also): (_, &[Signature]) = match family {
        Family::Rsa => (
            Signature::RsaPkcs1v15 { hash: any },
            &[Signature::RsaPss { hash: any }, Signature::RsaPkcs1v15Raw],
        ),
        Family::Ec => (Signature::Ecdsa { hash: any }, &[Signature::EcdsaAny]),
        Family::Edwards => (Signature::PureEddsa, &[]),
    };
    Policy {
        usage,
        algorithm: algorithm.into(),
        also: also.iter().map(|&other| other.into()).collect(),
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

    #[test]
    fn a_token_shows_only_what_its_provider_can_do() {
        let abilities = Abilities::ask(|question| {
            let sha1 = question.attributes.policy.algorithm.hash() == Some(Hash::Sha1);
            let signs = question.opcode == Opcode::SignHash;
            Ok(
                question.attributes.key_type == KeyType::EccKeyPair(EccFamily::SecpR1)
                    && question.attributes.bits < 521
                    && !(sha1 && signs),
            )
        })
        .unwrap();
        assert!(abilities.info(CKM_RSA_PKCS).is_err());
        assert!(abilities.info(CKM_EDDSA).is_err());
        assert_eq!(abilities.info(CKM_SHA256).unwrap().flags, CKF_DIGEST);
        let ecdsa = abilities.info(CKM_ECDSA).unwrap();
        assert_eq!((ecdsa.ulMinKeySize, ecdsa.ulMaxKeySize), (256, 384));
        let curves = CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS;
        assert_eq!(ecdsa.flags, curves | CKF_SIGN | CKF_VERIFY);
        assert_eq!(
            abilities.info(CKM_ECDSA_SHA1).unwrap().flags,
            curves | CKF_VERIFY
        );
        let pair = abilities.info(CKM_EC_KEY_PAIR_GEN).unwrap();
        assert_eq!(pair.flags, curves | CKF_GENERATE_KEY_PAIR);
    }

    #[test]
    fn a_provider_that_does_not_answer_has_no_mechanisms() {
        assert!(Abilities::ask(|_| Err(Error::DeviceFailed)).is_err());
    }
}
