//! `parsec key chown`: a key gets another owner. Only administrators say so.

use super::context::{Context, KeyArg, KeyRecord, owner};
use super::error::{During, Error, Result};
use super::grant::every_use;
use super::output::Text;
use super::principal::described;
use interface::Status;
use interface::attributes::Usage;
use interface::operations::{ChangeOwner, Find, RecordKind};
use interface::text::word;
use serde::Serialize;
use std::fmt::Display;

#[derive(clap::Args)]
pub(crate) struct Chown {
    #[command(flatten)]
    key: KeyArg,
    /// The new owner: user:NAME, uid:N, app:NAME or spiffe://…
    #[arg(long, value_name = "WHO", value_parser = owner)]
    to: String,
    /// Let the former owner go on using the key, for all that its policy permits but export
    #[arg(long)]
    keep_use: bool,
}

#[derive(Serialize)]
struct Given {
    given: Text,
    from: Text,
    to: Text,
    provider: &'static str,
    /// What the former owner may go on doing.
    kept: Vec<&'static str>,
}

impl Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { given, from, to, kept, .. } = self;
        let [was, is] = [from, to].map(|who| Text(described(&who.0)));
        writeln!(f, "Key '{given}' of {was} belongs to {is} now. Certificates of this key alone went with it.")?;
        writeln!(
            f,
            "Whoever may use it still finds it by references and URIs with the old owner, as long as no other key is there."
        )?;
        let name = word(&given.0);
        writeln!(
            f,
            "Grants stay: {is} sees them with parsec key grants {name}, and ends one with parsec key revoke {name} WHO."
        )?;
        writeln!(f, "A program that names no owner finds it if {to} is accepted: parsec key accept {to} --for WHO")?;
        match kept.as_slice() {
            [] => {
                let share = word(&format!("{from}=sign"));
                writeln!(f, "{was} may not use it any more; {is} can permit it: parsec key grant {name} {share}")
            }
            kept => writeln!(f, "{was} may still use it: {}.", kept.join(", ")),
        }
    }
}

impl Chown {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let KeyArg { name, owner, .. } = &self.key;
        let caller = || context.welcome().map(|welcome| welcome.principal).during(|| "ask who you are".to_owned());
        let from = owner.clone().map_or_else(caller, Ok)?;
        let found = self.found(context, &from)?;
        let policy = found.as_ref().map_or_else(every_use, |key| key.attributes.policy.usage);
        let keep = if self.keep_use { policy.and(every_use()) } else { Usage::NONE };
        let change = ChangeOwner {
            key_name: name.clone(),
            principal: self.to.clone(),
            keep: Some(keep.into()).filter(|_| !keep.is_empty()),
            owner: Some(from.clone()),
        };
        // asked for again, it is where no list has it any more
        let places = found.map_or_else(|| context.providers(self.key.provider), |key| Ok(vec![key.provider]))?;
        let mut absent = None;
        for provider in places {
            match context.client.call(provider, &change) {
                Ok(_) => {
                    let [given, from, to] = [name, &from, &self.to].map(Text::new);
                    return context.show(&Given { given, from, to, provider: provider.name(), kept: keep.roles() });
                }
                Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => absent = Some(error),
                Err(error) => return Err(error).during(|| format!("give key '{name}' to {}", self.to)),
            }
        }
        match absent {
            Some(error) => Err(error).during(|| format!("give key '{name}' to {}", self.to)),
            None => Err(Error::NotFound(format!("{from} has no key '{name}'"))),
        }
    }

    /// The one key of this name and owner, if there is one.
    fn found(&self, context: &Context, from: &str) -> Result<Option<KeyRecord>> {
        let filter = Find {
            everyone: true,
            kind: Some(RecordKind::Key.into()),
            owner: Some(from.to_owned()),
            name: Some(self.key.name.clone()),
            ..Find::default()
        };
        let mut found = Vec::new();
        for provider in context.providers(self.key.provider)? {
            let records = match context.client.find(provider, &filter) {
                Err(error) if error.status() == Some(Status::AdminOperation) => {
                    return Err(Error::Client {
                        what: "give keys to others, which is for administrators".to_owned(),
                        source: error,
                    });
                }
                records => records.during(|| "look for the key".to_owned())?,
            };
            found.extend(records.into_iter().map(KeyRecord::new).collect::<Result<Vec<_>>>()?);
        }
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => {
                let all: Vec<_> = found.iter().map(|key| key.provider.name()).collect();
                let (name, all) = (&self.key.name, all.join(" and in "));
                Err(Error::Usage(format!("{from} has a key '{name}' in {all}: say which one with --provider")))
            }
        }
    }
}
