//! The protobuf messages of keys and algorithms, as upstream numbers them. Field numbers are the wire format; names are not.
//!
//! Numbers from 100 up are extensions. A decoder that does not know them skips them. Enumerations are `int32` fields; protobuf
//! encodes both alike.

pub use crate::oneof::{Choice, OneOf};

use crate::{Status, algorithm, key_type};

/// A mandatory sub-message; its absence is [`Status::InvalidEncoding`].
pub fn required<T>(field: Option<&T>) -> Result<&T, Status> {
    field.ok_or(Status::InvalidEncoding)
}

/// Messages: of each field the number, how prost encodes it, its name and type. What several messages have alike stands here.
macro_rules! messages {
    (@with owner $head:tt $name:ident { $($fields:tt)* }) => {
        $crate::message::messages! { @with $head $name {
            $($fields)*
            /// Extension: the owning principal, where that is not the caller.
            100 (string, optional) owner: Option<String>,
        } }
    };
    (@with filing $head:tt $name:ident { $($fields:tt)* }) => {
        $crate::message::messages! { @with $head $name {
            $($fields)*
            /// Extension: a label for people; without one, the key's name.
            100 (string, optional) label: Option<String>,
            /// Extension: PKCS#11 CKA_ID; without one, SHA-1 of the public value.
            101 (bytes = "vec", optional) id: Option<Vec<u8>>,
            /// Extension: the key is never written down and ends with the application that [`Hello`](super::Hello) named.
            102 (bool) volatile: bool,
            /// Extension: kept with the key.
            103 (message, repeated) pkcs11: Vec<$crate::message::Pkcs11Attribute>,
        } }
    };
    (@with [$($head:tt)*] $name:ident { $($(#[$about:meta])* $number:literal ($($kind:tt)*) $field:ident: $type:ty,)* }) => {
        #[derive(Clone, PartialEq, prost::Message)]
        $($head)*
        pub struct $name { $($(#[$about])* #[prost($($kind)*, tag = $number)] pub $field: $type,)* }
    };
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $number:literal ($($kind:tt)*) $field:ident: $type:ty),* $(,)? } $(+ $part:ident)?)*) => {
        $($crate::message::messages! { @with $($part)? [$(#[$doc])*] $name { $($(#[$about])* $number ($($kind)*) $field: $type,)* } })*
    };
}
pub(crate) use messages;

messages! {
    /// A message without fields.
    #[derive(Copy, Eq)]
    Empty {}

    /// Extension: an attribute of PKCS#11 that the service keeps for its clients as it is.
    #[derive(Eq, Hash)]
    Pkcs11Attribute {
        /// The `CK_ATTRIBUTE_TYPE`. The upper 32 bits tell which of several parts of a record has it; they do not count in a search.
        1 (uint64) kind: u64,
        /// The value, in the encoding of the client's machine.
        2 (bytes = "vec") value: Vec<u8>,
    }
}

/// What a field of an operation holds, by the name that upstream's protocol has for it.
pub type Algorithm = OneOf<algorithm::Algorithm>;
/// See [`algorithm::Mac`].
pub type Mac = OneOf<algorithm::Mac>;
/// See [`algorithm::Aead`].
pub type Aead = OneOf<algorithm::Aead>;
/// See [`algorithm::Signature`].
pub type AsymmetricSignature = OneOf<algorithm::Signature>;
/// See [`algorithm::Encryption`].
pub type AsymmetricEncryption = OneOf<algorithm::Encryption>;
/// See [`key_type::KeyType`].
pub type KeyType = OneOf<key_type::KeyType>;

messages! {
    /// What a key is and what it may do.
    KeyAttributes {
        /// Mandatory.
        1 (message, optional) key_type: Option<KeyType>,
        /// Zero on import: as the key's data says.
        2 (uint32) key_bits: u32,
        /// Mandatory.
        3 (message, optional) key_policy: Option<KeyPolicy>,
    }

    /// What a key may do, and with which algorithms.
    KeyPolicy {
        /// Mandatory.
        1 (message, optional) key_usage_flags: Option<UsageFlags>,
        /// Mandatory.
        2 (message, optional) key_algorithm: Option<Algorithm>,
        /// Extension: further permitted algorithms.
        100 (message, repeated) also: Vec<Algorithm>,
    }

    /// What a key may do, a flag each.
    #[derive(Copy, Eq)]
    #[expect(missing_docs, reason = "the flags are named as in the PSA Crypto API")]
    UsageFlags {
        1 (bool) export: bool,
        2 (bool) copy: bool,
        3 (bool) cache: bool,
        4 (bool) encrypt: bool,
        5 (bool) decrypt: bool,
        6 (bool) sign_message: bool,
        7 (bool) verify_message: bool,
        8 (bool) sign_hash: bool,
        9 (bool) verify_hash: bool,
        10 (bool) derive: bool,
        /// Extension: to encrypt other keys.
        100 (bool) wrap: bool,
        /// Extension: to decrypt other keys into the service.
        101 (bool) unwrap: bool,
    }
}
