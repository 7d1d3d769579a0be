//! The families of keys: which types and sizes belong to them, and what PKCS#11 says of them.

use cryptoki_sys::*;
use interface::attributes::{DhFamily, EccFamily, KeyType};
use interface::kind::{KINDS, Parameters};

use super::table::families;

/// How the attributes of a key say what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// CKA_MODULUS, and the other numbers of RSA.
    Rsa,
    /// CKA_EC_PARAMS, and CKA_EC_POINT or CKA_VALUE.
    Curve,
    /// CKA_PARAMETER_SET, and CKA_VALUE or CKA_SEED.
    Set,
    /// CKA_PRIME and the rest of a group, and CKA_VALUE.
    Group,
    /// CKA_VALUE of a secret key.
    Secret,
}

macro_rules! family {
    ($($(#[$note:meta])* $family:ident [$($keys:tt)*] $key_type:ident $(($of:expr))?, $kind:ident $form:ident $(, $generator:ident $($parameters:ident)?)?;)*) => {
        /// The keys of one family, as far as the mechanisms distinguish them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Family { $($(#[$note])* $family),* }

        impl Family {
            pub(crate) const ALL: &[Self] = &[$(Self::$family),*];

            pub(crate) fn of(key_type: KeyType) -> Option<Self> {
                use KeyType::*;
                match key_type.public() {
                    $($($keys)* => Some(Self::$family),)*
                    _ => None,
                }
            }

            /// The type of its keys.
            pub(crate) const fn key_type(self) -> KeyType {
                match self { $(Self::$family => KeyType::$key_type $(($of))?,)* }
            }

            /// The usual CKA_KEY_TYPE of its keys.
            pub(crate) const fn kind(self) -> CK_KEY_TYPE {
                match self { $(Self::$family => $kind,)* }
            }

            pub(crate) const fn form(self) -> Form {
                match self { $(Self::$family => Form::$form,)* }
            }
        }
    };
}

families!(family);

impl Family {
    /// The family whose keys usually have this CKA_KEY_TYPE.
    pub(crate) fn named(kind: CK_KEY_TYPE) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.kind() == kind)
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

    /// The block of its ciphers, in bytes.
    pub(crate) fn block(self) -> usize {
        if self == Self::Des { 8 } else { 16 }
    }

    /// A key's size as mechanism infos have it: secret keys are counted in bytes, and parameter sets by their public keys.
    pub(crate) fn size(self, bits: u32) -> u32 {
        match self.form() {
            Form::Rsa | Form::Curve | Form::Group => bits,
            Form::Secret => bits / 8,
            Form::Set => {
                let len = Parameters::of(self.key_type(), bits).map_or(0, |set| set.public_len);
                u32::try_from(len).unwrap_or(u32::MAX)
            }
        }
    }

    /// The parameter set of a key, as CKA_PARAMETER_SET numbers it: from 1, in the order of the table of kinds.
    pub(crate) fn parameter_set(self, key_type: KeyType, bits: u32) -> Option<CK_ULONG> {
        let kinds = KINDS.iter().filter(|kind| self.form() == Form::Set && Self::of(kind.key_type) == Some(self));
        let mut sets = (1..).zip(kinds);
        sets.find(|(_, kind)| kind.key_type == key_type.pair() && kind.bits == bits).map(|(number, _)| number)
    }

    pub(crate) fn flags(self) -> CK_FLAGS {
        match self {
            Self::Ec => CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS,
            Self::Edwards | Self::Montgomery => CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME,
            _ => 0,
        }
    }
}
