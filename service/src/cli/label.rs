//! `parsec key label`: what people and PKCS#11 programs call a key.

use super::context::{Context, KeyArg};
use super::error::{During, Result};
use super::view;
use interface::operations::{RecordKind, SetMetadata};

#[derive(clap::Args)]
pub(crate) struct Label {
    #[command(flatten)]
    key: KeyArg,
    /// The new label. Programs that search for the old one do not find the key any more; references stay as they are
    label: String,
}

impl Label {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.own_key(&self.key)?;
        let (kind, name) = (RecordKind::Key.into(), key.name().to_owned());
        let set = SetMetadata { kind, name, label: Some(self.label.clone()), ..SetMetadata::default() };
        let result = context.client.call(key.provider, &set);
        result.during(|| format!("label key '{}'", key.name()))?;
        view::show(context, &context.key(&self.key)?)
    }
}
