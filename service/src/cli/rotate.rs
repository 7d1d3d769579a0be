//! `parsec key rotate`: a key gets a successor.
//!
//! First the successor is made, under a name of its own, so that nothing changes for programs that still have the old certificate. When
//! the certificate and the files of the successor are in their places, `--finish` gives it the name. Programs that were set up with the
//! successor's first name still find it, because it is a former name then. Each step can be asked for again, and goes on where it ended.

use super::context::{Context, KeyArg, KeyRecord};
use super::ending::{End, end, today};
use super::error::{During, Error, Result};
use super::key::{Next, steps};
use super::output::Text;
use super::purpose::Purpose;
use super::successor::Successor;
use interface::attributes::Usage;
use interface::expiry::Expiry;
use interface::operations::{GenerateKey, Grant, ListGrants};
use interface::text::word;
use serde::Serialize;
use std::fmt::Display;

#[derive(clap::Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    key: KeyArg,
    /// Give the successor the name, and the old key another one
    #[arg(long, conflicts_with = "expires")]
    finish: bool,
    /// The last day of the successor, as 2027-01-31, or after how many days that is, as 90d
    #[arg(long, value_name = "DATE", value_parser = end)]
    expires: Option<End>,
}

/// A key that has a successor.
#[derive(Serialize)]
struct Begun {
    key: Text,
    successor: Text,
    provider: &'static str,
    algorithm: String,
    /// The old key has an end, and the new one none.
    #[serde(skip)]
    endless: bool,
    next: Vec<Next>,
}

impl Display for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, successor, provider, algorithm, .. } = self;
        writeln!(f, "Key '{key}' has a successor, '{successor}': {algorithm}, in the {provider} provider. Both work.")?;
        if self.endless {
            writeln!(f, "The old key expires, and the new one does not: parsec key expire {} DATE", word(&successor.0))?;
        }
        steps(f, &self.next)
    }
}

/// A key that has the name of the one before it.
#[derive(Serialize)]
struct Finished {
    key: Text,
    old: Text,
    provider: &'static str,
    next: Vec<Next>,
}

impl Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "'{}' is the new key now; the old one is '{}' and still works.", self.key, self.old)?;
        steps(f, &self.next)
    }
}

impl Rotate {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.own_key(&self.key)?;
        if key.owner().is_none() {
            return Err(Error::Unsupported("an upstream service keeps no successors".to_owned()));
        }
        if self.finish { self.finish(context, key) } else { self.begin(context, &key) }
    }

    fn begin(&self, context: &Context, key: &KeyRecord) -> Result<()> {
        let successor = match Successor::of(context, key)? {
            Some(found) => found,
            None => self.make(context, key)?,
        };
        grant(context, key, &successor)?;
        let end = |key: &KeyRecord| Expiry::of(&key.record.pkcs11);
        context.show(&Begun {
            key: Text::new(key.name()),
            successor: Text::new(successor.name()),
            provider: key.provider.name(),
            algorithm: successor.algorithm(),
            endless: end(key).is_some() && end(&successor).is_none(),
            next: next(key, &successor),
        })
    }

    /// Makes a key of the same kind, for the same.
    fn make(&self, context: &Context, key: &KeyRecord) -> Result<KeyRecord> {
        let old = Expiry::of(&key.record.pkcs11);
        let last = self.expires.as_ref().and_then(|End(last)| *last);
        let end = last.map(|last| Expiry { last, enforced: old.is_some_and(|old| old.enforced) });
        let purpose = key.purpose().map(|purpose| purpose.kept());
        let kept = purpose.into_iter().chain([Successor::mark(key)]);
        let generate = GenerateKey {
            key_name: Successor::free_name(context, key, &format!("{}.new-{}", key.name(), today()))?,
            attributes: Some((&key.attributes).into()),
            pkcs11: kept.chain(end.into_iter().flat_map(|end| Expiry::kept(Some(end)))).collect(),
            ..GenerateKey::default()
        };
        let made = context.client.call(key.provider, &generate);
        made.during(|| format!("make the successor of key '{}'", key.name()))?;
        let found = Successor::of(context, key)?;
        found.ok_or_else(|| Error::Failed(format!("the successor of key '{}' is gone again", key.name())))
    }

    fn finish(&self, context: &Context, key: KeyRecord) -> Result<()> {
        let rotation = Successor::rotation(context, &self.key.name, key)?;
        let (name, old) = rotation.finish(context)?;
        let line = |place, line: String| Next { place, line: Text(line) };
        context.show(&Finished {
            next: vec![
                line("programs that name the key by a URI", "reload them now, with the new certificate".to_owned()),
                line("when nobody uses the old key", format!("parsec key rm {}", word(&old))),
            ],
            key: Text(name),
            old: Text(old),
            provider: rotation.provider().name(),
        })
    }
}

/// Grants of the successor what was granted of the key.
fn grant(context: &Context, key: &KeyRecord, successor: &KeyRecord) -> Result<()> {
    let grants = |key: &KeyRecord| {
        let question = ListGrants { key_name: key.name().to_owned(), owner: key.owner() };
        let grants = context.client.call(key.provider, &question).map(|grants| grants.grants);
        grants.during(|| format!("list who may use key '{}'", key.name()))
    };
    let (has, wanted) = (grants(successor)?, grants(key)?);
    for granted in wanted.into_iter().filter(|granted| has.iter().all(|other| other.principal != granted.principal)) {
        let usage = Some(granted.usage.as_ref().map_or(Usage::NONE, Usage::from).into());
        let (key_name, owner, principal) = (successor.name().to_owned(), successor.owner(), granted.principal);
        let result = context.client.call(key.provider, &Grant { key_name, principal, usage, owner });
        result.during(|| format!("grant the use of key '{}'", successor.name()))?;
    }
    Ok(())
}

/// What to do with the successor until it has the name.
fn next(key: &KeyRecord, successor: &KeyRecord) -> Vec<Next> {
    const OF_A_NEW_KEY: [&str; 5] =
        ["certificate request", "key file", "authorized_keys", "who verifies needs", "who encrypts needs"];
    let file = format!("{}.pem", successor.name().replace('/', "-"));
    let purpose = key.purpose().and_then(Purpose::of);
    let mut all: Vec<_> = purpose.map(|purpose| purpose.next(successor.name(), &file)).unwrap_or_default();
    all.retain(|(place, _)| OF_A_NEW_KEY.contains(place));
    let certified = all.iter().any(|(place, _)| *place == "certificate request");
    if certified {
        all.push(("then", "put certificate and key file in the places of the old ones, and reload the program".to_owned()));
    }
    all.push(("when that is done", format!("parsec key rotate {} --finish", word(key.name()))));
    all.into_iter().map(|(place, line)| Next { place, line: Text(line) }).collect()
}
