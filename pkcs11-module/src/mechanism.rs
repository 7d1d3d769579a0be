//! The mechanisms: one table. Lists, infos and every `C_*Init` are read off it. What a token shows is the part of it that
//! its provider says it can do, so that what is listed works.

mod family;
pub(crate) mod parameters;
mod scheme;
pub(crate) mod secret;
mod table;

pub(crate) use family::{Family, Form};
pub(crate) use scheme::{Kdf, Mode, ParameterKind, SignatureScheme};

use cryptoki_sys::*;
use interface::Opcode;
use interface::algorithm::{AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Kem, KeyAgreement, Signature};
use interface::attributes::{Attributes, Policy, Usage};
use interface::policy::Job;

use crate::error::{Error, Result};
use secret::SecretType;
use table::{families, hashes};

/// One mechanism.
pub(crate) struct MechanismRow {
    pub(crate) kind: CK_MECHANISM_TYPE,
    pub(crate) work: Work,
}

/// What a mechanism does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Computed in the module.
    Digest(Hash),
    /// Signs and verifies; the hash is the one that the mechanism itself applies.
    Sign(SignatureScheme, Option<Hash>),
    /// Encrypts and decrypts.
    Encrypt(Mode),
    /// Wraps and unwraps.
    Wrap(Mode),
    /// Encapsulates and decapsulates a secret key.
    Encapsulate(Kem),
    /// Derives a secret key.
    Derive(Kdf),
    /// Generates a key pair.
    Pair(Family),
    /// Generates the group of key pairs.
    Parameters(Family),
    /// Generates a secret key of this type.
    Secret(CK_KEY_TYPE),
}

use Work::{Derive, Digest, Encapsulate, Encrypt, Pair, Parameters, Secret, Sign, Wrap};

macro_rules! hash_mechanisms {
    ($($hash:ident $digest:ident $hmac:ident $cut:ident $key_type:ident $generator:ident $(, derives $derives:ident)? $(, masks $mgf1:ident)?;)*) => {
        const DIGESTS: &[MechanismRow] = &[$(row($digest, Digest(Hash::$hash))),*];
        const HMACS: &[MechanismRow] = &[
            $(row($hmac, Sign(SignatureScheme::Hmac, Some(Hash::$hash))),)*
            $(row($cut, Sign(SignatureScheme::CutHmac, Some(Hash::$hash))),)*
        ];
        const KEY_DIGESTS: &[MechanismRow] = &[$($(row($derives, Derive(Kdf::Digest(Hash::$hash))),)?)*];
        const HMAC_KEYS: &[MechanismRow] = &[$(row($generator, Secret($key_type))),*];

        /// The hash of an MGF1 that a mechanism parameter names.
        pub(crate) fn mgf_hash(kind: CK_RSA_PKCS_MGF_TYPE) -> Option<Hash> {
            match kind {
                $($($mgf1 => Some(Hash::$hash),)?)*
                _ => None,
            }
        }
    };
}

hashes!(hash_mechanisms);

macro_rules! generators {
    ($($(#[$note:meta])* $family:ident [$($keys:tt)*] $key_type:ident $(($of:expr))?, $kind:ident $form:ident $(, $pair:ident $($group:ident)?)?;)*) => {
        const GENERATORS: &[MechanismRow] = &[
            $($(row($pair, Pair(Family::$family)),)?)*
            $($($(row($group, Parameters(Family::$family)),)?)?)*
        ];
    };
}

families!(generators);

const MODES: &[MechanismRow] = &[
    row(CKM_AES_CMAC, Sign(SignatureScheme::Cmac, None)),
    row(CKM_AES_CMAC_GENERAL, Sign(SignatureScheme::CutCmac, None)),
    row(CKM_RSA_PKCS, Encrypt(Mode::RsaPkcs1v15)),
    row(CKM_RSA_PKCS_OAEP, Encrypt(Mode::RsaOaep)),
    row(CKM_RSA_X_509, Encrypt(Mode::RsaRaw)),
    row(CKM_AES_ECB, Encrypt(Mode::Cipher(Family::Aes, Cipher::EcbNoPadding))),
    row(CKM_AES_CBC, Encrypt(Mode::Cipher(Family::Aes, Cipher::CbcNoPadding))),
    row(CKM_AES_CBC_PAD, Encrypt(Mode::Cipher(Family::Aes, Cipher::CbcPkcs7))),
    row(CKM_AES_CTR, Encrypt(Mode::Cipher(Family::Aes, Cipher::Ctr))),
    row(CKM_AES_OFB, Encrypt(Mode::Cipher(Family::Aes, Cipher::Ofb))),
    row(CKM_AES_CFB128, Encrypt(Mode::Cipher(Family::Aes, Cipher::Cfb))),
    row(CKM_AES_GCM, Encrypt(Mode::Aead(AeadKind::Gcm))),
    row(CKM_AES_CCM, Encrypt(Mode::Aead(AeadKind::Ccm))),
    row(CKM_DES3_ECB, Encrypt(Mode::Cipher(Family::Des, Cipher::EcbNoPadding))),
    row(CKM_DES3_CBC, Encrypt(Mode::Cipher(Family::Des, Cipher::CbcNoPadding))),
    row(CKM_DES3_CBC_PAD, Encrypt(Mode::Cipher(Family::Des, Cipher::CbcPkcs7))),
    row(CKM_CHACHA20_POLY1305, Encrypt(Mode::Aead(AeadKind::ChaCha20Poly1305))),
    row(CKM_AES_KEY_WRAP, Encrypt(Mode::Cipher(Family::Aes, Cipher::KeyWrap))),
    row(CKM_AES_KEY_WRAP_KWP, Encrypt(Mode::Cipher(Family::Aes, Cipher::KeyWrapPadded))),
    // PKCS#11 v3.0 deprecates this number, as some pad as PKCS #7 does and some as RFC 5649. It is the latter here, as in SoftHSM and nShield.
    row(CKM_AES_KEY_WRAP_PAD, Encrypt(Mode::Cipher(Family::Aes, Cipher::KeyWrapPadded))),
    row(CKM_AES_KEY_WRAP, Wrap(Mode::Cipher(Family::Aes, Cipher::KeyWrap))),
    row(CKM_AES_KEY_WRAP_KWP, Wrap(Mode::Cipher(Family::Aes, Cipher::KeyWrapPadded))),
    row(CKM_AES_KEY_WRAP_PAD, Wrap(Mode::Cipher(Family::Aes, Cipher::KeyWrapPadded))),
    row(CKM_AES_CBC_PAD, Wrap(Mode::Cipher(Family::Aes, Cipher::CbcPkcs7))),
    row(CKM_RSA_PKCS_OAEP, Wrap(Mode::RsaOaep)),
    row(CKM_RSA_PKCS, Wrap(Mode::RsaPkcs1v15)),
    row(CKM_ECDH1_DERIVE, Derive(Kdf::Ecdh(Family::Ec))),
    row(CKM_ECDH1_DERIVE, Derive(Kdf::Ecdh(Family::Montgomery))),
    row(CKM_ECDH1_COFACTOR_DERIVE, Derive(Kdf::Ecdh(Family::Ec))),
    row(CKM_DH_PKCS_DERIVE, Derive(Kdf::Dh)),
    row(CKM_HKDF_DERIVE, Derive(Kdf::Hkdf(Family::Hkdf))),
    row(CKM_HKDF_DERIVE, Derive(Kdf::Hkdf(Family::Generic))),
    row(CKM_HKDF_DATA, Derive(Kdf::Hkdf(Family::Hkdf))),
    row(CKM_HKDF_DATA, Derive(Kdf::Hkdf(Family::Generic))),
];

const DERIVATIONS: &[MechanismRow] = &[
    row(CKM_CONCATENATE_BASE_AND_KEY, Derive(Kdf::BaseAndKey)),
    row(CKM_CONCATENATE_BASE_AND_DATA, Derive(Kdf::BaseAndData)),
    row(CKM_CONCATENATE_DATA_AND_BASE, Derive(Kdf::DataAndBase)),
    row(CKM_AES_ECB_ENCRYPT_DATA, Derive(Kdf::Encrypt(Cipher::EcbNoPadding))),
    row(CKM_AES_CBC_ENCRYPT_DATA, Derive(Kdf::Encrypt(Cipher::CbcNoPadding))),
    row(CKM_ML_KEM, Encapsulate(Kem::MlKem)),
];

const SECRETS: &[MechanismRow] = &[
    row(CKM_AES_KEY_GEN, Secret(CKK_AES)),
    row(CKM_DES2_KEY_GEN, Secret(CKK_DES2)),
    row(CKM_DES3_KEY_GEN, Secret(CKK_DES3)),
    row(CKM_GENERIC_SECRET_KEY_GEN, Secret(CKK_GENERIC_SECRET)),
    row(CKM_HKDF_KEY_GEN, Secret(CKK_HKDF)),
    row(CKM_CHACHA20_KEY_GEN, Secret(CKK_CHACHA20)),
];

const SIGN: CK_FLAGS = CKF_SIGN | CKF_MESSAGE_SIGN | CKF_MULTI_MESSAGE;
const VERIFY: CK_FLAGS = CKF_VERIFY | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE;
const ENCRYPT: CK_FLAGS = CKF_ENCRYPT | CKF_MESSAGE_ENCRYPT | CKF_MULTI_MESSAGE;
const DECRYPT: CK_FLAGS = CKF_DECRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE;

const fn row(kind: CK_MECHANISM_TYPE, work: Work) -> MechanismRow {
    MechanismRow { kind, work }
}

/// Every mechanism of the module.
pub(crate) fn all() -> impl Iterator<Item = &'static MechanismRow> {
    let kinds = [DIGESTS, scheme::SIGNATURES, HMACS, MODES, KEY_DIGESTS, DERIVATIONS, GENERATORS, SECRETS, HMAC_KEYS];
    kinds.into_iter().flatten()
}

/// What a mechanism does, of the works that `choose` picks; some mechanisms do several.
pub(crate) fn find<T>(kind: CK_MECHANISM_TYPE, choose: impl Fn(Work) -> Option<T>) -> Result<T> {
    all().filter(|mechanism| mechanism.kind == kind).find_map(|mechanism| choose(mechanism.work)).ok_or(Error::MechanismInvalid)
}

/// The mechanism that generates such keys.
pub(crate) fn generator(attributes: &Attributes) -> Option<CK_MECHANISM_TYPE> {
    let work = match SecretType::widest(attributes) {
        Some(secret) => Secret(secret.kind),
        None => Pair(Family::of(attributes.key_type)?),
    };
    all().find(|mechanism| mechanism.work == work).map(|mechanism| mechanism.kind)
}

/// The scheme of a mechanism whose signatures give back what was signed.
pub(crate) fn recovering(kind: CK_MECHANISM_TYPE) -> Result<SignatureScheme> {
    find(kind, Work::recovering)
}

/// The hash that a mechanism parameter names.
pub(crate) fn hash(kind: CK_MECHANISM_TYPE) -> Option<Hash> {
    let digest = |work| match work {
        Digest(hash) => Some(hash),
        _ => None,
    };
    find(kind, digest).ok()
}

impl Work {
    /// The keys that it is for.
    pub(crate) fn family(self) -> Option<Family> {
        match self {
            Digest(_) => None,
            Sign(scheme, _) => Some(scheme.family()),
            Encrypt(mode) | Wrap(mode) => Some(mode.family()),
            Derive(kdf) => Some(kdf.family()),
            Encapsulate(Kem::MlKem) => Some(Family::MlKem),
            Pair(family) | Parameters(family) => Some(family),
            Secret(kind) => Some(SecretType::named(kind)?.family),
        }
    }

    /// Whether a policy permits it at all.
    pub(crate) fn permitted(self, policy: &Policy) -> bool {
        match self {
            Sign(scheme, hash) => scheme.permitted(hash, policy) || self.asked(policy),
            Encrypt(_) | Wrap(_) | Derive(_) | Encapsulate(_) => {
                self.algorithms().into_iter().any(|algorithm| policy.permits(algorithm)) || self.asked(policy)
            }
            Digest(_) | Pair(_) | Parameters(_) | Secret(_) => false,
        }
    }

    /// Whether a policy permits something that only a parameter of the mechanism asks for.
    fn asked(self, policy: &Policy) -> bool {
        policy.algorithms().any(|algorithm| match (self, algorithm) {
            (Sign(SignatureScheme::RsaPss, own), Algorithm::Signature(Signature::RsaPssWith { hash, .. })) => {
                own.is_none_or(|own| own == hash)
            }
            (Sign(SignatureScheme::Eddsa, _), Algorithm::Signature(signature)) => {
                matches!(signature, Signature::Ed25519ph | Signature::Ed25519ctx | Signature::Ed448ph)
            }
            (Encrypt(Mode::RsaOaep) | Wrap(Mode::RsaOaep), Algorithm::Encryption(encryption)) => {
                matches!(encryption, Encryption::RsaOaepWith { .. })
            }
            (Derive(Kdf::Ecdh(_)), Algorithm::Agreement(KeyAgreement::WithKeyDerivation(agreement, _))) => {
                agreement == Agreement::Ecdh
            }
            _ => false,
        })
    }

    /// The algorithms that a key must permit for no more than this.
    pub(crate) fn algorithms(self) -> Vec<Algorithm> {
        match self {
            Sign(SignatureScheme::Eddsa, None) => Job::Sign.repertoire(Family::Edwards.key_type()).usual,
            Sign(scheme, hash) => scheme.least(hash).into_iter().collect(),
            Encrypt(mode) | Wrap(mode) => mode.algorithms(),
            Derive(kdf) => kdf.algorithms(),
            Encapsulate(kem) => vec![kem.into()],
            Digest(_) | Pair(_) | Parameters(_) | Secret(_) => vec![],
        }
    }

    /// Whether a use that an attribute of keys names is of this kind.
    pub(crate) fn serves(self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        match self {
            Sign(..) if matches!(kind, CKA_SIGN_RECOVER | CKA_VERIFY_RECOVER) => self.recovering().is_some(),
            Sign(..) => matches!(kind, CKA_SIGN | CKA_VERIFY),
            Encrypt(_) => matches!(kind, CKA_ENCRYPT | CKA_DECRYPT),
            Wrap(_) => matches!(kind, CKA_WRAP | CKA_UNWRAP),
            Encapsulate(_) => matches!(kind, CKA_ENCAPSULATE | CKA_DECAPSULATE),
            Derive(_) => kind == CKA_DERIVE,
            Digest(_) | Pair(_) | Parameters(_) | Secret(_) => false,
        }
    }

    /// The scheme, if its signatures give back what was signed.
    pub(crate) fn recovering(self) -> Option<SignatureScheme> {
        match self {
            Sign(scheme @ (SignatureScheme::RsaPkcs1v15 | SignatureScheme::RsaRaw), None) => Some(scheme),
            _ => None,
        }
    }

    /// An algorithm that it comes down to, and what a key is used for with it.
    pub(crate) fn uses(self) -> Option<(Algorithm, Vec<Use>)> {
        let algorithm = match self {
            Sign(scheme, hash) => scheme.algorithms(hash.or(Some(Hash::Sha256))).next()?,
            Encrypt(_) | Wrap(_) | Derive(_) | Encapsulate(_) => self.algorithms().first().copied()?,
            Digest(_) | Pair(_) | Parameters(_) | Secret(_) => return None,
        };
        let [first, second] = match (self, algorithm) {
            (Wrap(_), _) => [Opcode::WrapKey, Opcode::UnwrapKey],
            (Derive(_), _) => return Some((algorithm, vec![(CKF_DERIVE, Usage::DERIVE, Opcode::DeriveKey)])),
            (_, Algorithm::Signature(alg)) if alg.whole_message() => [Opcode::SignMessage, Opcode::VerifyMessage],
            (_, Algorithm::Signature(_)) => [Opcode::SignHash, Opcode::VerifyHash],
            (_, Algorithm::Kem(_)) => [Opcode::Encapsulate, Opcode::Decapsulate],
            (_, Algorithm::Mac(_)) => [Opcode::MacCompute, Opcode::MacVerify],
            (_, Algorithm::Encryption(_)) => [Opcode::AsymmetricEncrypt, Opcode::AsymmetricDecrypt],
            (_, Algorithm::Cipher(_)) => [Opcode::CipherEncrypt, Opcode::CipherDecrypt],
            (_, Algorithm::Aead(_)) => [Opcode::AeadEncrypt, Opcode::AeadDecrypt],
            _ => return None,
        };
        let [there, back] = match self {
            Sign(..) if self.recovering().is_some() => [SIGN | CKF_SIGN_RECOVER, VERIFY | CKF_VERIFY_RECOVER],
            Sign(..) => [SIGN, VERIFY],
            Wrap(_) => [CKF_WRAP, CKF_UNWRAP],
            Encapsulate(_) => [CKF_ENCAPSULATE, CKF_DECAPSULATE],
            Encrypt(Mode::Aead(_)) => [ENCRYPT, DECRYPT],
            _ => [CKF_ENCRYPT, CKF_DECRYPT],
        };
        let [to, from] = match self {
            Sign(..) => [Usage::SIGN, Usage::VERIFY],
            Wrap(_) => [Usage::WRAP, Usage::UNWRAP],
            _ => [Usage::ENCRYPT, Usage::DECRYPT],
        };
        Some((algorithm, vec![(there, to, first), (back, from, second)]))
    }
}

/// A use of a mechanism: what its info says of it, what the key must permit, and the operation of the service.
pub(crate) type Use = (CK_FLAGS, Usage, Opcode);

/// The algorithms of a key of a family, with every mechanism of it that `does` picks.
pub(crate) fn every(family: Family, does: impl Fn(Work) -> bool) -> impl Iterator<Item = Algorithm> {
    let works = all().map(|mechanism| mechanism.work).filter(move |work| work.family() == Some(family) && does(*work));
    works.flat_map(Work::algorithms)
}

/// The policy that permits these algorithms.
pub(crate) fn policy(usage: Usage, algorithms: impl IntoIterator<Item = Algorithm>) -> Policy {
    let mut seen = Vec::new();
    for algorithm in algorithms {
        if !seen.contains(&algorithm) {
            seen.push(algorithm);
        }
    }
    let mut algorithms = seen.into_iter();
    Policy { usage, algorithm: algorithms.next().unwrap_or(Algorithm::None), also: algorithms.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_stands_there_once() {
        let same = |one: Work, other| std::mem::discriminant(&one) == std::mem::discriminant(&other);
        for (i, MechanismRow { kind, work }) in all().enumerate() {
            let again =
                |other: &MechanismRow| other.kind == *kind && same(other.work, *work) && other.work.family() == work.family();
            assert!(!all().skip(i + 1).any(again));
            find(*kind, |other| (other == *work).then_some(())).unwrap();
        }
    }
}
