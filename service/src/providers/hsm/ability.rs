//! What this token can do. It tells its mechanisms.

use super::{Hsm, quirks, unsupported};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use crate::providers::{keys, software};
use crate::worker::{Ability as Mechanism, Token};
use cryptoki_sys::{
    CKF_DECRYPT, CKF_DERIVE, CKF_ENCRYPT, CKF_GENERATE, CKF_GENERATE_KEY_PAIR, CKF_SIGN, CKM_AES_CBC, CKM_AES_CMAC, CKM_AES_CTR,
    CKM_AES_ECB, CKM_AES_GCM, CKM_AES_KEY_GEN, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN, CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
    CKM_ECDH1_DERIVE, CKM_ECDSA, CKM_EDDSA, CKM_GENERIC_SECRET_KEY_GEN, CKM_RSA_PKCS, CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKM_RSA_PKCS_OAEP, CKM_RSA_PKCS_PSS, CKM_RSA_X_509, CKM_SHA_1_HMAC, CKM_SHA224_HMAC, CKM_SHA256_HMAC, CKM_SHA384_HMAC,
    CKM_SHA512_HMAC,
};
use interface::algorithm::{AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Mac, MacKind, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType};
use interface::kind::{self, KeyKind};
use interface::message::{Empty, required};
use interface::operations::{CanDoCrypto, CheckType};
use std::collections::BTreeMap;

/// The keys that some token makes, in the order in which they are told.
const KEYS: &[(&KeyKind, u64)] = &[
    (&kind::RSA_1024, CKM_RSA_PKCS_KEY_PAIR_GEN),
    (&kind::RSA_2048, CKM_RSA_PKCS_KEY_PAIR_GEN),
    (&kind::RSA_3072, CKM_RSA_PKCS_KEY_PAIR_GEN),
    (&kind::RSA_4096, CKM_RSA_PKCS_KEY_PAIR_GEN),
    (&kind::P256, CKM_EC_KEY_PAIR_GEN),
    (&kind::P384, CKM_EC_KEY_PAIR_GEN),
    (&kind::P521, CKM_EC_KEY_PAIR_GEN),
    (&kind::ED25519, CKM_EC_EDWARDS_KEY_PAIR_GEN),
    (&kind::X25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN),
    (&kind::AES_128, CKM_AES_KEY_GEN),
    (&kind::AES_192, CKM_AES_KEY_GEN),
    (&kind::AES_256, CKM_AES_KEY_GEN),
];

/// Modes of AES. Padding is the service's.
const MODES: &[(Cipher, u64)] = &[
    (Cipher::EcbNoPadding, CKM_AES_ECB),
    (Cipher::CbcNoPadding, CKM_AES_CBC),
    (Cipher::CbcPkcs7, CKM_AES_CBC),
    (Cipher::Ctr, CKM_AES_CTR),
];

/// Hashes of HMACs.
const HMACS: &[(Hash, u64)] = &[
    (Hash::Sha1, CKM_SHA_1_HMAC),
    (Hash::Sha224, CKM_SHA224_HMAC),
    (Hash::Sha256, CKM_SHA256_HMAC),
    (Hash::Sha384, CKM_SHA384_HMAC),
    (Hash::Sha512, CKM_SHA512_HMAC),
];

/// Hashes that PKCS#11 has for RSA with a padding of the token's own.
const PADDED: [Hash; 5] = [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];

/// The mechanisms of one token.
pub(super) struct Ability {
    mechanisms: BTreeMap<u64, Mechanism>,
    /// It makes random bytes.
    pub(super) random: bool,
}

impl Ability {
    pub(super) fn new(token: &Token) -> Self {
        let done = |told: &Mechanism| {
            let flags = quirks::done(token, told.mechanism, told.flags);
            (told.mechanism, Mechanism { flags, ..*told })
        };
        Self { mechanisms: token.abilities.iter().map(done).collect(), random: token.random }
    }

    /// Whether it computes MACs.
    pub(super) fn macs(&self) -> bool {
        self.has(CKM_AES_CMAC, CKF_SIGN) || self.makes(KeyType::Hmac)
    }

    /// Whether it encrypts.
    pub(super) fn ciphers(&self) -> bool {
        self.makes(KeyType::Aes) && MODES.iter().any(|(_, mode)| self.both(*mode))
    }

    /// Whether it encrypts with authentication.
    pub(super) fn aeads(&self) -> bool {
        self.makes(KeyType::Aes) && self.both(CKM_AES_GCM)
    }

    /// Whether it has an operation of RSA without padding: then the service pads.
    pub(super) fn raw_rsa(&self, flag: u64) -> bool {
        self.has(CKM_RSA_X_509, flag)
    }

    /// Refuses a key of a type and size that the token does not make.
    pub(super) fn check_kind(&self, key_type: KeyType, bits: u32) -> Result<()> {
        let found = match key_type {
            KeyType::Hmac => bits.is_multiple_of(8) && bits > 0 && self.makes(key_type) && self.hmacs(bits).next().is_some(),
            _ => self.keys().any(|kind| (kind.key_type, kind.bits) == (key_type, bits)),
        };
        if found {
            return Ok(());
        }
        let names: Vec<_> = self.keys().map(|kind| kind.name).chain(self.makes(KeyType::Hmac).then_some("hmac")).collect();
        Err(unsupported(format!("this token has no keys of type {key_type:?} with {bits} bits: it has {}", names.join(", "))))
    }

    /// Refuses an algorithm that the token has not, with a key of this size.
    pub(super) fn check_algorithm(&self, key_type: KeyType, bits: u32, algorithm: Algorithm) -> Result<()> {
        let found = match (key_type, algorithm) {
            (_, Algorithm::None) => true,
            (KeyType::RsaKeyPair, Algorithm::Signature(signature)) => self.signs_rsa(signature),
            (KeyType::EccKeyPair(EccFamily::TwistedEdwards), Algorithm::Signature(signature)) => {
                signature == Signature::PureEddsa && self.has(CKM_EDDSA, CKF_SIGN)
            }
            (KeyType::EccKeyPair(_), Algorithm::Signature(_)) => self.has(CKM_ECDSA, CKF_SIGN),
            (KeyType::RsaKeyPair, Algorithm::Encryption(encryption)) => self.decrypts_rsa(encryption),
            (KeyType::EccKeyPair(_), Algorithm::Agreement(agreement)) => {
                agreement.agreement() == Agreement::Ecdh && self.has(CKM_ECDH1_DERIVE, CKF_DERIVE)
            }
            (KeyType::Aes, Algorithm::Cipher(cipher)) => MODES.iter().any(|(mode, name)| *mode == cipher && self.both(*name)),
            (KeyType::Aes, Algorithm::Aead(aead)) => aead.kind == AeadKind::Gcm && self.both(CKM_AES_GCM),
            (KeyType::Aes, Algorithm::Mac(Mac { kind: MacKind::Cmac, .. })) => self.has(CKM_AES_CMAC, CKF_SIGN),
            (KeyType::Hmac, Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, .. })) => self.hmacs(bits).any(|had| had == hash),
            _ => key_type.is_public(),
        };
        if found { Ok(()) } else { Err(unsupported(format!("this token has no {algorithm:?} with a key of {bits} bits"))) }
    }

    fn signs_rsa(&self, signature: Signature) -> bool {
        let padded = |hash: Option<Hash>| hash.is_none_or(|hash| PADDED.contains(&hash));
        self.raw_rsa(CKF_SIGN)
            || match signature {
                Signature::RsaPkcs1v15 { .. } | Signature::RsaPkcs1v15Raw => self.has(CKM_RSA_PKCS, CKF_SIGN),
                Signature::RsaPss { .. } => padded(signature.hash()) && self.has(CKM_RSA_PKCS_PSS, CKF_SIGN),
                Signature::RsaPssWith { mgf, .. } => {
                    padded(signature.hash()) && padded(Some(mgf)) && self.has(CKM_RSA_PKCS_PSS, CKF_SIGN)
                }
                _ => false,
            }
    }

    /// PKCS#1 v1.5 takes a padding of the service's: what tokens tell of a wrong one can be used to decrypt (Bleichenbacher 1998).
    fn decrypts_rsa(&self, encryption: Encryption) -> bool {
        self.raw_rsa(CKF_DECRYPT)
            || match encryption {
                Encryption::RsaOaep { hash } => PADDED.contains(&hash) && self.has(CKM_RSA_PKCS_OAEP, CKF_DECRYPT),
                Encryption::RsaOaepWith { hash, mgf } => {
                    PADDED.contains(&hash) && PADDED.contains(&mgf) && self.has(CKM_RSA_PKCS_OAEP, CKF_DECRYPT)
                }
                Encryption::RsaPkcs1v15 | Encryption::RsaRaw => false,
            }
    }

    fn check(&self, attributes: &Attributes) -> Result<()> {
        let (key_type, bits) = (attributes.key_type, attributes.bits);
        keys::check("pkcs11", attributes, |kind| self.makes(kind), |kind, bits| self.check_kind(kind, bits))?;
        attributes.policy.algorithms().try_for_each(|algorithm| self.check_algorithm(key_type, bits, algorithm))
    }

    /// Whether it makes keys of this type, of some size.
    fn makes(&self, key_type: KeyType) -> bool {
        match key_type {
            KeyType::Hmac => {
                self.has(CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE) && HMACS.iter().any(|(_, name)| self.has(*name, CKF_SIGN))
            }
            _ => self.keys().any(|kind| kind.key_type == key_type),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &'static KeyKind> {
        KEYS.iter().filter(|(kind, name)| self.generates(kind, *name)).map(|(kind, _)| *kind)
    }

    fn generates(&self, kind: &KeyKind, name: u64) -> bool {
        let Some(mechanism) = self.mechanisms.get(&name) else { return false };
        let bits = u64::from(kind.bits);
        let fits = |size| mechanism.most == 0 || (mechanism.least..=mechanism.most).contains(&size);
        mechanism.flags & (CKF_GENERATE | CKF_GENERATE_KEY_PAIR) != 0
            && match kind.key_type {
                // Some tokens count their bits.
                KeyType::Aes => fits(bits / 8) || fits(bits),
                KeyType::EccKeyPair(EccFamily::TwistedEdwards | EccFamily::Montgomery) => true,
                _ => fits(bits),
            }
    }

    /// The HMACs with a key of so many bits; zero: of some size.
    fn hmacs(&self, bits: u32) -> impl Iterator<Item = Hash> {
        let fits = move |mechanism: &Mechanism| {
            bits == 0 || mechanism.most == 0 || (mechanism.least..=mechanism.most).contains(&u64::from(bits / 8))
        };
        HMACS
            .iter()
            .filter(move |(_, name)| self.has(*name, CKF_SIGN) && self.mechanisms.get(name).is_some_and(fits))
            .map(|row| row.0)
    }

    fn both(&self, mechanism: u64) -> bool {
        self.has(mechanism, CKF_ENCRYPT) && self.has(mechanism, CKF_DECRYPT)
    }

    fn has(&self, mechanism: u64, flag: u64) -> bool {
        self.mechanisms.get(&mechanism).is_some_and(|mechanism| mechanism.flags & flag != 0)
    }
}

impl Handle<CanDoCrypto> for Hsm {
    fn handle(&self, call: &Call<'_>, op: CanDoCrypto) -> Result<Empty> {
        let attributes: Attributes = required(op.attributes.as_ref())?.try_into()?;
        let check = CheckType::try_from(op.check_type)?;
        self.ability.check(&attributes)?;
        software::can_do(check, &attributes, call.allow_deprecated())?;
        Ok(Empty {})
    }
}
