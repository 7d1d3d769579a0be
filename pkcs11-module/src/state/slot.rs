//! One slot for each crypto provider of the service, with the provider's number. A slot's token is present while the service
//! answers.

use std::sync::{Arc, Mutex};

use cryptoki_sys::{CK_FLAGS, CK_MECHANISM_TYPE, CK_SLOT_ID};
use interface::client::Client;
use interface::operations::{CanDoCrypto, ListOpcodes, ProviderInfo};
use interface::{Opcode, ProviderId, Status, client};

use crate::error::{Call, During, Error, Result};
use crate::state::abilities::{Abilities, Question};
use crate::state::lock;

/// A provider seen as a slot with its token.
pub(crate) struct Slot {
    pub(crate) provider: ProviderId,
    pub(crate) info: ProviderInfo,
    abilities: Mutex<Option<Arc<Abilities>>>,
}

/// The slots, as the service last told them. They stay when it goes away; then they have no token.
#[derive(Default)]
pub(crate) struct Slots {
    known: Mutex<Vec<Arc<Slot>>>,
    events: Mutex<Events>,
}

/// What C_WaitForSlotEvent has to tell.
#[derive(Default)]
struct Events {
    /// Whether the tokens were there when the caller last heard of it.
    present: Option<bool>,
    /// Slots whose token has come or gone since.
    untold: Vec<CK_SLOT_ID>,
}

impl Slots {
    /// Asks the service which providers it has.
    pub(crate) fn refresh(&self, client: &Client) -> Result<Vec<Arc<Slot>>> {
        let providers = client.providers();
        lock(&self.events).present.get_or_insert_with(|| providers.is_ok());
        let providers = providers.during(Call::Ask)?;
        let mut slots = lock(&self.known);
        let known =
            |id, info: &ProviderInfo| slots.iter().find(|slot: &&Arc<Slot>| slot.provider == id && slot.info == *info).cloned();
        let now: Vec<_> =
            providers.into_iter().map(|(id, info)| known(id, &info).unwrap_or_else(|| Arc::new(Slot::new(id, info)))).collect();
        slots.clone_from(&now);
        Ok(now)
    }

    /// The slots known so far, without asking.
    pub(crate) fn known(&self) -> Vec<Arc<Slot>> {
        lock(&self.known).clone()
    }

    /// The slots to show, whether the service answers or not.
    pub(crate) fn shown(&self) -> Vec<CK_SLOT_ID> {
        let known: Vec<_> = self.known().iter().map(|slot| slot.id()).collect();
        if known.is_empty() { vec![default_id()] } else { known }
    }

    /// A slot whose token has come or gone, each told once. Asks no more than whether somebody listens.
    pub(crate) fn event(&self, client: &Client) -> Option<CK_SLOT_ID> {
        let present = client.listening();
        let mut events = lock(&self.events);
        if events.present.replace(present).is_some_and(|before| before != present) {
            events.untold = self.shown();
        }
        events.untold.pop()
    }

    /// Fails for a use of a mechanism that the provider is known not to have. What it was not asked, it says itself at the end of the
    /// operation.
    pub(crate) fn check(&self, provider: ProviderId, kind: CK_MECHANISM_TYPE, flag: CK_FLAGS) -> Result<()> {
        let slot = self.known().into_iter().find(|slot| slot.provider == provider);
        let abilities = slot.and_then(|slot| slot.abilities.try_lock().ok()?.clone());
        abilities.map_or(Ok(()), |abilities| abilities.check(kind, flag))
    }

    /// The error of a use of a mechanism. Where the provider does not support it, it may not have the mechanism at all.
    pub(crate) fn unless_missing(
        &self,
        client: &Client,
        provider: ProviderId,
        kind: CK_MECHANISM_TYPE,
        flag: CK_FLAGS,
        error: Error,
    ) -> Error {
        if !error.is(Status::PsaErrorNotSupported) {
            return error;
        }
        let slot = self.find(client, provider.number().into());
        let checked = slot.and_then(|slot| slot.abilities(client)?.check(kind, flag));
        checked.err().unwrap_or(error)
    }

    /// The slot with this number, whose token was there when the service was last asked.
    pub(crate) fn find(&self, client: &Client, id: CK_SLOT_ID) -> Result<Arc<Slot>> {
        let among = |slots: Vec<Arc<Slot>>| slots.into_iter().find(|slot| slot.id() == id);
        if let Some(slot) = among(self.known()) {
            return Ok(slot);
        }
        match self.refresh(client) {
            Ok(slots) => among(slots).ok_or(Error::SlotIdInvalid),
            Err(_) if id == default_id() => Err(Error::TokenNotPresent),
            Err(_) => Err(Error::SlotIdInvalid),
        }
    }
}

/// The slot that is shown, without a token, as long as the service has never answered: that of the provider which every
/// service has by default.
pub(crate) fn default_id() -> CK_SLOT_ID {
    ProviderId::SOFTWARE.number().into()
}

impl Slot {
    fn new(provider: ProviderId, info: ProviderInfo) -> Self {
        Self { provider, info, abilities: Mutex::default() }
    }

    pub(crate) fn id(&self) -> CK_SLOT_ID {
        self.provider.number().into()
    }

    /// What the token can do; asked once.
    pub(crate) fn abilities(&self, client: &Client) -> Result<Arc<Abilities>> {
        let mut abilities = lock(&self.abilities);
        if let Some(known) = &*abilities {
            return Ok(Arc::clone(known));
        }
        let asked = Arc::new(self.ask(client)?);
        *abilities = Some(Arc::clone(&asked));
        Ok(asked)
    }

    /// Asks the provider about every mechanism, with its list of operations and, if it lists that one, CanDoCrypto.
    fn ask(&self, client: &Client) -> Result<Abilities> {
        let list = ListOpcodes { provider_id: self.provider.number().into() };
        let opcodes = client.call(ProviderId::CORE, &list).during(Call::Ask)?.opcodes;
        let has = |opcode: Opcode| opcodes.contains(&(opcode as u32));
        Abilities::ask(|Question { opcode, check, attributes }| {
            if !has(opcode) || !has(Opcode::CanDoCrypto) {
                return Ok(has(opcode));
            }
            let attributes = Some((&attributes).into());
            let question = CanDoCrypto { check_type: check.into(), attributes };
            match client.call(self.provider, &question) {
                Ok(_) => Ok(true),
                Err(client::Error::Refused { status, .. }) if status != Status::PsaErrorCommunicationFailure => Ok(false),
                Err(client::Error::Upstream(_)) => Ok(false),
                Err(error) => Err(Error::Service(Call::Ask, error)),
            }
        })
    }
}
