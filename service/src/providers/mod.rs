//! The crypto providers: one folder each, and one row here.

pub mod core;
pub mod software;
pub mod tpm;

use crate::error::{Error, Result};
use crate::provider::Provider;
use crate::sandbox::Reach;
use crate::store::Store;
use interface::ProviderId;
use std::sync::Arc;

/// A provider whose settings are read, with the secrets that they name. Its hardware and the store it meets in the sandbox.
pub struct Plan {
    /// What it needs of the host.
    pub reach: Vec<Reach>,
    open: Box<Open>,
}

/// Opens a provider, having settled in the store what a crash left half done. `None` is one that the configuration permits to be left
/// out.
type Open = dyn FnOnce(&Arc<Store>) -> Result<Option<Provider>> + Send;

/// Reads a provider's table in the configuration.
type Read = fn(settings: toml::Table) -> Result<Plan>;

const KINDS: &[(ProviderId, Read)] =
    &[(ProviderId::SOFTWARE, software::plan), (ProviderId::TPM, tpm::plan), (ProviderId::TPM_SEALED, tpm::sealed::plan)];

impl Plan {
    fn new(reach: Vec<Reach>, open: impl FnOnce(&Arc<Store>) -> Result<Option<Provider>> + Send + 'static) -> Self {
        Self { reach, open: Box::new(open) }
    }

    /// Opens the provider; `None` where its hardware is not there and the configuration permits that.
    ///
    /// # Errors
    /// The provider's own.
    pub fn open(self, store: &Arc<Store>) -> Result<Option<Provider>> {
        (self.open)(store)
    }
}

/// Reads the settings of a provider of this kind.
///
/// # Errors
/// [`Error::Config`] for a kind that is not built in, and for settings that the provider does not know.
pub fn plan(kind: ProviderId, settings: toml::Table) -> Result<Plan> {
    let found = KINDS.iter().find(|(id, _)| *id == kind);
    let built = || KINDS.iter().map(|(id, _)| id.kind().config).collect::<Vec<_>>().join(", ");
    let (_, read) = found.ok_or_else(|| {
        Error::Config(format!(
            "provider_type = \"{}\" is not built into this version, which has: {}",
            kind.kind().config,
            built()
        ))
    })?;
    read(settings)
}
