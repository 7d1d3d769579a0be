//! The types of keys, and the families of curves and groups that some of them name.

use crate::algorithm::numbered;
use crate::oneof::oneof;
use crate::table::key_types;

macro_rules! key_type {
    (@all $all:ident $pair:ident $public:ident) => {
        $all.extend([Self::$pair, Self::$public]);
    };
    (@all $all:ident $pair:ident $public:ident $families:ident) => {
        $all.extend($families::ALL.iter().flat_map(|family| [Self::$pair(*family), Self::$public(*family)]));
    };
    (families { $($(#[$about:meta])* $kin:ident { $($variants:tt)* })* }
        secrets { $($number:literal $secret:ident;)* }
        pairs { $($(#[$note:meta])* $pair_number:literal $pair:ident, $public_number:literal $public:ident
            $(($family:ident: $families:ident))?;)* }) => {
        $(numbered! { $(#[$about])* $kin { $($variants)* } })*

        oneof! {
            /// The type of a key.
            #[derive(Hash)]
            KeyType {
                $($number $secret,)*
                $($(#[$note])* $pair_number $pair $(($family: $families))?, $public_number $public $(($family: $families))?,)*
            }
        }

        impl KeyType {
            /// Every type.
            pub fn all() -> impl Iterator<Item = Self> {
                let mut all = vec![$(Self::$secret),*];
                $(key_type!(@all all $pair $public $($families)?);)*
                all.into_iter()
            }

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

key_types!(key_type);

impl EccFamily {
    /// Whether its curves are Weierstrass ones, whose points have two coordinates.
    pub const fn weierstrass(self) -> bool {
        !matches!(self, Self::TwistedEdwards | Self::Montgomery)
    }
}

impl KeyType {
    /// The curve family of an elliptic-curve key.
    pub const fn family(self) -> Option<EccFamily> {
        match self {
            Self::EccKeyPair(family) | Self::EccPublicKey(family) => Some(family),
            _ => None,
        }
    }
}
