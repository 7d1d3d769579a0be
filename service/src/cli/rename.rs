//! `parsec key rename`.

use super::context::{Context, KeyArg};
use super::error::{During, Result};
use super::output::Text;
use interface::client::Error;
use interface::operations::{RecordKind, SetMetadata};
use serde::Serialize;
use std::fmt::Display;

#[derive(clap::Args)]
pub(crate) struct Rename {
    #[command(flatten)]
    key: KeyArg,
    /// The new name
    new: String,
}

#[derive(Serialize)]
struct Renamed {
    renamed: Text,
    name: Text,
    provider: &'static str,
}

impl Display for Renamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Key '{}' is now '{}'.", self.renamed, self.name)?;
        writeln!(f, "References and URIs with the old name still lead to it, as long as no other key has it.")
    }
}

impl Rename {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.own_key(&self.key)?;
        let (kind, name) = (RecordKind::Key.into(), key.name().to_owned());
        let set = SetMetadata { kind, name, rename: Some(self.new.clone()), ..SetMetadata::default() };
        let result = context.client.call(key.provider, &set);
        result.during(|| format!("rename key '{}'", key.name()))?;
        // an older service answers yes, and does nothing
        let found = context.client.lookup(key.provider, key.owner().as_deref(), &self.new);
        if found.is_ok_and(|found| found.uuid == key.record.uuid) {
            let (renamed, name) = (Text::new(key.name()), Text::new(&self.new));
            return context.show(&Renamed { renamed, name, provider: key.provider.name() });
        }
        Err(Error::Older("rename keys")).during(|| format!("rename key '{}'", key.name()))
    }
}
