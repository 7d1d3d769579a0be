//! The types of keys, and the families of curves and groups that some of them name.

use crate::algorithm::numbered;
use crate::oneof::oneof;

numbered! {
    /// A family of elliptic curves; with the size in bits it names one curve.
    EccFamily {
        SecpK1 = 1, SecpR1 = 2, SecpR2 = 3, SectK1 = 4, SectR1 = 5, SectR2 = 6, BrainpoolPR1 = 7, Frp = 8, Montgomery = 9,
        /// Edwards curves (255 bits: Ed25519, 448 bits: Ed448), an extension.
        TwistedEdwards = 100,
    }
}

numbered! {
    /// A family of finite-field groups. Zero is a valid number here.
    DhFamily {
        Rfc7919 = 0,
        /// Of the caller's choice, an extension: each key brings its group.
        Own = 100,
    }
}

oneof! {
    /// The type of a key.
    #[derive(Hash)]
    KeyType {
        1 RawData,
        2 Hmac,
        3 Derive,
        4 Aes,
        5 Des,
        6 Camellia,
        7 Arc4,
        8 ChaCha20,
        9 RsaPublicKey,
        10 RsaKeyPair,
        11 EccKeyPair(family: EccFamily),
        12 EccPublicKey(family: EccFamily),
        13 DhKeyPair(family: DhFamily),
        14 DhPublicKey(family: DhFamily),
        /// FIPS 204. 128 bits are ML-DSA-44, 192 are ML-DSA-65, 256 are ML-DSA-87 (PSA Crypto API 1.3 §9.2).
        100 MlDsaKeyPair,
        101 MlDsaPublicKey,
        /// FIPS 203. The bits are 512, 768 or 1024.
        102 MlKemKeyPair,
        103 MlKemPublicKey,
        /// FIPS 186-4. Each key brings its group, as those of [`DhFamily::Own`] do.
        104 DsaKeyPair,
        105 DsaPublicKey,
    }
}

macro_rules! pairs {
    ($($pair:ident $public:ident $(($family:ident))?;)*) => {
        impl KeyType {
            /// A private key with its public half.
            pub const fn is_pair(self) -> bool {
                matches!(self, $(Self::$pair { .. })|*)
            }

            /// A public key alone.
            pub const fn is_public(self) -> bool {
                matches!(self, $(Self::$public { .. })|*)
            }

            /// The type of the public half of a pair; every other type is its own.
            pub const fn public(self) -> Self {
                match self {
                    $(Self::$pair $(($family))? => Self::$public $(($family))?,)*
                    other => other,
                }
            }

            /// The type of the pair that a public key belongs to; every other type is its own.
            pub const fn pair(self) -> Self {
                match self {
                    $(Self::$public $(($family))? => Self::$pair $(($family))?,)*
                    other => other,
                }
            }
        }
    };
}

pairs! {
    RsaKeyPair RsaPublicKey;
    EccKeyPair EccPublicKey (family);
    DhKeyPair DhPublicKey (family);
    MlDsaKeyPair MlDsaPublicKey;
    MlKemKeyPair MlKemPublicKey;
    DsaKeyPair DsaPublicKey;
}

impl KeyType {
    /// Every type.
    pub fn all() -> impl Iterator<Item = Self> {
        let secret = [Self::RawData, Self::Hmac, Self::Derive, Self::Aes, Self::Des, Self::Camellia, Self::Arc4, Self::ChaCha20];
        let curves = EccFamily::ALL.iter().map(|family| Self::EccKeyPair(*family));
        let groups = DhFamily::ALL.iter().map(|family| Self::DhKeyPair(*family));
        let pairs =
            [Self::RsaKeyPair, Self::MlDsaKeyPair, Self::MlKemKeyPair, Self::DsaKeyPair].into_iter().chain(curves).chain(groups);
        secret.into_iter().chain(pairs.flat_map(|pair| [pair, pair.public()]))
    }

    /// The curve family of an elliptic-curve key.
    pub const fn family(self) -> Option<EccFamily> {
        match self {
            Self::EccKeyPair(family) | Self::EccPublicKey(family) => Some(family),
            _ => None,
        }
    }
}
