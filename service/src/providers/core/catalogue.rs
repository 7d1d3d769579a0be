//! The list of providers and of their operations.

use crate::admission::Call;
use crate::error::Result;
use crate::provider::{Handle, Info, Provider};
use crate::providers::Backends;
use interface::operations::{ListOpcodes, ListProviders, Opcodes, ProviderInfo, Providers};
use interface::{Opcode, ProviderId, Status, Target};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All providers.
pub(super) struct Catalogue {
    backends: Arc<Backends>,
    core: Info,
    /// The operations of the core.
    opcodes: BTreeSet<Opcode>,
}

impl Catalogue {
    /// Completes the core provider, which can do what it has registered, and tell so.
    pub(super) fn register(core: Provider, backends: &Arc<Backends>) -> Provider {
        let opcodes = core.opcodes().chain([Opcode::ListProviders, Opcode::ListOpcodes]).collect();
        let catalogue = Arc::new(Self { backends: Arc::clone(backends), core: core.info.clone(), opcodes });
        core.on::<ListProviders, _>(&catalogue).on::<ListOpcodes, _>(&catalogue)
    }
}

impl Handle<ListProviders> for Catalogue {
    fn handle(&self, call: &Call<'_>, _: ListProviders) -> Result<Providers> {
        let all = self.backends.all().iter().map(|backend| (backend.info(), backend.away().unwrap_or_default()));
        let all = all.chain([(self.core.clone(), String::new())]);
        let shown = all.filter(|(info, _)| call.extended() || info.id.upstream());
        let describe = |(info, away): (Info, String)| {
            let Info { id, description, vendor, version: [version_maj, version_min, version_rev] } = info;
            let uuid = id.kind().uuid.to_owned();
            ProviderInfo { uuid, description, vendor, version_maj, version_min, version_rev, id: id.number().into(), away }
        };
        Ok(Providers { providers: shown.map(describe).collect() })
    }
}

impl Handle<ListOpcodes> for Catalogue {
    fn handle(&self, call: &Call<'_>, op: ListOpcodes) -> Result<Opcodes> {
        let id = ProviderId::try_from(op.provider_id)?;
        if !call.extended() && !id.upstream() {
            return Err(Status::ProviderDoesNotExist.into());
        }
        let core = self.opcodes.iter().copied();
        let opcodes: Vec<Opcode> = match self.backends.crypto(id) {
            Some(backend) => {
                backend.provider()?.opcodes().chain(core.filter(|opcode| opcode.target() == Target::Store)).collect()
            }
            None if id == ProviderId::CORE => core.filter(|opcode| opcode.target() == Target::Core).collect(),
            None => return Err(Status::ProviderNotRegistered.into()),
        };
        let shown = opcodes.into_iter().filter(|opcode| call.extended() || opcode.upstream());
        Ok(Opcodes { opcodes: shown.map(|opcode| opcode as u32).collect() })
    }
}
