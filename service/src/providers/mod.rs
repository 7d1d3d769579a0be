//! The crypto providers: one folder each, and one row here.

mod backend;
pub mod core;
mod hsm;
mod keys;
pub mod software;
pub mod tpm;

pub use backend::Backend;

use crate::admission::{Admission, Guard, Incoming};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::log::{self, Asker};
use crate::provider::Provider;
use crate::sandbox::Reach;
use crate::store::Store;
use interface::operations::DestroyKey;
use interface::{Buffer, Effect, Opcode, ProviderId, Status};
use prost::Message;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// A provider whose settings are read, with the secrets that they name. Its hardware and the store it meets in the sandbox.
pub struct Plan {
    id: ProviderId,
    /// What it needs of the host.
    pub reach: Vec<Reach>,
    open: Box<Open>,
}

/// Opens a provider, having settled in the store what a crash left half done. `None` is one that the configuration permits to be left
/// out. It is called again after it failed.
type Open = dyn Fn(&Arc<Store>) -> Result<Option<Provider>> + Send + Sync;

/// Reads a provider's table in the configuration.
type Read = fn(settings: toml::Table) -> Result<Plan>;

const KINDS: &[(ProviderId, Read)] = &[
    (ProviderId::SOFTWARE, software::plan),
    (ProviderId::PKCS11, hsm::plan),
    (ProviderId::TPM, tpm::plan),
    (ProviderId::TPM_SEALED, tpm::sealed::plan),
];

impl Plan {
    fn new(
        id: ProviderId,
        reach: Vec<Reach>,
        open: impl Fn(&Arc<Store>) -> Result<Option<Provider>> + Send + Sync + 'static,
    ) -> Self {
        Self { id, reach, open: Box::new(open) }
    }
}

/// Waits, when the service has ended, until the devices have taken leave of it, but no longer than this.
pub fn await_end(limit: Duration) {
    tpm::await_end(limit);
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

/// The crypto providers of a service.
pub struct Backends {
    all: Vec<Backend>,
    /// What their requests are judged by.
    pub admission: Arc<Admission>,
}

impl Backends {
    /// These providers, the default one first.
    pub fn new(all: Vec<Backend>, admission: Arc<Admission>) -> Self {
        let backends = Self { all, admission };
        backends.all.iter().filter_map(|backend| backend.provider().ok()).for_each(|provider| backends.opened(provider));
        backends
    }

    /// All of them, the default one first.
    pub fn all(&self) -> &[Backend] {
        &self.all
    }

    /// The provider with this number.
    pub fn crypto(&self, id: ProviderId) -> Option<&Backend> {
        self.all.iter().find(|backend| backend.id() == id)
    }

    /// Looks whether devices that were away are there. Takes as long as the devices do.
    ///
    /// # Errors
    /// As [`Backend::look`].
    pub fn look(&self) -> Result<()> {
        for backend in self.all.iter().filter(|backend| backend.away().is_some()) {
            if let Some(provider) = backend.look(&self.admission.store)? {
                self.opened(provider);
            }
        }
        Ok(())
    }

    fn opened(&self, provider: &Provider) {
        if let Some(value) = provider.value() {
            self.admission.values.add(provider.info.id, value);
        }
    }

    /// Has a provider run a request, and what it has changed told by the log: also when nobody waits for its end any more.
    ///
    /// # Errors
    /// The refusal, or the operation's own.
    pub fn run(&self, provider: &Provider, incoming: &Incoming, client: Option<BorrowedFd<'_>>) -> Result<Buffer> {
        let Incoming { request, body, asker, .. } = incoming;
        let output = provider.run(request.opcode, &Guard::new(incoming, &self.admission, client), body)?;
        if request.opcode.effect() != Effect::Nothing {
            log::done(asker, request, |owner, name| self.admission.store.key(request.provider, owner, name));
        }
        Ok(output)
    }

    /// Destroys a key, in its hardware too, for who asks for it by another request; for the service itself where there is none.
    ///
    /// # Errors
    /// [`Status::ProviderNotRegistered`] if the key's provider is not configured; as [`Backend::provider`]; the provider's own.
    pub fn destroy(&self, key: &Arc<Key>, asker: Arc<Asker>) -> Result<()> {
        let provider = self.crypto(key.provider).ok_or(Status::ProviderNotRegistered)?.provider()?;
        let mut incoming = Incoming::own(key, Opcode::DestroyKey, asker);
        incoming.body = Buffer::from(DestroyKey { key_name: key.name.clone(), owner: None }.encode_to_vec());
        self.run(provider, &incoming, None).map(drop)
    }
}
