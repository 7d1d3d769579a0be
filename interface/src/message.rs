//! The protobuf messages of keys and algorithms, as upstream numbers them. Field numbers are the wire format; names are not.
//!
//! Programs use the enums of [`crate::algorithm`] and [`crate::attributes`]; these twins exist because protobuf's oneofs nest
//! three deep. Numbers from 100 up are extensions, which a decoder that does not know them skips.
//! Enumerations are `int32` fields, which protobuf encodes alike.

use crate::Status;
use prost::{Message, Oneof};

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

macro_rules! oneofs {
    ($($(#[$doc:meta])* $name:ident($module:ident, $path:tt, $tags:tt) { $($(#[$kind:meta])* $variant:ident($type:ty),)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Message)]
        pub struct $name {
            /// The variant that is set; none is invalid.
            #[prost(oneof = $path, tags = $tags)]
            pub variant: Option<$module::Variant>,
        }

        #[expect(missing_docs, reason = "the variants are named as in the PSA Crypto API")]
        pub mod $module {
            #[allow(unused_imports)]
            use super::*;

            #[derive(Clone, PartialEq, Oneof)]
            pub enum Variant { $($(#[$kind])* $variant($type),)* }
        }

        impl From<$module::Variant> for $name {
            fn from(variant: $module::Variant) -> Self {
                Self { variant: Some(variant) }
            }
        }
    )* };
}

oneofs! {
    /// Any algorithm; what a key policy permits.
    Algorithm(algorithm, "algorithm::Variant", "1, 2, 3, 4, 5, 6, 7, 8, 9, 100") {
        #[prost(message, tag = "1")] None(Empty),
        #[prost(int32, tag = "2")] Hash(i32),
        #[prost(message, tag = "3")] Mac(Mac),
        #[prost(int32, tag = "4")] Cipher(i32),
        #[prost(message, tag = "5")] Aead(Aead),
        #[prost(message, tag = "6")] AsymmetricSignature(AsymmetricSignature),
        #[prost(message, tag = "7")] AsymmetricEncryption(AsymmetricEncryption),
        #[prost(message, tag = "8")] KeyAgreement(KeyAgreement),
        #[prost(message, tag = "9")] KeyDerivation(KeyDerivation),
        #[prost(int32, tag = "100")] Kem(i32),
    }
    /// A MAC, at its full length or cut.
    Mac(mac, "mac::Variant", "1, 2") {
        #[prost(message, tag = "1")] FullLength(FullLengthMac),
        #[prost(message, tag = "2")] Truncated(TruncatedMac),
    }
    /// A MAC at its full length.
    FullLengthMac(full_length_mac, "full_length_mac::Variant", "1, 2, 3") {
        #[prost(message, tag = "1")] Hmac(HashAlg),
        #[prost(message, tag = "2")] CbcMac(Empty),
        #[prost(message, tag = "3")] Cmac(Empty),
    }
    /// Authenticated encryption.
    Aead(aead, "aead::Variant", "1, 2") {
        #[prost(int32, tag = "1")] DefaultLengthTag(i32),
        #[prost(message, tag = "2")] ShortenedTag(ShortenedAead),
    }
    /// The hash of a signature scheme: one, or (in a policy) any.
    SignHash(sign_hash, "sign_hash::Variant", "1, 2") {
        #[prost(message, tag = "1")] Any(Empty),
        #[prost(int32, tag = "2")] Specific(i32),
    }
    /// A signature scheme.
    AsymmetricSignature(asymmetric_signature, "asymmetric_signature::Variant", "1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109") {
        #[prost(message, tag = "1")] RsaPkcs1v15Sign(SignHashAlg),
        #[prost(message, tag = "2")] RsaPkcs1v15SignRaw(Empty),
        #[prost(message, tag = "3")] RsaPss(SignHashAlg),
        #[prost(message, tag = "4")] Ecdsa(SignHashAlg),
        #[prost(message, tag = "5")] EcdsaAny(Empty),
        #[prost(message, tag = "6")] DeterministicEcdsa(SignHashAlg),
        #[prost(message, tag = "100")] PureEddsa(Empty),
        #[prost(message, tag = "101")] MlDsa(Empty),
        #[prost(message, tag = "102")] HashMlDsa(SignHashAlg),
        #[prost(message, tag = "103")] RsaRaw(Empty),
        #[prost(message, tag = "104")] RsaPssWith(PssParameters),
        #[prost(message, tag = "105")] Ed25519ctx(Empty),
        #[prost(message, tag = "106")] Ed25519ph(Empty),
        #[prost(message, tag = "107")] Ed448ph(Empty),
        #[prost(message, tag = "108")] Dsa(SignHashAlg),
        #[prost(message, tag = "109")] DsaAny(Empty),
    }
    /// An asymmetric encryption scheme.
    AsymmetricEncryption(asymmetric_encryption, "asymmetric_encryption::Variant", "1, 2, 100, 101") {
        #[prost(message, tag = "1")] RsaPkcs1v15Crypt(Empty),
        #[prost(message, tag = "2")] RsaOaep(HashAlg),
        #[prost(message, tag = "100")] RsaRaw(Empty),
        #[prost(message, tag = "101")] RsaOaepWith(OaepParameters),
    }
    /// A key agreement, raw or feeding a derivation.
    KeyAgreement(key_agreement, "key_agreement::Variant", "1, 2") {
        #[prost(int32, tag = "1")] Raw(i32),
        #[prost(message, tag = "2")] WithKeyDerivation(AgreementWithDerivation),
    }
    /// A key derivation.
    KeyDerivation(key_derivation, "key_derivation::Variant", "1, 2, 3, 100, 101, 102, 103") {
        #[prost(message, tag = "1")] Hkdf(HashAlg),
        #[prost(message, tag = "2")] Tls12Prf(HashAlg),
        #[prost(message, tag = "3")] Tls12PskToMs(HashAlg),
        #[prost(message, tag = "100")] X963(HashAlg),
        #[prost(message, tag = "101")] Digest(HashAlg),
        #[prost(message, tag = "102")] Concatenate(Empty),
        #[prost(int32, tag = "103")] Encrypt(i32),
    }
    /// The type of a key.
    KeyType(key_type, "key_type::Variant", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 100, 101, 102, 103, 104, 105") {
        #[prost(message, tag = "1")] RawData(Empty),
        #[prost(message, tag = "2")] Hmac(Empty),
        #[prost(message, tag = "3")] Derive(Empty),
        #[prost(message, tag = "4")] Aes(Empty),
        #[prost(message, tag = "5")] Des(Empty),
        #[prost(message, tag = "6")] Camellia(Empty),
        #[prost(message, tag = "7")] Arc4(Empty),
        #[prost(message, tag = "8")] Chacha20(Empty),
        #[prost(message, tag = "9")] RsaPublicKey(Empty),
        #[prost(message, tag = "10")] RsaKeyPair(Empty),
        #[prost(message, tag = "11")] EccKeyPair(Family),
        #[prost(message, tag = "12")] EccPublicKey(Family),
        #[prost(message, tag = "13")] DhKeyPair(Family),
        #[prost(message, tag = "14")] DhPublicKey(Family),
        #[prost(message, tag = "100")] MlDsaKeyPair(Empty),
        #[prost(message, tag = "101")] MlDsaPublicKey(Empty),
        #[prost(message, tag = "102")] MlKemKeyPair(Empty),
        #[prost(message, tag = "103")] MlKemPublicKey(Empty),
        #[prost(message, tag = "104")] DsaKeyPair(Empty),
        #[prost(message, tag = "105")] DsaPublicKey(Empty),
    }
}

/// A parameter that is one hash.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct HashAlg {
    /// Number of the hash.
    #[prost(int32, tag = "1")]
    pub hash_alg: i32,
}

/// A parameter that is the hash of a signature scheme.
#[derive(Clone, PartialEq, Message)]
pub struct SignHashAlg {
    /// Mandatory.
    #[prost(message, optional, tag = "1")]
    pub hash_alg: Option<SignHash>,
}

/// The parameters of PSS.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PssParameters {
    /// Number of the hash.
    #[prost(int32, tag = "1")]
    pub hash_alg: i32,
    /// Number of MGF1's hash.
    #[prost(int32, tag = "2")]
    pub mgf_hash_alg: i32,
    /// In bytes.
    #[prost(uint32, tag = "3")]
    pub salt_length: u32,
}

/// The parameters of OAEP beside its label.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct OaepParameters {
    /// Number of the hash.
    #[prost(int32, tag = "1")]
    pub hash_alg: i32,
    /// Number of MGF1's hash.
    #[prost(int32, tag = "2")]
    pub mgf_hash_alg: i32,
}

/// A MAC cut to a length.
#[derive(Clone, PartialEq, Message)]
pub struct TruncatedMac {
    /// Mandatory.
    #[prost(message, optional, tag = "1")]
    pub mac_alg: Option<FullLengthMac>,
    /// In bytes.
    #[prost(uint32, tag = "2")]
    pub mac_length: u32,
}

/// Authenticated encryption with a tag cut to a length.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ShortenedAead {
    /// Number of the algorithm.
    #[prost(int32, tag = "1")]
    pub aead_alg: i32,
    /// In bytes.
    #[prost(uint32, tag = "2")]
    pub tag_length: u32,
}

/// A key agreement whose secret feeds a derivation.
#[derive(Clone, PartialEq, Message)]
pub struct AgreementWithDerivation {
    /// Number of the agreement.
    #[prost(int32, tag = "1")]
    pub ka_alg: i32,
    /// Mandatory.
    #[prost(message, optional, tag = "2")]
    pub kdf_alg: Option<KeyDerivation>,
}

/// The curve or group family of a key type.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Family {
    /// Number of the family.
    #[prost(int32, tag = "1")]
    pub family: i32,
}

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
