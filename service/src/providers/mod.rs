//! The crypto providers: one folder each, and one row here.

pub mod core;
pub mod software;
pub mod tpm;

use crate::error::{Error, Result};
use crate::provider::Provider;
use crate::store::Store;
use interface::ProviderId;
use std::sync::Arc;

/// Opens a provider from its table in the configuration, having settled in the store what a crash left half done.
/// `None` is a provider that the configuration permits to be left out.
type Open = fn(settings: toml::Table, store: &Arc<Store>) -> Result<Option<Provider>>;

const KINDS: &[(ProviderId, Open)] =
    &[(ProviderId::SOFTWARE, software::open), (ProviderId::TPM, tpm::open), (ProviderId::TPM_SEALED, tpm::sealed::open)];

/// Opens the provider of this kind; `None` where its hardware is not there and the configuration permits that.
///
/// # Errors
/// [`Error::Config`] for a kind that is not built in, or the provider's own.
pub fn open(kind: ProviderId, settings: toml::Table, store: &Arc<Store>) -> Result<Option<Provider>> {
    let found = KINDS.iter().find(|(id, _)| *id == kind);
    let built = || KINDS.iter().map(|(id, _)| id.kind().config).collect::<Vec<_>>().join(", ");
    let (_, open) = found.ok_or_else(|| {
        Error::Config(format!(
            "provider_type = \"{}\" is not built into this version, which has: {}",
            kind.kind().config,
            built()
        ))
    })?;
    open(settings, store)
}
