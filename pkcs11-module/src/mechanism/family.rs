//! The families of keys: which types and sizes belong to them, and what PKCS#11 says of them.

use cryptoki_sys::*;
use interface::attributes::{DhFamily, EccFamily, KeyType};

const DH: KeyType = KeyType::DhKeyPair(DhFamily::Own);

/// The keys of one family, as far as the mechanisms distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    Ec,
    Edwards,
    Montgomery,
    MlDsa,
    MlKem,
    Dsa,
    /// Diffie-Hellman in finite fields.
    Dh,
    Aes,
    /// Triple DES with two or three keys.
    Des,
    /// Secrets of any length; they make HMACs.
    Generic,
    /// Secrets of any length for derivation alone.
    Hkdf,
    ChaCha20,
}

impl Family {
    pub(crate) const ALL: [Self; 13] = [
        Self::Rsa,
        Self::Ec,
        Self::Edwards,
        Self::Montgomery,
        Self::MlDsa,
        Self::MlKem,
        Self::Dsa,
        Self::Dh,
        Self::Aes,
        Self::Des,
        Self::Generic,
        Self::Hkdf,
        Self::ChaCha20,
    ];

    pub(crate) fn of(key_type: KeyType) -> Option<Self> {
        Some(match key_type.public() {
            KeyType::RsaPublicKey => Self::Rsa,
            KeyType::EccPublicKey(EccFamily::TwistedEdwards) => Self::Edwards,
            KeyType::EccPublicKey(EccFamily::Montgomery) => Self::Montgomery,
            KeyType::EccPublicKey(_) => Self::Ec,
            KeyType::MlDsaPublicKey => Self::MlDsa,
            KeyType::MlKemPublicKey => Self::MlKem,
            KeyType::DsaPublicKey => Self::Dsa,
            KeyType::DhPublicKey(DhFamily::Own) => Self::Dh,
            KeyType::Aes => Self::Aes,
            KeyType::Des => Self::Des,
            KeyType::Hmac => Self::Generic,
            KeyType::Derive => Self::Hkdf,
            KeyType::ChaCha20 => Self::ChaCha20,
            _ => return None,
        })
    }

    /// The kinds of key that the module generates, smallest first.
    pub(crate) fn keys(self) -> &'static [(KeyType, u32)] {
        use EccFamily::{Montgomery, SecpK1, SecpR1, TwistedEdwards};
        match self {
            Self::Rsa => &[
                (KeyType::RsaKeyPair, 1024),
                (KeyType::RsaKeyPair, 2048),
                (KeyType::RsaKeyPair, 3072),
                (KeyType::RsaKeyPair, 4096),
            ],
            Self::Ec => &[
                (KeyType::EccKeyPair(SecpR1), 192),
                (KeyType::EccKeyPair(SecpR1), 224),
                (KeyType::EccKeyPair(SecpR1), 256),
                (KeyType::EccKeyPair(SecpK1), 256),
                (KeyType::EccKeyPair(SecpR1), 384),
                (KeyType::EccKeyPair(SecpR1), 521),
            ],
            Self::Edwards => &[(KeyType::EccKeyPair(TwistedEdwards), 255), (KeyType::EccKeyPair(TwistedEdwards), 448)],
            Self::Montgomery => &[(KeyType::EccKeyPair(Montgomery), 255)],
            Self::MlDsa => &[(KeyType::MlDsaKeyPair, 128), (KeyType::MlDsaKeyPair, 192), (KeyType::MlDsaKeyPair, 256)],
            Self::MlKem => &[(KeyType::MlKemKeyPair, 512), (KeyType::MlKemKeyPair, 768), (KeyType::MlKemKeyPair, 1024)],
            Self::Dsa => &[(KeyType::DsaKeyPair, 1024), (KeyType::DsaKeyPair, 2048), (KeyType::DsaKeyPair, 3072)],
            Self::Dh => &[(DH, 1024), (DH, 2048), (DH, 3072), (DH, 4096)],
            Self::Aes => &[(KeyType::Aes, 128), (KeyType::Aes, 192), (KeyType::Aes, 256)],
            Self::Des => &[(KeyType::Des, 128), (KeyType::Des, 192)],
            Self::Generic => &[(KeyType::Hmac, 8), (KeyType::Hmac, 512), (KeyType::Hmac, 0xfff8)],
            Self::Hkdf => &[(KeyType::Derive, 8), (KeyType::Derive, 0xfff8)],
            Self::ChaCha20 => &[(KeyType::ChaCha20, 256)],
        }
    }

    /// The type of its keys.
    pub(crate) fn key_type(self) -> KeyType {
        match self {
            Self::Rsa => KeyType::RsaKeyPair,
            Self::Ec => KeyType::EccKeyPair(EccFamily::SecpR1),
            Self::Edwards => KeyType::EccKeyPair(EccFamily::TwistedEdwards),
            Self::Montgomery => KeyType::EccKeyPair(EccFamily::Montgomery),
            Self::MlDsa => KeyType::MlDsaKeyPair,
            Self::MlKem => KeyType::MlKemKeyPair,
            Self::Dsa => KeyType::DsaKeyPair,
            Self::Dh => DH,
            Self::Aes => KeyType::Aes,
            Self::Des => KeyType::Des,
            Self::Generic => KeyType::Hmac,
            Self::Hkdf => KeyType::Derive,
            Self::ChaCha20 => KeyType::ChaCha20,
        }
    }

    /// The block of its ciphers, in bytes.
    pub(crate) fn block(self) -> usize {
        if self == Self::Des { 8 } else { 16 }
    }

    /// Whether its keys bring their group.
    pub(crate) fn brings_group(self) -> bool {
        matches!(self, Self::Dsa | Self::Dh)
    }

    /// A key's size as mechanism infos have it: secret keys are counted in bytes.
    pub(crate) fn size(self, bits: u32) -> u32 {
        match self {
            Self::Rsa | Self::Ec | Self::Edwards | Self::Montgomery | Self::Dsa | Self::Dh => bits,
            Self::MlDsa | Self::MlKem => self.public_len(bits),
            Self::Aes | Self::Des | Self::Generic | Self::Hkdf | Self::ChaCha20 => bits / 8,
        }
    }

    /// The parameter sets of ML-DSA and ML-KEM, as CKA_PARAMETER_SET numbers them: from 1, in the order of their sizes.
    pub(crate) fn parameter_set(self, bits: u32) -> Option<CK_ULONG> {
        let sets = (1..).zip(self.keys()).find(|(_, kind)| kind.1 == bits);
        sets.filter(|_| matches!(self, Self::MlDsa | Self::MlKem)).map(|(number, _)| number)
    }

    /// Length in bytes of the public keys of ML-DSA (FIPS 204, table 2) and ML-KEM (FIPS 203, table 3).
    fn public_len(self, bits: u32) -> u32 {
        if self == Self::MlDsa { 32 + bits * 10 } else { 32 + bits / 2 * 3 }
    }

    pub(crate) fn flags(self) -> CK_FLAGS {
        match self {
            Self::Ec => CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS,
            Self::Edwards | Self::Montgomery => CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME,
            _ => 0,
        }
    }
}
