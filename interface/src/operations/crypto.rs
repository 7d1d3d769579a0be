//! Messages of the operations that use keys, and of cryptography without keys. Encodings are those of the PSA Crypto API.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::algorithm::numbered;
use crate::message::{Aead, AsymmetricEncryption, AsymmetricSignature, KeyAttributes, Mac, messages};

messages! {
    /// Signs a hash.
    SignHash {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<AsymmetricSignature>,
        3 (bytes = "vec") hash: Vec<u8>,
        /// Extension: the context of ML-DSA, at most 255 bytes (FIPS 204 §5.2); empty for every other algorithm.
        101 (bytes = "vec") context: Vec<u8>,
    } + owner

    /// Verifies the signature of a hash.
    VerifyHash {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<AsymmetricSignature>,
        3 (bytes = "vec") hash: Vec<u8>,
        4 (bytes = "vec") signature: Vec<u8>,
        /// Extension: as of [`SignHash`].
        101 (bytes = "vec") context: Vec<u8>,
    } + owner

    /// Hashes and signs a message.
    SignMessage {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<AsymmetricSignature>,
        3 (bytes = "vec") message: Vec<u8>,
        /// Extension: as of [`SignHash`].
        101 (bytes = "vec") context: Vec<u8>,
    } + owner

    /// Verifies the signature of a message.
    VerifyMessage {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<AsymmetricSignature>,
        3 (bytes = "vec") message: Vec<u8>,
        4 (bytes = "vec") signature: Vec<u8>,
        /// Extension: as of [`SignHash`].
        101 (bytes = "vec") context: Vec<u8>,
    } + owner

    /// Result of [`SignHash`] and [`SignMessage`].
    Signed { 1 (bytes = "vec") signature: Vec<u8> }

    /// Encrypts with a public key.
    #[prost(skip_debug)]
    AsymmetricEncrypt {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<AsymmetricEncryption>,
        3 (bytes = "vec") plaintext: Vec<u8>,
        /// The OAEP label.
        4 (bytes = "vec") salt: Vec<u8>,
    } + owner

    /// Decrypts with a private key.
    AsymmetricDecrypt {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<AsymmetricEncryption>,
        3 (bytes = "vec") ciphertext: Vec<u8>,
        /// The OAEP label.
        4 (bytes = "vec") salt: Vec<u8>,
    } + owner

    /// Encrypts and authenticates.
    #[prost(skip_debug)]
    AeadEncrypt {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<Aead>,
        /// Used once. Extension: where it is empty, the provider makes one of [`FRESH_NONCE`] random bytes. Who was granted `encrypt` but not
        /// `decrypt` cannot choose it.
        3 (bytes = "vec") nonce: Vec<u8>,
        4 (bytes = "vec") additional_data: Vec<u8>,
        5 (bytes = "vec") plaintext: Vec<u8>,
    } + owner

    /// Decrypts what authenticates.
    AeadDecrypt {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<Aead>,
        3 (bytes = "vec") nonce: Vec<u8>,
        4 (bytes = "vec") additional_data: Vec<u8>,
        /// Ciphertext, then tag.
        5 (bytes = "vec") ciphertext: Vec<u8>,
    } + owner

    /// Encrypts without authentication.
    #[prost(skip_debug)]
    CipherEncrypt {
        1 (string) key_name: String,
        /// Number of a [`crate::algorithm::Cipher`].
        2 (int32) alg: i32,
        3 (bytes = "vec") plaintext: Vec<u8>,
        /// Extension: the initialisation vector to use; without one, the provider makes a fresh one. Who was granted `encrypt` but not
        /// `decrypt` cannot choose it.
        101 (bytes = "vec", optional) iv: Option<Vec<u8>>,
    } + owner

    /// Decrypts without authentication.
    CipherDecrypt {
        1 (string) key_name: String,
        /// Number of a [`crate::algorithm::Cipher`].
        2 (int32) alg: i32,
        /// IV, then ciphertext.
        3 (bytes = "vec") ciphertext: Vec<u8>,
    } + owner
}

/// Length in bytes of a nonce that the provider makes for [`AeadEncrypt`]. So many random bits are enough for 2³² messages under one
/// key (NIST SP 800-38D §8.3); the provider does not count them.
pub const FRESH_NONCE: usize = 12;

messages! {
    /// Result of the encrypting operations: of an authenticated cipher the ciphertext, then the tag. A nonce or an initialisation vector
    /// stands before it: of [`CipherEncrypt`] always, of [`AeadEncrypt`] where the provider made it.
    Encrypted { 1 (bytes = "vec") ciphertext: Vec<u8> }

    /// Result of the decrypting operations.
    #[prost(skip_debug)]
    Decrypted { 1 (bytes = "vec") plaintext: Vec<u8> }

    /// The MAC of a message.
    MacCompute {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<Mac>,
        3 (bytes = "vec") input: Vec<u8>,
    } + owner

    /// Verifies the MAC of a message.
    MacVerify {
        1 (string) key_name: String,
        2 (message, optional) alg: Option<Mac>,
        3 (bytes = "vec") input: Vec<u8>,
        4 (bytes = "vec") mac: Vec<u8>,
    } + owner

    /// Result of [`MacCompute`].
    Maced { 1 (bytes = "vec") mac: Vec<u8> }

    /// The hash of a message.
    HashCompute {
        /// Number of a [`crate::algorithm::Hash`].
        1 (int32) alg: i32,
        2 (bytes = "vec") input: Vec<u8>,
    }

    /// Result of [`HashCompute`].
    Hashed { 1 (bytes = "vec") hash: Vec<u8> }

    /// Compares the hash of a message.
    HashCompare {
        /// Number of a [`crate::algorithm::Hash`].
        1 (int32) alg: i32,
        2 (bytes = "vec") input: Vec<u8>,
        3 (bytes = "vec") hash: Vec<u8>,
    }

    /// Random bytes.
    GenerateRandom {
        /// In bytes.
        1 (uint64) size: u64,
    }

    /// Result of [`GenerateRandom`].
    #[prost(skip_debug)]
    Random { 1 (bytes = "vec") random_bytes: Vec<u8> }

    /// Whether the provider could do this with such a key.
    CanDoCrypto {
        /// Number of a [`CheckType`].
        1 (int32) check_type: i32,
        2 (message, optional) attributes: Option<KeyAttributes>,
    }
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
