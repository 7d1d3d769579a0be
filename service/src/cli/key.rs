//! Making keys.

use super::context::{Context, KeyRecord, ProviderArg};
use super::ending::{End, end};
use super::error::{During, Error, Result};
use super::grant::{Granted, Share, merged};
use super::hex::{Bytes, hex};
use super::output::{Text, check_writable};
use super::purpose::{Purpose, pick};
use super::reference;
use super::view::View;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use interface::ProviderId;
use interface::attributes::{Attributes, Usage};
use interface::expiry::Expiry;
use interface::kind::KeyKind;
use interface::message::Pkcs11Attribute;
use interface::operations::GenerateKey;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What every new key takes, made or imported.
#[derive(clap::Args)]
pub(crate) struct Metadata {
    /// A label for people and PKCS#11 [default: the name]
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// The PKCS#11 CKA_ID in hexadecimal digits [default: SHA-1 of the public value]
    #[arg(long, value_name = "HEX", value_parser = hex)]
    pub(crate) id: Option<Bytes>,
    /// Let somebody else use the key, such as user:www-data=sign; may be repeated
    #[arg(long = "grant", value_name = "WHO=ROLES")]
    pub(crate) grants: Vec<Share>,
    /// Let the key be exported
    #[arg(long)]
    pub(crate) exportable: bool,
    /// The last day on which the key is meant to be used, as 2027-01-31, or after how many days that is, as 90d
    #[arg(long, value_name = "DATE", value_parser = end)]
    pub(crate) expires: Option<End>,
    /// Let the key make nothing new after that day: no signature, no encryption, no derivation. It still verifies and decrypts
    #[arg(long, requires = "expires")]
    pub(crate) enforce: bool,
}

impl Metadata {
    pub(crate) fn id(&self) -> Option<Vec<u8>> {
        self.id.as_ref().map(|bytes| bytes.0.clone())
    }

    /// What the service is to keep with the key.
    pub(crate) fn kept(&self, purpose: Option<&Purpose>) -> Vec<Pkcs11Attribute> {
        let last = self.expires.as_ref().and_then(|End(last)| *last);
        let end = last.map(|last| Expiry { last, enforced: self.enforce });
        Purpose::kept(purpose).into_iter().chain(end.into_iter().flat_map(|end| Expiry::kept(Some(end)))).collect()
    }

    /// The same key, with what the options add to its policy.
    pub(crate) fn policy(&self, mut attributes: Attributes) -> Attributes {
        if self.exportable {
            attributes.policy.usage = attributes.policy.usage | Usage::EXPORT;
        }
        attributes
    }

    /// Looks the new key up, and lets others use it.
    pub(crate) fn finish(&self, context: &Context, provider: ProviderId, name: &str) -> Result<KeyRecord> {
        let record = context.client.lookup(provider, None, name);
        let key = KeyRecord::new(record.during(|| format!("look up the new key '{name}'"))?)?;
        merged(&self.grants).iter().try_for_each(|share| share.give(context, &key, "the new key"))?;
        Ok(key)
    }
}

#[derive(clap::Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("what").args(["purpose", "algorithm"]).required(true).multiple(true)))]
pub(crate) struct New {
    /// The key's name
    name: String,
    /// What the key is for. This picks the best algorithm that the provider has
    #[arg(long = "for", value_name = "PURPOSE", value_parser = Purpose::parser())]
    purpose: Option<&'static Purpose>,
    /// The algorithm, in place of the one that the purpose picks
    #[arg(long, value_parser = kinds())]
    algorithm: Option<&'static KeyKind>,
    #[command(flatten)]
    place: ProviderArg,
    #[command(flatten)]
    metadata: Metadata,
    /// Write the key's reference file, too
    #[arg(short, long, visible_alias = "output", value_name = "FILE")]
    out: Option<PathBuf>,
}

fn kinds() -> impl TypedValueParser<Value = &'static KeyKind> {
    PossibleValuesParser::new(KeyKind::offered().map(|kind| kind.name))
        .try_map(|name| KeyKind::named(&name).ok_or("no such algorithm"))
}

impl New {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        if let Some(out) = &self.out {
            check_writable(out)?;
        }
        let provider = context.provider(self.place.provider)?;
        let attributes = self.metadata.policy(self.attributes(context, provider)?);
        let generate = GenerateKey {
            key_name: self.name.clone(),
            attributes: Some((&attributes).into()),
            label: self.metadata.label.clone(),
            id: self.metadata.id(),
            pkcs11: self.metadata.kept(self.purpose),
            ..GenerateKey::default()
        };
        let made = context.client.call(provider, &generate);
        made.during(|| format!("make key '{}'", self.name))?;
        let key = self.metadata.finish(context, provider, &self.name)?;
        Made::show("Made", context, &key, self.purpose, &self.metadata, self.out.as_deref())
    }

    fn attributes(&self, context: &Context, provider: ProviderId) -> Result<Attributes> {
        let Some(kind) = self.algorithm else {
            let purpose = self.purpose.ok_or_else(|| Error::Usage("say what the key is --for".to_owned()))?;
            return pick(context, provider, purpose);
        };
        let job = self.purpose.map_or(kind.job, |purpose| purpose.job());
        kind.attributes(job).ok_or_else(|| {
            let purpose = self.purpose.map_or("this", |purpose| purpose.name());
            Error::Usage(format!("{} keys are not fit for {purpose}: without --algorithm the best kind is picked", kind.name))
        })
    }
}

/// A line to write next, and where.
#[derive(Serialize)]
pub(crate) struct Next {
    #[serde(rename = "for")]
    pub(crate) place: &'static str,
    pub(crate) line: Text,
}

/// Such lines under each other.
pub(crate) fn steps(f: &mut std::fmt::Formatter<'_>, next: &[Next]) -> std::fmt::Result {
    let width = next.iter().map(|next| next.place.len()).max();
    let width = width.map_or(0, |width| width + 1);
    next.iter().try_for_each(|Next { place, line }| writeln!(f, "  {:<width$}  {line}", format!("{place}:")))
}

/// A new key, and what to do with it.
#[derive(Serialize)]
pub(crate) struct Made {
    #[serde(skip)]
    done: &'static str,
    key: View,
    purpose: Option<&'static str>,
    grants: Vec<Granted>,
    next: Vec<Next>,
}

impl Made {
    /// Shows a new key. `done` is what was done to have it. `out` is its reference file, if that was written.
    pub(crate) fn show(
        done: &'static str,
        context: &Context,
        key: &KeyRecord,
        purpose: Option<&'static Purpose>,
        metadata: &Metadata,
        out: Option<&Path>,
    ) -> Result<()> {
        if let Some(path) = out {
            reference::write(key, path)?;
        }
        context.show(&Self {
            done,
            key: View::from(key),
            purpose: purpose.map(|purpose| purpose.name()),
            grants: merged(&metadata.grants).iter().map(Share::granted).collect(),
            next: next(key, purpose, metadata, out),
        })
    }
}

/// What to do with a key, without what was done already; nothing for a kind that its purpose would never have picked.
fn next(key: &KeyRecord, purpose: Option<&'static Purpose>, metadata: &Metadata, out: Option<&Path>) -> Vec<Next> {
    let Attributes { key_type, bits, .. } = key.attributes;
    let file = out.map_or_else(|| format!("{}.pem", key.name().replace('/', "-")).into(), Path::to_owned);
    let file = std::path::absolute(&file).unwrap_or(file);
    let usual = |purpose: &&Purpose| {
        let mut candidates = purpose.candidates();
        candidates.any(|kind| (kind.key_type, kind.bits) == (key_type, bits))
    };
    let purpose = purpose.filter(usual);
    let next = purpose.map(|purpose| purpose.next(key.name(), &file.display().to_string())).unwrap_or_default();
    // an upstream service, which tells no owner, has no grants either
    let granted = !metadata.grants.is_empty();
    let done = |line: &str| {
        line.starts_with("parsec key pem") && out.is_some()
            || line.starts_with("parsec key grant") && (granted || key.owner().is_none())
    };
    next.into_iter().filter(|(_, line)| !done(line)).map(|(place, line)| Next { place, line: Text(line) }).collect()
}

impl Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let View { name, algorithm, provider, tier, .. } = &self.key;
        write!(f, "{} key '{name}': {algorithm}", self.done)?;
        if let Some(purpose) = self.purpose {
            write!(f, " for {purpose}")?;
        }
        writeln!(f, ", in the {provider} provider ({tier}).")?;
        for grant in &self.grants {
            writeln!(f, "Granted to {grant}.")?;
        }
        steps(f, &self.next)
    }
}
