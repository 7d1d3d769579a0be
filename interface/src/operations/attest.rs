//! Messages of the operations that prove to others where a key lives, as a TPM does. What they carry is encoded as in TPM 2.0 Part 2.
//!
//! A TPM has an endorsement key (EK), which its maker certifies and which only decrypts, and here an attestation key (AK), which only
//! signs what the TPM says of itself. [`AttestKey`] shows that the TPM with an EK holds a key, or that it holds the AK; [`CertifyKey`]
//! and [`Quote`] are signed with the AK.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use prost::{Message, Oneof};

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

/// Proves where a key lives: decrypts what nobody but the TPM that holds the key and the EK can.
#[derive(Clone, PartialEq, Message)]
pub struct AttestKey {
    /// Extension: empty is the AK.
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(message, optional, tag = "2")]
    pub parameters: Option<AttestationParams>,
    /// Empty: the EK.
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
    /// Extension: empty is the AK.
    #[prost(string, tag = "1")]
    pub attested_key_name: String,
    /// Empty: the EK.
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
    /// DER of an RSAPublicKey (RFC 8017 §A.1.1).
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

/// Extension: has the AK sign what a key is (TPM2_Certify): its name, which is a hash of its public area.
#[derive(Clone, PartialEq, Message)]
pub struct CertifyKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Up to 32 bytes that the verifier has chosen.
    #[prost(bytes = "vec", tag = "2")]
    pub nonce: Vec<u8>,
    /// The owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Result of [`CertifyKey`].
#[derive(Clone, PartialEq, Message)]
pub struct Certified {
    #[prost(message, optional, tag = "1")]
    pub statement: Option<Statement>,
    /// The TPMT_PUBLIC of the key.
    #[prost(bytes = "vec", tag = "2")]
    pub public: Vec<u8>,
}

/// Extension: has the AK sign the values of PCRs (TPM2_Quote).
#[derive(Clone, PartialEq, Message)]
pub struct Quote {
    /// As of [`CertifyKey`].
    #[prost(bytes = "vec", tag = "1")]
    pub nonce: Vec<u8>,
    /// The bank: number of a [`crate::algorithm::Hash`].
    #[prost(int32, tag = "2")]
    pub bank: i32,
    /// Numbers of PCRs.
    #[prost(uint32, repeated, tag = "3")]
    pub pcrs: Vec<u32>,
}

/// Result of [`Quote`].
#[derive(Clone, PartialEq, Message)]
pub struct Quoted {
    #[prost(message, optional, tag = "1")]
    pub statement: Option<Statement>,
    /// Those of the PCRs, in the order of their numbers.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub values: Vec<Vec<u8>>,
}

/// What a TPM says of itself.
#[derive(Clone, PartialEq, Message)]
pub struct Statement {
    /// A TPMS_ATTEST.
    #[prost(bytes = "vec", tag = "1")]
    pub attest: Vec<u8>,
    /// The AK's TPMT_SIGNATURE of it.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
    /// The TPMT_PUBLIC of the AK.
    #[prost(bytes = "vec", tag = "3")]
    pub attesting_key: Vec<u8>,
    /// The certificate of the EK, in DER; empty where the TPM has none.
    #[prost(bytes = "vec", tag = "4")]
    pub endorsement_certificate: Vec<u8>,
}

crate::secret::wiped! {
    Credential.credential,
}
