//! Making and listing keys.

use super::algorithm::describe;
use super::context::{Context, KeyRecord, ProviderArg, SearchArg, owner};
use super::error::{During, Error, Result};
use super::grant::{Granted, Share, merged};
use super::output::{Text, check_writable, day, table};
use super::principal::{described, user_name};
use super::purpose::{Purpose, pick};
use super::reference;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use interface::ProviderId;
use interface::attributes::{Attributes, Usage};
use interface::kind::KeyKind;
use interface::operations::{Find, GenerateKey, RecordKind};
use interface::policy::Purpose as What;
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
}

/// Bytes of an option.
#[derive(Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// Reads hexadecimal digits.
pub(crate) fn hex(text: &str) -> Result<Bytes, &'static str> {
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<_>> = text.chars().map(digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0);
    let bytes = digits.map(|d| d.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect());
    bytes.map(Bytes).ok_or("write an even number of hexadecimal digits")
}

/// Bytes as hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Metadata {
    pub(crate) fn id(&self) -> Option<Vec<u8>> {
        self.id.as_ref().map(|bytes| bytes.0.clone())
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
            pkcs11: Purpose::kept(self.purpose),
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

#[derive(Serialize)]
struct Next {
    #[serde(rename = "for")]
    place: &'static str,
    line: Text,
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
        let width = self.next.iter().map(|next| next.place.len()).max();
        let width = width.map_or(0, |width| width + 1);
        for Next { place, line } in &self.next {
            writeln!(f, "  {:<width$}  {line}", format!("{place}:"))?;
        }
        Ok(())
    }
}

/// A key as it is shown.
#[derive(Serialize)]
struct View {
    name: Text,
    owner: Text,
    /// The owner's name, if it is a user of this host.
    user: Option<Text>,
    provider: &'static str,
    algorithm: String,
    bits: u32,
    /// What it was made for, if somebody said so.
    purpose: Option<&'static str>,
    /// What the caller may do.
    usage: Vec<&'static str>,
    /// What the policy permits the key to be used with.
    permitted: Vec<String>,
    label: Text,
    id: String,
    tier: &'static str,
    created: u64,
    missing: bool,
    away: bool,
    uuid: String,
    #[serde(skip)]
    foreign: bool,
}

impl From<&KeyRecord> for View {
    fn from(key: &KeyRecord) -> Self {
        let usage = key.usage();
        let flags = Usage::NAMES.iter().filter(|(_, flag)| usage.contains(*flag));
        let record = &key.record;
        Self {
            name: Text::new(&record.name),
            owner: Text::new(&record.owner),
            user: user_name(&record.owner).map(Text),
            provider: key.provider.name(),
            algorithm: key.algorithm(),
            bits: key.attributes.bits,
            purpose: key.purpose().map(What::name),
            usage: flags.map(|(name, _)| *name).collect(),
            permitted: key.attributes.policy.algorithms().map(describe).collect(),
            label: Text::new(&record.label),
            id: to_hex(&record.id),
            tier: key.tier(),
            created: record.created,
            missing: record.missing,
            away: record.away,
            uuid: record.uuid.clone(),
            foreign: record.foreign,
        }
    }
}

impl Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self {
            Self { away: true, .. } => " (its device does not answer now; see: parsec providers)",
            Self { missing: true, .. } => " (its hardware does not show it now)",
            _ => "",
        };
        writeln!(f, "name        {}{state}", self.name)?;
        writeln!(f, "algorithm   {}", self.algorithm)?;
        if let Some(purpose) = self.purpose {
            writeln!(f, "for         {purpose}")?;
        }
        writeln!(f, "permitted   {}", self.permitted.join(", "))?;
        writeln!(f, "you may     {}", self.usage.join(", "))?;
        writeln!(f, "owner       {}", Text(described(&self.owner.0)))?;
        writeln!(f, "created     {}", day(self.created))?;
        writeln!(f, "provider    {} ({})", self.provider, self.tier)?;
        writeln!(f, "label       {}", self.label)?;
        writeln!(f, "id          {}", self.id)
    }
}

/// One key, alone.
#[derive(Serialize)]
struct Shown {
    key: View,
}

impl Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.key.fmt(f)
    }
}

/// Prints one key.
pub(crate) fn show(context: &Context, key: &KeyRecord) -> Result<()> {
    context.show(&Shown { key: key.into() })
}

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: SearchArg,
    /// Only keys of this owner
    #[arg(long, value_parser = owner)]
    owner: Option<String>,
    /// Only keys with this label
    #[arg(long)]
    label: Option<String>,
    /// Only keys that were made for this
    #[arg(long = "for", value_name = "PURPOSE", value_parser = Purpose::parser())]
    purpose: Option<&'static Purpose>,
    /// Only keys of this algorithm, such as p256, or of all its sizes: rsa
    #[arg(long)]
    algorithm: Option<String>,
    /// Everybody's keys, for administrators
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<View>,
}

impl Display for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.keys.is_empty() {
            return writeln!(f, "No keys. Make one: parsec key new web --for tls-server");
        }
        let row = |key: &View| {
            let state = match key {
                View { away: true, .. } => " (away)",
                View { missing: true, .. } => " (missing)",
                _ => "",
            };
            let owner = described(&key.owner.0);
            let (name, label) = (format!("{}{state}", key.name), key.label.to_string());
            let [purpose, provider, tier] = [key.purpose.unwrap_or("-"), key.provider, key.tier].map(str::to_owned);
            [name, key.algorithm.clone(), purpose, provider, tier, owner, day(key.created), label]
        };
        let rows: Vec<_> = self.keys.iter().map(row).collect();
        table(f, ["NAME", "ALGORITHM", "FOR", "PROVIDER", "TIER", "OWNER", "CREATED", "LABEL"], &rows)
    }
}

impl List {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let filter = Find {
            everyone: self.all,
            kind: Some(RecordKind::Key.into()),
            owner: self.owner.clone(),
            label: self.label.clone(),
            ..Find::default()
        };
        let mut keys = Vec::new();
        for provider in context.providers(self.place.provider)? {
            let found = context.client.find(provider, &filter);
            for record in found.during(|| "list keys".to_owned())? {
                keys.push(View::from(&KeyRecord::new(record)?));
            }
        }
        keys.retain(|key| self.wants(key));
        keys.sort_by(|a, b| (a.foreign, &a.owner, &a.name).cmp(&(b.foreign, &b.owner, &b.name)));
        context.show(&Keys { keys })
    }

    fn wants(&self, key: &View) -> bool {
        let of_algorithm = |wanted: &String| {
            let size = key.algorithm.strip_prefix(wanted);
            size.is_some_and(|size| size.is_empty() || size.starts_with('-'))
        };
        self.purpose.is_none_or(|purpose| key.purpose == Some(purpose.name())) && self.algorithm.as_ref().is_none_or(of_algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_round_trip() {
        let Ok(Bytes(bytes)) = hex("00fF1a") else { panic!() };
        assert_eq!(to_hex(&bytes), "00ff1a");
        assert!(hex("0").is_err() && hex("0g").is_err() && hex("é0").is_err());
    }
}
