//! The protobuf messages of keys and algorithms, as upstream numbers them. Field numbers are the wire format; names are not.
//!
//! Numbers from 100 up are extensions, which a decoder that does not know them skips. Enumerations are `int32` fields, which protobuf
//! encodes alike.

pub use crate::oneof::{Choice, OneOf};

use crate::{Status, algorithm, key_type};
use prost::Message;

/// A mandatory sub-message; its absence is [`Status::InvalidEncoding`].
pub fn required<T>(field: Option<&T>) -> Result<&T, Status> {
    field.ok_or(Status::InvalidEncoding)
}

/// A message without fields.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Empty {}

/// Extension: an attribute of PKCS#11 that the service keeps for its clients as it is.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Pkcs11Attribute {
    /// The `CK_ATTRIBUTE_TYPE`. The upper 32 bits tell which of several parts of a record has it; they do not count in a search.
    #[prost(uint64, tag = "1")]
    pub kind: u64,
    /// The value, in the encoding of the client's machine.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
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

/// What a key is and what it may do.
#[derive(Clone, PartialEq, Message)]
pub struct KeyAttributes {
    /// Mandatory.
    #[prost(message, optional, tag = "1")]
    pub key_type: Option<KeyType>,
    /// Zero on import: as the key's data says.
    #[prost(uint32, tag = "2")]
    pub key_bits: u32,
    /// Mandatory.
    #[prost(message, optional, tag = "3")]
    pub key_policy: Option<KeyPolicy>,
}

/// What a key may do, and with which algorithms.
#[derive(Clone, PartialEq, Message)]
pub struct KeyPolicy {
    /// Mandatory.
    #[prost(message, optional, tag = "1")]
    pub key_usage_flags: Option<UsageFlags>,
    /// Mandatory.
    #[prost(message, optional, tag = "2")]
    pub key_algorithm: Option<Algorithm>,
    /// Extension: further permitted algorithms.
    #[prost(message, repeated, tag = "100")]
    pub also: Vec<Algorithm>,
}

/// What a key may do, a flag each.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the flags are named as in the PSA Crypto API")]
pub struct UsageFlags {
    #[prost(bool, tag = "1")]
    pub export: bool,
    #[prost(bool, tag = "2")]
    pub copy: bool,
    #[prost(bool, tag = "3")]
    pub cache: bool,
    #[prost(bool, tag = "4")]
    pub encrypt: bool,
    #[prost(bool, tag = "5")]
    pub decrypt: bool,
    #[prost(bool, tag = "6")]
    pub sign_message: bool,
    #[prost(bool, tag = "7")]
    pub verify_message: bool,
    #[prost(bool, tag = "8")]
    pub sign_hash: bool,
    #[prost(bool, tag = "9")]
    pub verify_hash: bool,
    #[prost(bool, tag = "10")]
    pub derive: bool,
    /// Extension: to encrypt other keys.
    #[prost(bool, tag = "100")]
    pub wrap: bool,
    /// Extension: to decrypt other keys into the service.
    #[prost(bool, tag = "101")]
    pub unwrap: bool,
}
