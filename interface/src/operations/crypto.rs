//! Messages of the operations that use keys, and of those that need none. Encodings are those of the PSA Crypto API.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::algorithm::numbered;
use crate::message::{Aead, AsymmetricEncryption, AsymmetricSignature, KeyAttributes, Mac};
use prost::Message;

/// Signs a hash.
#[derive(Clone, PartialEq, Message)]
pub struct SignHash {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<AsymmetricSignature>,
    #[prost(bytes = "vec", tag = "3")]
    pub hash: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
    /// Extension: the context of ML-DSA, at most 255 bytes (FIPS 204 §5.2); empty for every other algorithm.
    #[prost(bytes = "vec", tag = "101")]
    pub context: Vec<u8>,
}

/// Verifies the signature of a hash.
#[derive(Clone, PartialEq, Message)]
pub struct VerifyHash {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<AsymmetricSignature>,
    #[prost(bytes = "vec", tag = "3")]
    pub hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
    /// Extension: as of [`SignHash`].
    #[prost(bytes = "vec", tag = "101")]
    pub context: Vec<u8>,
}

/// Hashes and signs a message.
#[derive(Clone, PartialEq, Message)]
pub struct SignMessage {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<AsymmetricSignature>,
    #[prost(bytes = "vec", tag = "3")]
    pub message: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
    /// Extension: as of [`SignHash`].
    #[prost(bytes = "vec", tag = "101")]
    pub context: Vec<u8>,
}

/// Verifies the signature of a message.
#[derive(Clone, PartialEq, Message)]
pub struct VerifyMessage {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<AsymmetricSignature>,
    #[prost(bytes = "vec", tag = "3")]
    pub message: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
    /// Extension: as of [`SignHash`].
    #[prost(bytes = "vec", tag = "101")]
    pub context: Vec<u8>,
}

/// Result of [`SignHash`] and [`SignMessage`].
#[derive(Clone, PartialEq, Message)]
pub struct Signed {
    #[prost(bytes = "vec", tag = "1")]
    pub signature: Vec<u8>,
}

/// Encrypts with a public key.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct AsymmetricEncrypt {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<AsymmetricEncryption>,
    #[prost(bytes = "vec", tag = "3")]
    pub plaintext: Vec<u8>,
    /// The OAEP label.
    #[prost(bytes = "vec", tag = "4")]
    pub salt: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Decrypts with a private key.
#[derive(Clone, PartialEq, Message)]
pub struct AsymmetricDecrypt {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<AsymmetricEncryption>,
    #[prost(bytes = "vec", tag = "3")]
    pub ciphertext: Vec<u8>,
    /// The OAEP label.
    #[prost(bytes = "vec", tag = "4")]
    pub salt: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Encrypts and authenticates.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct AeadEncrypt {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<Aead>,
    /// Used once. Extension: where it is empty, the provider makes one of [`FRESH_NONCE`] random bytes. Who was granted `encrypt` but not
    /// `decrypt` cannot choose it.
    #[prost(bytes = "vec", tag = "3")]
    pub nonce: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub additional_data: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub plaintext: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Decrypts what authenticates.
#[derive(Clone, PartialEq, Message)]
pub struct AeadDecrypt {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<Aead>,
    #[prost(bytes = "vec", tag = "3")]
    pub nonce: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub additional_data: Vec<u8>,
    /// Ciphertext, then tag.
    #[prost(bytes = "vec", tag = "5")]
    pub ciphertext: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Encrypts without authentication.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct CipherEncrypt {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Number of a [`crate::algorithm::Cipher`].
    #[prost(int32, tag = "2")]
    pub alg: i32,
    #[prost(bytes = "vec", tag = "3")]
    pub plaintext: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
    /// Extension: the initialisation vector to use; without one, the provider makes a fresh one. Who was granted `encrypt` but not
    /// `decrypt` cannot choose it.
    #[prost(bytes = "vec", optional, tag = "101")]
    pub iv: Option<Vec<u8>>,
}

/// Decrypts without authentication.
#[derive(Clone, PartialEq, Message)]
pub struct CipherDecrypt {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Number of a [`crate::algorithm::Cipher`].
    #[prost(int32, tag = "2")]
    pub alg: i32,
    /// IV, then ciphertext.
    #[prost(bytes = "vec", tag = "3")]
    pub ciphertext: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Length in bytes of a nonce that the provider makes for [`AeadEncrypt`]. So many random bits are enough for 2³² messages under one
/// key (NIST SP 800-38D §8.3); the provider does not count them.
pub const FRESH_NONCE: usize = 12;

/// Result of the encrypting operations: of an authenticated cipher the ciphertext, then the tag. A nonce or an initialisation vector
/// stands before it: of [`CipherEncrypt`] always, of [`AeadEncrypt`] where the provider made it.
#[derive(Clone, PartialEq, Message)]
pub struct Encrypted {
    #[prost(bytes = "vec", tag = "1")]
    pub ciphertext: Vec<u8>,
}

/// Result of the decrypting operations.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Decrypted {
    #[prost(bytes = "vec", tag = "1")]
    pub plaintext: Vec<u8>,
}

/// The MAC of a message.
#[derive(Clone, PartialEq, Message)]
pub struct MacCompute {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<Mac>,
    #[prost(bytes = "vec", tag = "3")]
    pub input: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Verifies the MAC of a message.
#[derive(Clone, PartialEq, Message)]
pub struct MacVerify {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub alg: Option<Mac>,
    #[prost(bytes = "vec", tag = "3")]
    pub input: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub mac: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Result of [`MacCompute`].
#[derive(Clone, PartialEq, Message)]
pub struct Maced {
    #[prost(bytes = "vec", tag = "1")]
    pub mac: Vec<u8>,
}

/// The hash of a message.
#[derive(Clone, PartialEq, Message)]
pub struct HashCompute {
    /// Number of a [`crate::algorithm::Hash`].
    #[prost(int32, tag = "1")]
    pub alg: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub input: Vec<u8>,
}

/// Result of [`HashCompute`].
#[derive(Clone, PartialEq, Message)]
pub struct Hashed {
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
}

/// Compares the hash of a message.
#[derive(Clone, PartialEq, Message)]
pub struct HashCompare {
    /// Number of a [`crate::algorithm::Hash`].
    #[prost(int32, tag = "1")]
    pub alg: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub input: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub hash: Vec<u8>,
}

/// Random bytes.
#[derive(Clone, PartialEq, Message)]
pub struct GenerateRandom {
    /// In bytes.
    #[prost(uint64, tag = "1")]
    pub size: u64,
}

/// Result of [`GenerateRandom`].
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Random {
    #[prost(bytes = "vec", tag = "1")]
    pub random_bytes: Vec<u8>,
}

/// Whether the provider could do this with such a key.
#[derive(Clone, PartialEq, Message)]
pub struct CanDoCrypto {
    /// Number of a [`CheckType`].
    #[prost(int32, tag = "1")]
    pub check_type: i32,
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
}

numbered! {
    /// The steps of HKDF (RFC 5869 §2).
    HkdfStep { Extract = 1, Expand = 2, }
}

numbered! {
    /// What [`CanDoCrypto`] asks.
    CheckType { Use = 1, Generate = 2, Import = 3, Derive = 4, }
}

crate::secret::wiped! {
    AsymmetricEncrypt.plaintext,
    AeadEncrypt.plaintext,
    CipherEncrypt.plaintext,
    Decrypted.plaintext,
    Random.random_bytes,
}
