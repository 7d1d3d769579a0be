//! Messages of the operations that make keys, move them, and agree on them. Encodings are those of the PSA Crypto API.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::message::{Algorithm, KeyAttributes, messages};

messages! {
    /// Creates a key.
    GenerateKey {
        1 (string) key_name: String,
        2 (message, optional) attributes: Option<KeyAttributes>,
        /// Extension: of a key that brings its [`Group`](crate::group::Group), its DER; empty: a new group.
        104 (bytes = "vec") group: Vec<u8>,
    } + filing

    /// Stores a key that the caller has.
    #[prost(skip_debug)]
    ImportKey {
        1 (string) key_name: String,
        2 (message, optional) attributes: Option<KeyAttributes>,
        3 (bytes = "vec") data: Vec<u8>,
    } + filing

    /// Destroys a key.
    DestroyKey { 1 (string) key_name: String } + owner

    /// The public half of a key.
    ExportPublicKey { 1 (string) key_name: String } + owner

    /// A whole key, where its policy allows that.
    ExportKey { 1 (string) key_name: String } + owner

    /// Result of [`ExportKey`] and [`ExportPublicKey`].
    #[prost(skip_debug)]
    Exported { 1 (bytes = "vec") data: Vec<u8> }

    /// A shared secret, not derived further.
    RawKeyAgreement {
        /// Number of a [`crate::algorithm::Agreement`].
        1 (int32) alg: i32,
        2 (string) key_name: String,
        /// The peer's public key, as exported.
        3 (bytes = "vec") peer_key: Vec<u8>,
    } + owner

    /// Result of [`RawKeyAgreement`], and of [`Decapsulate`], where it is empty if the secret became a key.
    #[prost(skip_debug)]
    Agreed { 1 (bytes = "vec") shared_secret: Vec<u8> }

    /// Encrypts a key with another one, so that it can leave: a secret key as its bytes, a pair as PKCS#8 `PrivateKeyInfo`
    /// (RFC 5208).
    WrapKey {
        /// The key that leaves.
        1 (string) key_name: String,
        /// The key that wraps it.
        2 (string) with_name: String,
        /// A cipher or an asymmetric encryption.
        3 (message, optional) alg: Option<Algorithm>,
        /// Of a cipher that has one: the initialisation vector; without it, the provider makes a fresh one. Who was granted `wrap` but
        /// not `decrypt` cannot choose it.
        4 (bytes = "vec", optional) iv: Option<Vec<u8>>,
        /// The OAEP label.
        5 (bytes = "vec") salt: Vec<u8>,
        /// The owner of the key that leaves, where that is not the caller.
        100 (string, optional) owner: Option<String>,
        /// The owner of the key that wraps, where that is not the caller.
        101 (string, optional) with_owner: Option<String>,
    }

    /// Result of [`WrapKey`].
    Wrapped {
        /// The initialisation vector of a cipher that has one, then the encrypted key.
        1 (bytes = "vec") data: Vec<u8>,
    }

    /// Decrypts a key into the service. Whatever is wrong with the data, the answer is [`PsaErrorInvalidSignature`].
    ///
    /// [`PsaErrorInvalidSignature`]: crate::Status::PsaErrorInvalidSignature
    UnwrapKey {
        /// The new key.
        1 (string) key_name: String,
        /// Of the new key. It cannot be exported, unless the unwrapping key decrypts too. Of two Weierstrass curves, it is on that which the
        /// wrapped key names.
        2 (message, optional) attributes: Option<KeyAttributes>,
        /// As [`WrapKey`] made it.
        3 (bytes = "vec") data: Vec<u8>,
        /// The key that unwraps.
        4 (string) with_name: String,
        /// A cipher or an asymmetric encryption.
        5 (message, optional) alg: Option<Algorithm>,
        /// The OAEP label.
        6 (bytes = "vec") salt: Vec<u8>,
        /// The owner of the key that unwraps, where that is not the caller.
        104 (string, optional) with_owner: Option<String>,
    } + filing

    /// Makes a second key of one that the caller owns, which may do no more than the first.
    CopyKey {
        /// The new key.
        1 (string) key_name: String,
        /// Of the new key: type and size of the original, and no use or algorithm that its policy does not permit.
        2 (message, optional) attributes: Option<KeyAttributes>,
        /// The name of the original.
        3 (string) of: String,
        /// The UUID of the original, where no other key that has come to its name will do.
        4 (string) of_uuid: String,
    } + filing

    /// Makes a secret key out of another key.
    DeriveKey {
        /// The new key.
        1 (string) key_name: String,
        /// Of the new key. Zero bits: as many as the derivation yields, where it has a length of its own.
        2 (message, optional) attributes: Option<KeyAttributes>,
        /// The base: a key that agrees, or a secret key.
        3 (string) with_name: String,
        /// A key agreement (the secret's first bytes are the key), one with a derivation, or a derivation.
        4 (message, optional) alg: Option<Algorithm>,
        /// Of agreements: the peer's public key, as exported.
        5 (bytes = "vec") peer_key: Vec<u8>,
        /// HKDF: the info. X9.63: the shared data. Concatenation and encryption: the data.
        6 (bytes = "vec") data: Vec<u8>,
        /// HKDF: the salt, where no other key is it. Encryption with a cipher that has one: the initialisation vector.
        7 (bytes = "vec") salt: Vec<u8>,
        /// HKDF: the key that is the salt. Concatenation: the key that comes last.
        8 (string, optional) other_name: Option<String>,
        /// Concatenation: the data comes first.
        9 (bool) data_first: bool,
        /// HKDF: one of its two steps alone, number of an [`HkdfStep`](super::HkdfStep).
        10 (int32, optional) step: Option<i32>,
        /// The owner of the base, where that is not the caller.
        104 (string, optional) with_owner: Option<String>,
        /// The owner of the other key, where that is not the caller.
        105 (string, optional) other_owner: Option<String>,
    } + filing

    /// Makes a secret and encapsulates it for the owner of a private key (PSA Crypto API 1.3 §10.12). The secret becomes a key, or is told
    /// to the caller.
    Encapsulate {
        /// The new key, where attributes tell what it shall be.
        1 (string) key_name: String,
        /// Of the new key; without them, the caller is told the secret.
        2 (message, optional) attributes: Option<KeyAttributes>,
        /// The key for whose owner the secret is; its public half suffices.
        3 (string) with_name: String,
        /// A key encapsulation.
        4 (message, optional) alg: Option<Algorithm>,
        /// The owner of the key for whose owner the secret is, where that is not the caller.
        104 (string, optional) with_owner: Option<String>,
    } + filing

    /// Result of [`Encapsulate`].
    #[prost(skip_debug)]
    Encapsulated {
        1 (bytes = "vec") ciphertext: Vec<u8>,
        /// Empty where it became a key.
        2 (bytes = "vec") shared_secret: Vec<u8>,
    }

    /// Recovers the secret of [`Encapsulate`]. A ciphertext that no encapsulation made gives a secret that nobody knows (FIPS 203 §6.3).
    Decapsulate {
        /// As of [`Encapsulate`].
        1 (string) key_name: String,
        /// As of [`Encapsulate`].
        2 (message, optional) attributes: Option<KeyAttributes>,
        /// The private key.
        3 (string) with_name: String,
        /// A key encapsulation.
        4 (message, optional) alg: Option<Algorithm>,
        5 (bytes = "vec") ciphertext: Vec<u8>,
        /// The owner of the private key, where that is not the caller.
        104 (string, optional) with_owner: Option<String>,
    } + filing
}

crate::secret::wiped! {
    ImportKey.data,
    Exported.data,
    Agreed.shared_secret,
    Encapsulated.shared_secret,
}
