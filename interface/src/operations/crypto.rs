//! Messages of the operations that use keys, and of those that need none. Encodings are those of the PSA Crypto API.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::algorithm::numbered;
use crate::message::{Aead, AsymmetricEncryption, AsymmetricSignature, KeyAttributes, Mac};
use prost::{Message, Oneof};

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
    /// Extension: the initialisation vector to use; without one, the provider makes a fresh one.
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

/// Result of the encrypting operations.
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

/// What a TPM needs to activate a credential.
#[derive(Clone, PartialEq, Message)]
pub struct ActivateCredentialParams {
    /// Contents of a TPM2B_ID_OBJECT.
    #[prost(bytes = "vec", tag = "1")]
    pub credential_blob: Vec<u8>,
    /// Contents of a TPM2B_ENCRYPTED_SECRET.
    #[prost(bytes = "vec", tag = "2")]
    pub secret: Vec<u8>,
}

/// Proves where a key lives.
#[derive(Clone, PartialEq, Message)]
pub struct AttestKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub parameters: Option<AttestationParams>,
    /// Empty: the device's endorsement key.
    #[prost(string, tag = "3")]
    pub attesting_key_name: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Result of [`AttestKey`].
#[derive(Clone, PartialEq, Message)]
pub struct Attested {
    #[prost(message, optional, tag = "1")]
    pub output: Option<AttestationOutput>,
}

/// The activated credential.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Credential {
    #[prost(bytes = "vec", tag = "1")]
    pub credential: Vec<u8>,
}

/// What the verifier needs before [`AttestKey`].
#[derive(Clone, PartialEq, Message)]
pub struct PrepareKeyAttestation {
    #[prost(message, optional, tag = "1")]
    pub parameters: Option<PrepareParams>,
}

/// Names of the keys.
#[derive(Clone, PartialEq, Message)]
pub struct PrepareActivateCredential {
    #[prost(string, tag = "1")]
    pub attested_key_name: String,
    /// Empty: the device's endorsement key.
    #[prost(string, tag = "2")]
    pub attesting_key_name: String,
}

/// Result of [`PrepareKeyAttestation`].
#[derive(Clone, PartialEq, Message)]
pub struct AttestationPrepared {
    #[prost(message, optional, tag = "1")]
    pub output: Option<PreparedOutput>,
}

/// Public parts of both keys.
#[derive(Clone, PartialEq, Message)]
pub struct PreparedCredential {
    /// Contents of a TPM2B_NAME.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// The publicArea of a TPM2B_PUBLIC.
    #[prost(bytes = "vec", tag = "2")]
    pub public: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub attesting_key_pub: Vec<u8>,
}

macro_rules! activate_credential {
    ($($(#[$doc:meta])* $name:ident($module:ident, $path:tt, $type:ty);)*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Message)]
        pub struct $name {
            #[prost(oneof = $path, tags = "1")]
            pub mechanism: Option<$module::Mechanism>,
        }

        pub mod $module {
            use super::*;

            #[derive(Clone, PartialEq, Oneof)]
            pub enum Mechanism {
                #[prost(message, tag = "1")]
                ActivateCredential($type),
            }
        }
    )* };
}

activate_credential! {
    /// The mechanism of [`AttestKey`] with its parameters.
    AttestationParams(attestation_params, "attestation_params::Mechanism", ActivateCredentialParams);
    /// The mechanism of [`Attested`] with its output.
    AttestationOutput(attestation_output, "attestation_output::Mechanism", Credential);
    /// The mechanism of [`PrepareKeyAttestation`] with its parameters.
    PrepareParams(prepare_params, "prepare_params::Mechanism", PrepareActivateCredential);
    /// The mechanism of [`AttestationPrepared`] with its output.
    PreparedOutput(prepared_output, "prepared_output::Mechanism", PreparedCredential);
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
    Credential.credential,
}
