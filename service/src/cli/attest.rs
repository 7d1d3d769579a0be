//! `parsec key attest` and `parsec quote` write what a TPM says about itself to a file. `parsec key verify-attestation` judges such
//! a file.
//!
//! The file is a sequence of PEM blocks, each with a structure of TPM 2.0 Part 2: the statement, its signature, and the public area
//! of the attestation key. An attestation adds the public area of the key. A quote adds the value of each PCR, in the order of
//! their numbers. If the TPM has a certificate of its endorsement key, that is the last block.

use super::algorithm;
use super::context::{Context, KeyArg, ProviderArg};
use super::error::{During, Error, Result};
use super::hex::{Bytes, hex, to_hex};
use super::import::{pem_blocks, read_file};
use super::output::{Pem, Text};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use interface::ProviderId;
use interface::algorithm::Hash;
use interface::operations::{Certified, CertifyKey, Quote, Quoted, Statement};
use interface::spki::PublicKey;
use parsec_service::providers::tpm::verify::{self, HeldKey, Measured, Proof};
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use x509_cert::Certificate;
use x509_cert::der::Decode;

const ATTEST: &str = "TPMS ATTEST";
const SIGNATURE: &str = "TPMT SIGNATURE";
pub(crate) const ATTESTING_KEY: &str = "TPMT PUBLIC ATTESTATION KEY";
const KEY: &str = "TPMT PUBLIC";
const PCR: &str = "TPM PCR";
pub(crate) const CERTIFICATE: &str = "CERTIFICATE";
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// The source of a statement.
#[derive(clap::Args)]
pub(crate) struct Fresh {
    /// A random number that the verifier has chosen, up to 32 bytes. It shows that the statement is new
    #[arg(long, value_name = "HEX", value_parser = hex)]
    nonce: Option<Bytes>,
    /// Write this file
    #[arg(short, long, visible_alias = "output", value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Fresh {
    fn nonce(&self) -> Vec<u8> {
        self.nonce.as_ref().map(|nonce| nonce.0.clone()).unwrap_or_default()
    }

    fn deliver(&self, context: &Context, statement: Option<Statement>, subject: &[(&'static str, Vec<u8>)]) -> Result<()> {
        let missing = || Error::Failed("the service's answer holds no statement".to_owned());
        let Statement { attest, signature, attesting_key, endorsement_certificate } = statement.ok_or_else(missing)?;
        let mut blocks = vec![(ATTEST, attest), (SIGNATURE, signature), (ATTESTING_KEY, attesting_key)];
        blocks.extend_from_slice(subject);
        blocks.extend(Some((CERTIFICATE, endorsement_certificate)).filter(|(_, der)| !der.is_empty()));
        let pem = blocks.iter().map(|(label, bytes)| Ok(Pem::new(label, bytes)?.pem)).collect::<Result<String>>()?;
        Pem { pem }.deliver(context.json, self.out.as_deref())
    }
}

#[derive(clap::Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    key: KeyArg,
    #[command(flatten)]
    fresh: Fresh,
}

impl Attest {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.key(&self.key)?;
        let certify = CertifyKey { key_name: key.name().to_owned(), nonce: self.fresh.nonce(), owner: key.owner() };
        let certified = context.client.call(key.provider, &certify);
        let Certified { statement, public } = certified.during(|| format!("attest key '{}'", key.name()))?;
        self.fresh.deliver(context, statement, &[(KEY, public)])
    }
}

#[derive(clap::Args)]
pub(crate) struct QuotePcrs {
    /// Numbers of the PCRs
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1,2,3,4,5,6,7")]
    pcrs: Vec<u32>,
    /// The bank
    #[arg(long, default_value = "sha256", value_parser = banks())]
    bank: Hash,
    #[command(flatten)]
    place: ProviderArg,
    #[command(flatten)]
    fresh: Fresh,
}

const BANKS: &[(&str, Hash)] =
    &[("sha1", Hash::Sha1), ("sha256", Hash::Sha256), ("sha384", Hash::Sha384), ("sha512", Hash::Sha512)];

fn banks() -> impl TypedValueParser<Value = Hash> {
    let bank = |name: String| BANKS.iter().find(|row| row.0 == name).map(|row| row.1).ok_or("no such bank");
    PossibleValuesParser::new(BANKS.iter().map(|row| row.0)).try_map(bank)
}

impl QuotePcrs {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let provider = self.place.provider.unwrap_or(ProviderId::TPM);
        let quote = Quote { nonce: self.fresh.nonce(), bank: self.bank.into(), pcrs: self.pcrs.clone() };
        let quoted = context.client.call(provider, &quote);
        let Quoted { statement, values } = quoted.during(|| "quote PCRs".to_owned())?;
        let values: Vec<_> = values.into_iter().map(|value| (PCR, value)).collect();
        self.fresh.deliver(context, statement, &values)
    }
}

#[derive(clap::Args)]
pub(crate) struct Verify {
    /// What `parsec key attest` or `parsec quote` has printed; - is stdin
    file: PathBuf,
    /// The nonce that the statement was asked for with
    #[arg(long, value_name = "HEX", value_parser = hex)]
    nonce: Bytes,
    /// The public key that it has to be about, in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The attestation key that it has to be signed with, in PEM
    #[arg(long, value_name = "FILE")]
    ak: Option<PathBuf>,
    /// Write the attestation key in PEM, once all is well
    #[arg(long, value_name = "FILE")]
    ak_out: Option<PathBuf>,
    /// Be content with a key that was not made in the TPM
    #[arg(long)]
    imported: bool,
}

impl Verify {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let blocks = Blocks::read(&self.file)?;
        let statement = Some(blocks.statement()?);
        let nonce = &self.nonce.0;
        let certificate = blocks.all(CERTIFICATE).next().map(<[u8]>::to_vec);
        let verdict = match blocks.all(KEY).next() {
            Some(area) => {
                let proof =
                    verify::key(&Certified { statement, public: area.to_vec() }, nonce).map_err(|why| self.unproven(&why))?;
                self.check_key(&proof.says)?;
                self.verdict(proof, certificate, |key| Subject::Key(key.into()))?
            }
            None => {
                let values = blocks.all(PCR).map(<[u8]>::to_vec).collect();
                let proof = verify::quote(&Quoted { statement, values }, nonce).map_err(|why| self.unproven(&why))?;
                self.verdict(proof, certificate, |measured| Subject::Pcrs(measured.into()))?
            }
        };
        context.show(&verdict)
    }

    fn unproven(&self, why: &dyn Display) -> Error {
        let nonce = to_hex(&self.nonce.0);
        Error::Failed(format!(
            "it proves nothing: {why}; ask for a new statement: parsec key attest NAME --nonce {nonce}, or parsec quote"
        ))
    }

    fn check_key(&self, key: &HeldKey) -> Result<()> {
        if let Some(path) = &self.key
            && key.public.as_ref() != Some(&public_key(path)?)
        {
            return Err(Error::Failed(format!(
                "the statement is about another key than the one in {}: on the host, parsec key public NAME shows which key is which",
                path.display()
            )));
        }
        if key.local || self.imported {
            return Ok(());
        }
        let detail = "the TPM holds the key but did not make it: it was imported, so others have had it and may still have it \
                      (--imported accepts that)";
        Err(Error::Failed(detail.to_owned()))
    }

    fn verdict<T>(&self, proof: Proof<T>, certificate: Option<Vec<u8>>, subject: impl Fn(T) -> Subject) -> Result<Verdict> {
        let Proof { says, attesting_key, resets, firmware } = proof;
        if let Some(path) = &self.ak
            && attesting_key != public_key(path)?
        {
            return Err(Error::Failed(format!(
                "it is signed with another attestation key than the one in {}: it comes from another TPM, or name that one's key with --ak",
                path.display()
            )));
        }
        let pem = Pem::new(PUBLIC_KEY, &attesting_key.to_spki().unwrap_or_default())?;
        if let Some(path) = &self.ak_out {
            pem.deliver(false, Some(path))?;
        }
        let certificate = certificate.map(|der| Certificate::from_der(&der)).transpose()?;
        Ok(Verdict {
            subject: subject(says),
            attestation_key: pem.pem,
            attestation_key_known: self.ak.is_some(),
            endorsed_by: certificate.map(|certificate| Text::new(certificate.tbs_certificate().issuer())),
            resets,
            firmware: format!("{firmware:x}"),
        })
    }
}

/// The blocks of a file.
pub(crate) struct Blocks {
    file: PathBuf,
    blocks: Vec<(String, zeroize::Zeroizing<Vec<u8>>)>,
}

impl Blocks {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        Ok(Self { file: file.to_owned(), blocks: pem_blocks(&read_file(file)?) })
    }

    pub(crate) fn all(&self, label: &'static str) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().filter(move |(have, _)| have == label).map(|(_, bytes)| bytes.as_slice())
    }

    pub(crate) fn one(&self, label: &'static str) -> Result<Vec<u8>> {
        let missing = || {
            Error::Failed(format!(
                "{} has no block '{label}': name a file that parsec key attest, parsec quote or parsec key challenge has written",
                self.file.display()
            ))
        };
        self.all(label).next().map(<[u8]>::to_vec).ok_or_else(missing)
    }

    fn statement(&self) -> Result<Statement> {
        let (attest, signature, attesting_key) = (self.one(ATTEST)?, self.one(SIGNATURE)?, self.one(ATTESTING_KEY)?);
        Ok(Statement { attest, signature, attesting_key, endorsement_certificate: Vec::new() })
    }
}

/// The public key in a PEM file.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey> {
    let key = Blocks::read(path)?.all(PUBLIC_KEY).next().and_then(PublicKey::from_spki);
    key.ok_or_else(|| {
        Error::Failed(format!("{} has no public key in PEM: parsec key public NAME --out FILE writes one", path.display()))
    })
}

/// The proven claims.
#[derive(Serialize)]
struct Verdict {
    #[serde(flatten)]
    subject: Subject,
    /// In PEM.
    attestation_key: String,
    /// The caller has named it.
    attestation_key_known: bool,
    /// The issuer of the endorsement key's certificate.
    endorsed_by: Option<Text>,
    resets: u32,
    firmware: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Subject {
    Key(KeyProof),
    Pcrs(Pcrs),
}

#[derive(Serialize)]
struct KeyProof {
    algorithm: String,
    made_in_tpm: bool,
    name: String,
}

impl From<HeldKey> for KeyProof {
    fn from(key: HeldKey) -> Self {
        Self { algorithm: algorithm::name(key.key_type, key.bits), made_in_tpm: key.local, name: to_hex(&key.name) }
    }
}

#[derive(Serialize)]
struct Pcrs {
    bank: &'static str,
    values: Vec<(u32, String)>,
}

impl From<Measured> for Pcrs {
    fn from(measured: Measured) -> Self {
        let bank = BANKS.iter().find(|row| row.1 == measured.bank).map_or("another", |row| row.0);
        Self { bank, values: measured.values.into_iter().map(|(number, value)| (number, to_hex(&value))).collect() }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.subject {
            Subject::Key(key) => {
                writeln!(f, "A TPM holds this key: {}, of the TPM name {}.", key.algorithm, key.name)?;
                f.write_str(match key.made_in_tpm {
                    true => "The TPM has made it, and it can never leave.\n",
                    false => "IMPORTED: the TPM did not make it; others have had it, and may still have it.\n",
                })?;
            }
            Subject::Pcrs(pcrs) => {
                writeln!(f, "The PCRs of a TPM ({}):", pcrs.bank)?;
                pcrs.values.iter().try_for_each(|(number, value)| writeln!(f, "  {number:>2}  {value}"))?;
            }
        }
        writeln!(
            f,
            "The nonce is the one you gave. The TPM runs firmware {} and was reset {} times.",
            self.firmware, self.resets
        )?;
        match &self.endorsed_by {
            Some(issuer) => {
                writeln!(f, "A certificate of its endorsement key is said to be issued by {issuer}; it was not checked.")?
            }
            None => writeln!(f, "It has no certificate of its endorsement key.")?,
        }
        match self.attestation_key_known {
            true => writeln!(f, "It is signed with the attestation key that you named."),
            false => write!(
                f,
                "It is worth as much as its attestation key, for which only the file vouches; name one that you trust with --ak:\n{}",
                self.attestation_key
            ),
        }
    }
}
