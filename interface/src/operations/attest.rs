//! Messages of the operations that prove to others where a key lives, as a TPM does. Their fields are encoded as in TPM 2.0 Part 2.
//!
//! A TPM has an endorsement key (EK). Its maker certifies the EK, which only decrypts. Here a TPM also has an attestation key (AK),
//! which only signs statements of the TPM. [`AttestKey`] shows that the TPM with an EK holds a key, or that it holds the AK. The AK
//! signs [`CertifyKey`] and [`Quote`].

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::message::messages;
use prost::{Message, Oneof};

messages! {
    /// What a TPM needs to activate a credential.
    ActivateCredentialParams {
        /// Contents of a TPM2B_ID_OBJECT.
        1 (bytes = "vec") credential_blob: Vec<u8>,
        /// Contents of a TPM2B_ENCRYPTED_SECRET.
        2 (bytes = "vec") secret: Vec<u8>,
    }

    /// Proves where a key lives: decrypts what nobody but the TPM that holds the key and the EK can.
    AttestKey {
        /// Extension: empty is the AK.
        1 (string) key_name: String,
        2 (message, optional) parameters: Option<AttestationParams>,
        /// Empty: the EK.
        3 (string) attesting_key_name: String,
    } + owner

    /// Result of [`AttestKey`].
    Attested { 1 (message, optional) output: Option<AttestationOutput> }

    /// The activated credential.
    #[prost(skip_debug)]
    Credential { 1 (bytes = "vec") credential: Vec<u8> }

    /// What the verifier needs before [`AttestKey`].
    PrepareKeyAttestation { 1 (message, optional) parameters: Option<PrepareParams> }

    /// Names of the keys.
    PrepareActivateCredential {
        /// Extension: empty is the AK.
        1 (string) attested_key_name: String,
        /// Empty: the EK.
        2 (string) attesting_key_name: String,
    }

    /// Result of [`PrepareKeyAttestation`].
    AttestationPrepared { 1 (message, optional) output: Option<PreparedOutput> }

    /// Public parts of both keys.
    PreparedCredential {
        /// Contents of a TPM2B_NAME.
        1 (bytes = "vec") name: Vec<u8>,
        /// The publicArea of a TPM2B_PUBLIC.
        2 (bytes = "vec") public: Vec<u8>,
        /// DER of an RSAPublicKey (RFC 8017 §A.1.1).
        3 (bytes = "vec") attesting_key_pub: Vec<u8>,
    }
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

messages! {
    /// Extension: has the AK sign what a key is (TPM2_Certify): its name, which is a hash of its public area.
    CertifyKey {
        1 (string) key_name: String,
        /// Up to 32 bytes that the verifier has chosen.
        2 (bytes = "vec") nonce: Vec<u8>,
        /// The owning principal, where that is not the caller.
        100 (string, optional) owner: Option<String>,
    }

    /// Result of [`CertifyKey`].
    Certified {
        1 (message, optional) statement: Option<Statement>,
        /// The TPMT_PUBLIC of the key.
        2 (bytes = "vec") public: Vec<u8>,
    }

    /// Extension: has the AK sign the values of PCRs (TPM2_Quote).
    Quote {
        /// As of [`CertifyKey`].
        1 (bytes = "vec") nonce: Vec<u8>,
        /// The bank: number of a [`crate::algorithm::Hash`].
        2 (int32) bank: i32,
        /// Numbers of PCRs.
        3 (uint32, repeated) pcrs: Vec<u32>,
    }

    /// Result of [`Quote`].
    Quoted {
        1 (message, optional) statement: Option<Statement>,
        /// Those of the PCRs, in the order of their numbers.
        2 (bytes = "vec", repeated) values: Vec<Vec<u8>>,
    }

    /// What a TPM says of itself.
    Statement {
        /// A TPMS_ATTEST.
        1 (bytes = "vec") attest: Vec<u8>,
        /// The AK's TPMT_SIGNATURE of it.
        2 (bytes = "vec") signature: Vec<u8>,
        /// The TPMT_PUBLIC of the AK.
        3 (bytes = "vec") attesting_key: Vec<u8>,
        /// The certificate of the EK, in DER; empty where the TPM has none.
        4 (bytes = "vec") endorsement_certificate: Vec<u8>,
    }
}

crate::secret::wiped! {
    Credential.credential,
}
