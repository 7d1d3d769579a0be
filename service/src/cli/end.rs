//! `parsec key rm`: the end of a key. People are told what depends on it, and asked; scripts are not.

use super::context::{Context, KeyArg, KeyRecord};
use super::error::{During, Error, Result};
use super::grant::{self, Granted};
use super::output::{Text, complain};
use interface::operations::{DestroyKey, Find, RecordKind};
use interface::text::word;
use serde::Serialize;
use std::fmt::Display;
use std::io::IsTerminal;

#[derive(clap::Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    key: KeyArg,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What is no more.
#[derive(Serialize)]
pub(crate) struct Destroyed {
    pub(crate) destroyed: Text,
    pub(crate) provider: &'static str,
}

impl Display for Destroyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Destroyed '{}'.", self.destroyed)
    }
}

impl Rm {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.key(&self.key)?;
        if key.name() != self.key.name {
            let (old, new) = (&self.key.name, key.name());
            return Err(Error::NotFound(format!(
                "you have no key '{old}': it is called '{new}' now (to destroy it: parsec key rm {})",
                word(new)
            )));
        }
        if !self.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            ask(&Doomed::find(context, &key)?)?;
        }
        let destroy = DestroyKey { key_name: key.name().to_owned(), owner: key.owner() };
        let result = context.client.call(key.provider, &destroy);
        result.during(|| format!("destroy key '{}'", key.name()))?;
        context.show(&Destroyed { destroyed: Text::new(key.name()), provider: key.provider.name() })
    }
}

/// A key that is to be destroyed, with what depends on it.
struct Doomed<'a> {
    key: &'a KeyRecord,
    grants: Vec<Granted>,
    certificates: Vec<Text>,
}

impl<'a> Doomed<'a> {
    fn find(context: &Context, key: &'a KeyRecord) -> Result<Self> {
        // an upstream service, which tells no owner, has neither
        if key.owner().is_none() {
            return Ok(Self { key, grants: vec![], certificates: vec![] });
        }
        let beside = Find {
            kind: Some(RecordKind::Certificate.into()),
            owner: key.owner(),
            id: Some(key.record.id.clone()),
            ..Find::default()
        };
        let found = context.client.find(key.provider, &beside);
        let found = found.during(|| format!("look for certificates of key '{}'", key.name()))?;
        Ok(Self {
            key,
            grants: grant::of(context, key)?,
            certificates: found.into_iter().map(|record| Text(record.name)).collect(),
        })
    }
}

impl Display for Doomed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let purpose = self.key.purpose().map(|purpose| format!(" for {}", purpose.name())).unwrap_or_default();
        let (name, algorithm, provider) = (Text::new(self.key.name()), self.key.algorithm(), self.key.provider);
        writeln!(f, "Key '{name}': {algorithm}{purpose}, in the {provider} provider.")?;
        for grant in &self.grants {
            writeln!(f, "Others use it: {grant}.")?;
        }
        for certificate in &self.certificates {
            writeln!(f, "Its certificate '{certificate}' will be useless.")?;
        }
        write!(f, "Nobody can bring a destroyed key back. Destroy it? Type y for yes:")
    }
}

fn ask(doomed: &Doomed<'_>) -> Result<()> {
    complain(doomed);
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Error::io("read the answer"))?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Error::Failed(format!("key '{}' is still there: without a yes, or --yes, nothing is destroyed", doomed.key.name())))
}
