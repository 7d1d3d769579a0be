//! `parsec key challenge` and `parsec key answer` show whether one TPM holds both the attestation key of a statement and an
//! endorsement key.

use super::attest::{ATTESTING_KEY, Blocks, CERTIFICATE, public_key};
use super::context::{Context, ProviderArg};
use super::error::{During, Error, Result};
use super::hex::to_hex;
use super::output::Pem;
use interface::ProviderId;
use interface::certificate::Certificate;
use interface::operations::{ActivateCredentialParams, AttestKey, AttestationParams, attestation_output, attestation_params};
use interface::spki::PublicKey;
use parsec_service::providers::tpm::credential;
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;

const CREDENTIAL: &str = "TPM2B ID OBJECT";
const SECRET: &str = "TPM2B ENCRYPTED SECRET";

#[derive(clap::Args)]
pub(crate) struct Challenge {
    /// What `parsec key attest` or `parsec quote` has printed
    file: PathBuf,
    /// The endorsement key in PEM [default: the one that the certificate in FILE is about, once you have verified that]
    #[arg(long, value_name = "FILE")]
    ek: Option<PathBuf>,
    /// Write the challenge here
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

impl Challenge {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let blocks = Blocks::read(&self.file)?;
        let certified = || {
            let certificate = blocks.all(CERTIFICATE).next().and_then(|der| Certificate::parse(der).ok())?;
            PublicKey::from_spki(certificate.public_key)
        };
        let ek = self.ek.as_deref().map(public_key).transpose()?.or_else(certified).ok_or_else(|| {
            Error::Usage(format!("{} has no certificate of an endorsement key: name the key with --ek", self.file.display()))
        })?;
        let credential::Challenge { params, answer } = credential::challenge(&ek, &blocks.one(ATTESTING_KEY)?)?;
        let [blob, secret] =
            [(CREDENTIAL, &params.credential_blob), (SECRET, &params.secret)].map(|(label, bytes)| Pem::new(label, bytes));
        Pem { pem: blob?.pem + &secret?.pem }.deliver(false, Some(&self.out))?;
        context.show(&Answer { answer: to_hex(&answer) })
    }
}

#[derive(clap::Args)]
pub(crate) struct Respond {
    /// What `parsec key challenge` has written
    file: PathBuf,
    #[command(flatten)]
    place: ProviderArg,
}

impl Respond {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let blocks = Blocks::read(&self.file)?;
        let params = ActivateCredentialParams { credential_blob: blocks.one(CREDENTIAL)?, secret: blocks.one(SECRET)? };
        let mechanism = Some(attestation_params::Mechanism::ActivateCredential(params));
        let attest = AttestKey { parameters: Some(AttestationParams { mechanism }), ..AttestKey::default() };
        let attested = context.client.call(self.place.provider.unwrap_or(ProviderId::TPM), &attest);
        let attested = attested.during(|| "answer the challenge".to_owned())?;
        let empty = || Error::Failed("the service's answer holds no credential".to_owned());
        let attestation_output::Mechanism::ActivateCredential(credential) =
            attested.output.and_then(|output| output.mechanism).ok_or_else(empty)?;
        context.show(&Answer { answer: to_hex(&credential.credential) })
    }
}

/// The answer that the TPM must give, and the answer that it gives.
#[derive(Serialize)]
struct Answer {
    answer: String,
}

impl Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.answer)
    }
}
