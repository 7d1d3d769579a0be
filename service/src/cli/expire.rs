//! `parsec key expire`: until when a key is meant to be used.

use super::context::{Context, KeyArg};
use super::ending::{End, end};
use super::error::{During, Error, Result};
use super::view;
use interface::expiry::Expiry;
use interface::operations::{RecordKind, SetMetadata};

#[derive(clap::Args)]
pub(crate) struct Expire {
    #[command(flatten)]
    key: KeyArg,
    /// The last day, as 2027-01-31; after how many days that is, as 90d; or never
    #[arg(value_name = "DATE", value_parser = end)]
    end: End,
    /// Let the key make nothing new after that day: no signature, no encryption, no derivation. It still verifies and decrypts
    #[arg(long)]
    enforce: bool,
}

impl Expire {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let End(last) = self.end;
        if self.enforce && last.is_none() {
            return Err(Error::Usage("--enforce holds a key to a date: name one".to_owned()));
        }
        let key = context.own_key(&self.key)?;
        let (kind, name) = (RecordKind::Key.into(), key.name().to_owned());
        let pkcs11 = Expiry::kept(last.map(|last| Expiry { last, enforced: self.enforce })).into();
        let set = context.client.call(key.provider, &SetMetadata { kind, name, pkcs11, ..SetMetadata::default() });
        set.during(|| format!("say when key '{}' ends", key.name()))?;
        view::show(context, &context.key(&self.key)?)
    }
}
