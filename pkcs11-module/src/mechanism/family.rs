//! The families of keys: which types and sizes belong to them, and what PKCS#11 says of them.

use cryptoki_sys::*;
use interface::attributes::{DhFamily, EccFamily, KeyType};
use interface::kind::{KINDS, Parameters};

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
    pub(crate) fn keys(self) -> Vec<(KeyType, u32)> {
        let bits: &[u32] = match self {
            Self::Dsa => &[1024, 2048, 3072],
            Self::Dh => &[1024, 2048, 3072, 4096],
            Self::Des => &[128, 192],
            Self::Generic => &[8, 512, 0xfff8],
            Self::Hkdf => &[8, 0xfff8],
            _ => {
                let own = KINDS.iter().filter(|kind| Self::of(kind.key_type) == Some(self));
                let mut keys: Vec<_> = own.map(|kind| (kind.key_type, kind.bits)).collect();
                keys.sort_by_key(|(_, bits)| *bits);
                return keys;
            }
        };
        bits.iter().map(|&bits| (self.key_type(), bits)).collect()
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
            Self::MlDsa | Self::MlKem => {
                let len = Parameters::of(self.key_type(), bits).map_or(0, |set| set.public_len);
                u32::try_from(len).unwrap_or(u32::MAX)
            }
            Self::Aes | Self::Des | Self::Generic | Self::Hkdf | Self::ChaCha20 => bits / 8,
        }
    }

    /// The parameter sets of ML-DSA and ML-KEM, as CKA_PARAMETER_SET numbers them: from 1, in the order of their sizes.
    pub(crate) fn parameter_set(self, bits: u32) -> Option<CK_ULONG> {
        let mut sets = (1..).zip(self.keys()).filter(|_| matches!(self, Self::MlDsa | Self::MlKem));
        sets.find(|(_, kind)| kind.1 == bits).map(|(number, _)| number)
    }

    pub(crate) fn flags(self) -> CK_FLAGS {
        match self {
            Self::Ec => CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS,
            Self::Edwards | Self::Montgomery => CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME,
            _ => 0,
        }
    }
}
