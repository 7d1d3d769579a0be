//! Messages of the operations that make keys, move them, and agree on them. Encodings are those of the PSA Crypto API.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::message::{Algorithm, KeyAttributes, Pkcs11Attribute};
use prost::Message;

/// Creates a key.
#[derive(Clone, PartialEq, Message)]
pub struct GenerateKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    /// Extension: a label for people; without one, the key's name.
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// Extension: PKCS#11 CKA_ID; without one, SHA-1 of the public value.
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// Extension: the key is never written down and ends with the application that [`Hello`](super::Hello) named.
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// Extension: kept with the key.
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// Extension: of a key that brings its [`Group`](crate::group::Group), its DER; empty: a new group.
    #[prost(bytes = "vec", tag = "104")]
    pub group: Vec<u8>,
}

/// Stores a key that the caller has.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct ImportKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    #[prost(bytes = "vec", tag = "3")]
    pub data: Vec<u8>,
    /// Extension: as of [`GenerateKey`].
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// Extension: as of [`GenerateKey`].
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// Extension: as of [`GenerateKey`].
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// Extension: as of [`GenerateKey`].
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
}

/// Destroys a key.
#[derive(Clone, PartialEq, Message)]
pub struct DestroyKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// The public half of a key.
#[derive(Clone, PartialEq, Message)]
pub struct ExportPublicKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// A whole key, where its policy allows that.
#[derive(Clone, PartialEq, Message)]
pub struct ExportKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Result of [`ExportKey`] and [`ExportPublicKey`].
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Exported {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

/// A shared secret, not derived further.
#[derive(Clone, PartialEq, Message)]
pub struct RawKeyAgreement {
    /// Number of a [`crate::algorithm::Agreement`].
    #[prost(int32, tag = "1")]
    pub alg: i32,
    #[prost(string, tag = "2")]
    pub key_name: String,
    /// The peer's public key, as exported.
    #[prost(bytes = "vec", tag = "3")]
    pub peer_key: Vec<u8>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Result of [`RawKeyAgreement`], and of [`Decapsulate`], where it is empty if the secret became a key.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Agreed {
    #[prost(bytes = "vec", tag = "1")]
    pub shared_secret: Vec<u8>,
}

/// Encrypts a key with another one, so that it can leave: a secret key as its bytes, a pair as PKCS#8 `PrivateKeyInfo`
/// (RFC 5208).
#[derive(Clone, PartialEq, Message)]
pub struct WrapKey {
    /// The key that leaves.
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// The key that wraps it.
    #[prost(string, tag = "2")]
    pub with_name: String,
    /// A cipher or an asymmetric encryption.
    #[prost(message, optional, tag = "3")]
    pub alg: Option<Algorithm>,
    /// Of a cipher that has one: the initialisation vector; without it, the provider makes a fresh one. Who was granted `wrap` but
    /// not `decrypt` cannot choose it.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub iv: Option<Vec<u8>>,
    /// The OAEP label.
    #[prost(bytes = "vec", tag = "5")]
    pub salt: Vec<u8>,
    /// The owner of the key that leaves, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
    /// The owner of the key that wraps, where that is not the caller.
    #[prost(string, optional, tag = "101")]
    pub with_owner: Option<String>,
}

/// Result of [`WrapKey`].
#[derive(Clone, PartialEq, Message)]
pub struct Wrapped {
    /// The initialisation vector of a cipher that has one, then the encrypted key.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

/// Decrypts a key into the service. Whatever is wrong with the data, the answer is [`PsaErrorInvalidSignature`].
///
/// [`PsaErrorInvalidSignature`]: crate::Status::PsaErrorInvalidSignature
#[derive(Clone, PartialEq, Message)]
pub struct UnwrapKey {
    /// The new key.
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Of the new key. It cannot be exported, unless the unwrapping key decrypts too. Of two Weierstrass curves, it is on that which the
    /// wrapped key names.
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    /// As [`WrapKey`] made it.
    #[prost(bytes = "vec", tag = "3")]
    pub data: Vec<u8>,
    /// The key that unwraps.
    #[prost(string, tag = "4")]
    pub with_name: String,
    /// A cipher or an asymmetric encryption.
    #[prost(message, optional, tag = "5")]
    pub alg: Option<Algorithm>,
    /// The OAEP label.
    #[prost(bytes = "vec", tag = "6")]
    pub salt: Vec<u8>,
    /// As of [`GenerateKey`].
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// As of [`GenerateKey`].
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// As of [`GenerateKey`].
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// As of [`GenerateKey`].
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// The owner of the key that unwraps, where that is not the caller.
    #[prost(string, optional, tag = "104")]
    pub with_owner: Option<String>,
}

/// Makes a second key of one that the caller owns, which may do no more than the first.
#[derive(Clone, PartialEq, Message)]
pub struct CopyKey {
    /// The new key.
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Of the new key: type and size of the original, and no use or algorithm that its policy does not permit.
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    /// The name of the original.
    #[prost(string, tag = "3")]
    pub of: String,
    /// The UUID of the original, where no other key that has come to its name will do.
    #[prost(string, tag = "4")]
    pub of_uuid: String,
    /// As of [`GenerateKey`].
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// As of [`GenerateKey`].
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// As of [`GenerateKey`].
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// As of [`GenerateKey`].
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
}

/// Makes a secret key out of another key.
#[derive(Clone, PartialEq, Message)]
pub struct DeriveKey {
    /// The new key.
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Of the new key. Zero bits: as many as the derivation yields, where it has a length of its own.
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    /// The base: a key that agrees, or a secret key.
    #[prost(string, tag = "3")]
    pub with_name: String,
    /// A key agreement (the secret's first bytes are the key), one with a derivation, or a derivation.
    #[prost(message, optional, tag = "4")]
    pub alg: Option<Algorithm>,
    /// Of agreements: the peer's public key, as exported.
    #[prost(bytes = "vec", tag = "5")]
    pub peer_key: Vec<u8>,
    /// HKDF: the info. X9.63: the shared data. Concatenation and encryption: the data.
    #[prost(bytes = "vec", tag = "6")]
    pub data: Vec<u8>,
    /// HKDF: the salt, where no other key is it. Encryption with a cipher that has one: the initialisation vector.
    #[prost(bytes = "vec", tag = "7")]
    pub salt: Vec<u8>,
    /// HKDF: the key that is the salt. Concatenation: the key that comes last.
    #[prost(string, optional, tag = "8")]
    pub other_name: Option<String>,
    /// Concatenation: the data comes first.
    #[prost(bool, tag = "9")]
    pub data_first: bool,
    /// HKDF: one of its two steps alone, number of an [`HkdfStep`](super::HkdfStep).
    #[prost(int32, optional, tag = "10")]
    pub step: Option<i32>,
    /// As of [`GenerateKey`].
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// As of [`GenerateKey`].
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// As of [`GenerateKey`].
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// As of [`GenerateKey`].
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// The owner of the base, where that is not the caller.
    #[prost(string, optional, tag = "104")]
    pub with_owner: Option<String>,
    /// The owner of the other key, where that is not the caller.
    #[prost(string, optional, tag = "105")]
    pub other_owner: Option<String>,
}

/// Makes a secret and encapsulates it for the owner of a private key (PSA Crypto API 1.3 §10.12). The secret becomes a key, or is told
/// to the caller.
#[derive(Clone, PartialEq, Message)]
pub struct Encapsulate {
    /// The new key, where attributes tell what it shall be.
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Of the new key; without them, the caller is told the secret.
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    /// The key for whose owner the secret is; its public half suffices.
    #[prost(string, tag = "3")]
    pub with_name: String,
    /// A key encapsulation.
    #[prost(message, optional, tag = "4")]
    pub alg: Option<Algorithm>,
    /// As of [`GenerateKey`].
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// As of [`GenerateKey`].
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// As of [`GenerateKey`].
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// As of [`GenerateKey`].
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// The owner of the key for whose owner the secret is, where that is not the caller.
    #[prost(string, optional, tag = "104")]
    pub with_owner: Option<String>,
}

/// Result of [`Encapsulate`].
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Encapsulated {
    #[prost(bytes = "vec", tag = "1")]
    pub ciphertext: Vec<u8>,
    /// Empty where it became a key.
    #[prost(bytes = "vec", tag = "2")]
    pub shared_secret: Vec<u8>,
}

/// Recovers the secret of [`Encapsulate`]. A ciphertext that no encapsulation made gives a secret that nobody knows (FIPS 203 §6.3).
#[derive(Clone, PartialEq, Message)]
pub struct Decapsulate {
    /// As of [`Encapsulate`].
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// As of [`Encapsulate`].
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<KeyAttributes>,
    /// The private key.
    #[prost(string, tag = "3")]
    pub with_name: String,
    /// A key encapsulation.
    #[prost(message, optional, tag = "4")]
    pub alg: Option<Algorithm>,
    #[prost(bytes = "vec", tag = "5")]
    pub ciphertext: Vec<u8>,
    /// As of [`GenerateKey`].
    #[prost(string, optional, tag = "100")]
    pub label: Option<String>,
    /// As of [`GenerateKey`].
    #[prost(bytes = "vec", optional, tag = "101")]
    pub id: Option<Vec<u8>>,
    /// As of [`GenerateKey`].
    #[prost(bool, tag = "102")]
    pub volatile: bool,
    /// As of [`GenerateKey`].
    #[prost(message, repeated, tag = "103")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// The owner of the private key, where that is not the caller.
    #[prost(string, optional, tag = "104")]
    pub with_owner: Option<String>,
}

crate::secret::wiped! {
    ImportKey.data,
    Exported.data,
    Agreed.shared_secret,
    Encapsulated.shared_secret,
}
