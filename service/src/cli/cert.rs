//! `parsec cert`: certificates beside their keys, where PKCS#11 programs look for them.

use super::context::{Context, ProviderArg, SearchArg, owner};
use super::end::Destroyed;
use super::error::{During, Error, Result};
use super::hex::{Bytes, hex, to_hex};
use super::import::{pem_blocks, read_file};
use super::output::{self, Pem, Text, table};
use der::{Decode, Encode};
use interface::operations::{DestroyObject, Find, LookupObject, PutObject, Record, RecordKind};
use interface::pem::CERTIFICATE;
use interface::spki::PublicKey;
use interface::{ProviderId, Status};
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use x509_cert::Certificate;
use x509_cert::name::Name;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Store a certificate, in the place of the one that had the name
    Put(Put),
    /// List certificates
    List {
        #[command(flatten)]
        place: SearchArg,
    },
    /// Print a certificate
    Get(Get),
    /// Destroy a certificate
    Rm {
        /// The certificate's name
        name: String,
        #[command(flatten)]
        place: SearchArg,
    },
}

#[derive(clap::Args)]
pub(crate) struct Put {
    /// The certificate's name; best that of its key
    name: String,
    /// PEM or DER, or - for stdin; of a chain, the first certificate
    file: PathBuf,
    #[command(flatten)]
    place: ProviderArg,
    /// A label for people and PKCS#11 [default: the name]
    #[arg(long)]
    label: Option<String>,
    /// The PKCS#11 CKA_ID in hexadecimal digits [default: that of the certificate's key]
    #[arg(long, value_name = "HEX", value_parser = hex)]
    id: Option<Bytes>,
}

#[derive(clap::Args)]
pub(crate) struct Get {
    /// The certificate's name
    name: String,
    #[command(flatten)]
    place: SearchArg,
    /// Its owner, where that is not you
    #[arg(long, value_parser = owner)]
    owner: Option<String>,
    /// Write this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Command {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Put(put) => put.run(context),
            Self::List { place } => list(context, place),
            Self::Get(get) => get.run(context),
            Self::Rm { name, place } => destroy(context, name, place),
        }
    }
}

/// A certificate as it is listed.
#[derive(Serialize)]
struct View {
    name: Text,
    owner: Text,
    label: Text,
    id: String,
    subject: Text,
    issuer: Text,
    /// Unix time in seconds.
    not_after: u64,
    #[serde(skip)]
    foreign: bool,
}

impl View {
    fn new(record: &Record) -> Self {
        let certificate = Certificate::from_der(&record.value).ok();
        let tbs = certificate.as_ref().map(Certificate::tbs_certificate);
        let [name, owner, label] = [&record.name, &record.owner, &record.label].map(Text::new);
        let field = |field: Option<&Name>| Text(field.map(Name::to_string).unwrap_or_default());
        Self {
            name,
            owner,
            label,
            id: to_hex(&record.id),
            subject: field(tbs.map(|tbs| tbs.subject())),
            issuer: field(tbs.map(|tbs| tbs.issuer())),
            not_after: tbs.map_or(0, |tbs| tbs.validity().not_after.to_unix_duration().as_secs()),
            foreign: record.foreign,
        }
    }

    fn expiry(&self) -> String {
        let time = std::time::Duration::from_secs(self.not_after);
        der::DateTime::from_unix_duration(time)
            .map_or_else(|_| String::new(), |t| format!("{}-{:02}-{:02}", t.year(), t.month(), t.day()))
    }
}

#[derive(Serialize)]
struct Stored {
    certificate: View,
}

impl Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let View { name, subject, .. } = &self.certificate;
        writeln!(f, "Stored certificate '{name}' of {subject}, valid until {}.", self.certificate.expiry())
    }
}

impl Put {
    fn run(&self, context: &Context) -> Result<()> {
        let certificate = read(&self.file)?;
        let provider = context.provider(self.place.provider)?;
        let id = match &self.id {
            Some(id) => Some(id.0.clone()),
            None => self.key_id(context, provider, &certificate)?,
        };
        let put = PutObject {
            kind: RecordKind::Certificate.into(),
            name: self.name.clone(),
            value: certificate.to_der()?,
            label: self.label.clone(),
            id,
            pkcs11: vec![],
        };
        let record = context.client.call(provider, &put);
        let record = record.during(|| format!("store certificate '{}'", self.name))?;
        context.show(&Stored { certificate: View::new(&record) })
    }

    /// The CKA_ID of the certificate's key. If a key has the certificate's name, it is that key's id, else the usual one. `None` for
    /// kinds of keys that are unknown here.
    fn key_id(&self, context: &Context, provider: ProviderId, certificate: &Certificate) -> Result<Option<Vec<u8>>> {
        let spki = certificate.tbs_certificate().subject_public_key_info().to_der()?;
        let Some(key) = PublicKey::from_spki(&spki) else {
            return Ok(None);
        };
        let named = context.client.lookup(provider, None, &self.name).ok().filter(|record| record.public_key == key.bytes);
        Ok(Some(named.map_or_else(|| key.id(), |record| record.id)))
    }
}

/// The first certificate of a file.
fn read(path: &Path) -> Result<Certificate> {
    let bytes = read_file(path)?;
    let blocks = pem_blocks(&bytes);
    let pem = blocks.iter().find(|(label, _)| CERTIFICATE.contains(&label.as_str()));
    let der = pem.map_or(bytes.as_slice(), |(_, der)| der.as_slice());
    Certificate::from_der(der).map_err(|error| {
        Error::Failed(format!("{} holds no X.509 certificate in PEM or DER ({error}): see what it is: file {0}", path.display()))
    })
}

#[derive(Serialize)]
struct Certificates {
    certificates: Vec<View>,
}

impl Display for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.certificates.is_empty() {
            return writeln!(f, "No certificates. Store one: parsec cert put web web.crt");
        }
        let row = |view: &View| [view.name.to_string(), view.subject.to_string(), view.expiry(), view.owner.to_string()];
        let rows: Vec<_> = self.certificates.iter().map(row).collect();
        table(f, ["NAME", "SUBJECT", "VALID UNTIL", "OWNER"], &rows)
    }
}

fn list(context: &Context, place: &SearchArg) -> Result<()> {
    let filter = Find { kind: Some(RecordKind::Certificate.into()), ..Find::default() };
    let mut certificates = Vec::new();
    for provider in context.providers(place.provider)? {
        let found = context.client.find(provider, &filter);
        let found = found.during(|| "list certificates".to_owned())?;
        certificates.extend(found.iter().map(View::new));
    }
    certificates.sort_by(|a, b| (a.foreign, &a.owner, &a.name).cmp(&(b.foreign, &b.owner, &b.name)));
    context.show(&Certificates { certificates })
}

impl Get {
    fn run(&self, context: &Context) -> Result<()> {
        let (_, record) = find(context, &self.name, self.owner.as_ref(), &self.place)?;
        Pem::new("CERTIFICATE", &record.value)?.deliver(context.json, self.out.as_deref())
    }
}

/// The certificate of this name, in whichever provider it is.
fn find(context: &Context, name: &str, owner: Option<&String>, place: &SearchArg) -> Result<(ProviderId, Record)> {
    let lookup = LookupObject { kind: RecordKind::Certificate.into(), name: name.to_owned(), owner: owner.cloned() };
    for provider in context.providers(place.provider)? {
        match context.client.call(provider, &lookup) {
            Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => {}
            found => {
                let record = found.during(|| format!("look up certificate '{name}'"))?;
                return Ok((provider, record));
            }
        }
    }
    Err(Error::NotFound(format!("there is no certificate '{name}' that you may see (what there is: parsec cert list)")))
}

fn destroy(context: &Context, name: &str, place: &SearchArg) -> Result<()> {
    let (provider, _) = find(context, name, None, place)?;
    let destroy = DestroyObject { kind: RecordKind::Certificate.into(), name: name.to_owned() };
    let result = context.client.call(provider, &destroy);
    result.during(|| format!("destroy certificate '{name}'"))?;
    output::show(context.json, &Destroyed { destroyed: Text::new(name), provider: provider.name() })
}
