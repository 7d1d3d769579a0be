//! The one place that judges a request: access, key, policy, grant. It knows operations by their rows in the table, not by name.

mod call;
mod decision;

pub use call::Call;

use crate::auth::{Authenticators, Party, Principal};
use crate::bounds;
use crate::client_process::ClientProcess;
use crate::connections::{Phase, Slot};
use crate::error::{Error, Result};
use crate::expiry;
use crate::key::Key;
use crate::log::Asker;
use crate::processor::Processor;
use crate::quotas::Quotas;
use crate::store::{self, Granted, Store};
use crate::wrapping;
use interface::attributes::{Attributes, Usage};
use interface::text::word;
use interface::wire::Request;
use interface::{Access, AuthType, Buffer, Effect, Filing, KeyName, KeyUse, Named, Opcode, ProviderId, Secret, Status, Used};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, PoisonError, RwLock};

/// Tells the value of a key whose provider has keys that wrap others.
pub type Value = dyn Fn(&Call<'_>, &Key) -> Result<Secret> + Send + Sync;

/// The state by which requests are judged.
pub struct Admission {
    /// The keys.
    pub store: Arc<Store>,
    /// The limits of each client.
    pub quotas: Arc<Quotas>,
    /// Authentication.
    pub authenticators: Authenticators,
    /// Whether deprecated primitives may be generated.
    pub allow_deprecated: bool,
    /// The queue of requests that need no lane.
    pub processor: Processor,
    /// What stands for the values of keys.
    pub values: Values,
}

/// Of each provider whose keys may wrap others, what tells keys of other values from a key.
#[derive(Default)]
pub struct Values(RwLock<BTreeMap<ProviderId, Arc<Value>>>);

impl Values {
    /// Adds those of a provider.
    pub fn add(&self, provider: ProviderId, value: &Arc<Value>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(provider, Arc::clone(value));
    }

    fn of(&self, provider: ProviderId) -> Option<Arc<Value>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&provider).cloned()
    }
}

/// A request whose frame is complete.
pub struct Incoming {
    /// The meaning of its header.
    pub request: Request,
    /// The body.
    pub body: Buffer,
    /// The client whose limits it counts against.
    pub party: Party,
    /// Whether its connection has said Hello.
    pub extended: bool,
    /// The process that its connection has named.
    pub process: Option<ClientProcess>,
    /// The place of its connection, where that can be made to leave.
    pub slot: Option<Arc<Slot>>,
    /// The facts about it that the log needs.
    pub asker: Arc<Asker>,
}

impl Incoming {
    /// A request of the service itself, in the name of a key's owner.
    pub(crate) fn own(key: &Key, opcode: Opcode, asker: Arc<Asker>) -> Self {
        let request = Request { provider: key.provider, session: 0, auth: AuthType::None, opcode };
        let party = Party { uid: 0, principal: Some(key.owner.clone()), privileged: true };
        Self { request, body: Buffer::default(), party, extended: true, process: None, slot: None, asker }
    }

    /// Marks the request as begun, so that its connection is not broken off.
    ///
    /// # Errors
    /// [`Status::ConnectionError`] if the connection has made room already.
    pub(crate) fn begin(&self) -> Result<()> {
        if self.slot.as_ref().is_some_and(|slot| !slot.enter(Phase::Begun)) {
            let detail = "its connection has made room for another, and the request was not begun";
            return Err(Error::refused(Status::ConnectionError, detail));
        }
        Ok(())
    }
}

/// A request on its way through the checks; makes the [`Call`] that a provider gets.
pub struct Guard<'a> {
    incoming: &'a Incoming,
    admission: &'a Admission,
    client: Option<BorrowedFd<'a>>,
}

impl Admission {
    /// Refuses a request that its caller may never make.
    ///
    /// # Errors
    /// [`Status::AdminOperation`], [`Status::NotAuthenticated`].
    pub(crate) fn check_access(&self, incoming: &Incoming) -> Result<()> {
        let opcode = incoming.request.opcode;
        match (opcode.access(), &incoming.party.principal) {
            (Access::Admin, Some(caller)) if !self.authenticators.admin(caller) => Err(Error::refused(
                Status::AdminOperation,
                format!(
                    "{opcode:?} is for administrators, which {caller} is not: see admins and allow_direct_admins in the configuration"
                ),
            )),
            (Access::Admin, None) => Err(unauthenticated(opcode)),
            _ => Ok(()),
        }
    }

    /// The call that a request makes, before anything about keys is known.
    fn call<'a>(&'a self, incoming: &'a Incoming) -> Call<'a> {
        Call {
            caller: incoming.party.principal.as_ref(),
            uid: incoming.party.uid,
            provider: incoming.request.provider,
            extended: incoming.extended,
            process: incoming.process,
            asker: &incoming.asker,
            admission: self,
            key: None,
            other: None,
            new: None,
            algorithm: None,
            usage: Usage::NONE,
            epoch: 0,
        }
    }
}

/// Refuses to begin if nobody is left to read an answer.
///
/// # Errors
/// [`Status::ConnectionError`].
pub(crate) fn check_there(client: Option<BorrowedFd<'_>>) -> Result<()> {
    if client.is_some_and(gone) {
        return Err(Error::refused(Status::ConnectionError, "the client has gone before its request's turn came"));
    }
    Ok(())
}

/// Whether nobody is left to read an answer. A client that has only closed its sending half is still there.
pub(crate) fn gone(client: BorrowedFd<'_>) -> bool {
    let mut end = [PollFd::new(&client, PollFlags::empty())];
    poll(&mut end, Some(&Timespec::default())).is_ok() && end[0].revents().contains(PollFlags::HUP)
}

/// A name that means no key for the caller, and the keys that others have under it.
fn no_key(call: &Call<'_>, name: &str, instead: &str) -> Error {
    let instead = if instead.is_empty() { ": what there is tells parsec key list" } else { instead };
    let caller = call.caller.map(ToString::to_string).unwrap_or_default();
    if let Some(Err(another)) = call.caller.map(|caller| call.store().check_same_user(caller)) {
        return Error::refused(Status::PsaErrorDoesNotExist, format!("there is no key '{name}' for this user: {another}"));
    }
    Error::refused(
        Status::PsaErrorDoesNotExist,
        format!("{caller} has no key '{name}' in the {} provider{instead}", call.provider),
    )
}

fn unauthenticated(opcode: Opcode) -> Error {
    Error::refused(
        Status::NotAuthenticated,
        format!("{opcode:?} needs a client that says who it is: set an authenticator in it, as UnixPeerCredentials"),
    )
}

impl<'a> Guard<'a> {
    /// Begins the checks of a request whose client is at the other end of this socket.
    pub(crate) fn new(incoming: &'a Incoming, admission: &'a Admission, client: Option<BorrowedFd<'a>>) -> Self {
        Self { incoming, admission, client }
    }

    /// Keeps what the request names beside a key, for the log.
    pub(crate) fn mention(&self, named: Named<'_>) {
        self.incoming.asker.mentions(named);
    }

    /// Refuses to begin a long request if nobody is left to read an answer.
    ///
    /// # Errors
    /// [`Status::ConnectionError`].
    pub(crate) fn check_there(&self) -> Result<()> {
        check_there(self.client)
    }

    /// The place where long requests run.
    pub(crate) fn processor(&self) -> &Processor {
        &self.admission.processor
    }

    /// Checks the use of a key and makes the call.
    ///
    /// # Errors
    /// [`Status::NotAuthenticated`], [`Status::PsaErrorDoesNotExist`], [`Status::PsaErrorNotPermitted`], [`Status::DeprecatedPrimitive`] …
    pub(crate) fn admit(&self, key_use: KeyUse<'_>) -> Result<Call<'a>> {
        let opcode = self.incoming.request.opcode;
        if opcode.access() != Access::Anyone && self.incoming.party.principal.is_none() {
            return Err(unauthenticated(opcode));
        }
        self.check_same_user(opcode)?;
        let mut call = self.admission.call(self.incoming);
        let asker = &self.incoming.asker;
        asker.names(key_use.about(), key_use.makes());
        match key_use {
            KeyUse::None => {}
            KeyUse::New { filing, attributes } => {
                self.check_new(&mut call, &filing, &attributes)?;
                call.new = Some((filing, attributes));
            }
            KeyUse::See(name) => call.key = Some(self.meant(&call, name)?),
            KeyUse::Own(name) => call.key = Some(self.owned(&call, name)?),
            KeyUse::Any(name) => call.key = Some(self.any(&call, name)?),
            KeyUse::Use(used) => drop(self.using(&mut call, used, None)?),
            KeyUse::Wrap { with, key } => {
                let leaving = self.usable(&call, key)?;
                self.using(&mut call, with, Some(&leaving))?;
                call.other = Some(leaving);
            }
            KeyUse::Make { from, other, filing, attributes } => {
                self.check_new(&mut call, &filing, &attributes)?;
                let from = self.using(&mut call, from, None)?;
                let other = other.map(|other| self.usable(&call, other)).transpose()?;
                let parents = std::iter::once(&*from).chain(other.as_deref());
                let attributes = wrapping::inherited(parents, call.caller()?, call.algorithm()?, attributes)?;
                call.new = Some((filing, attributes));
                call.other = other;
            }
            KeyUse::Copy { of, uuid, filing, attributes } => {
                self.check_new(&mut call, &filing, &attributes)?;
                let original = self.owned(&call, of)?;
                if !uuid.is_empty() && original.uuid.to_string() != uuid {
                    return Err(no_key(&call, of.name, " any more that was to be copied: another one has its name"));
                }
                call.new = Some(wrapping::copied(&original, filing, attributes)?);
                call.key = Some(original);
            }
        }
        if let Some(key) = &call.key {
            asker.found(key);
        }
        Ok(call)
    }

    /// Takes the key into the call, with the algorithm that runs with it; `leaving` is the key that it wraps.
    fn using(&self, call: &mut Call<'_>, used: Used<'_>, leaving: Option<&Key>) -> Result<Arc<Key>> {
        let key = self.usable(call, used)?;
        call.key = Some(Arc::clone(&key));
        (call.algorithm, call.usage) = (used.algorithm, used.usage);
        if let Some(leaving) = leaving {
            wrapping::check_wrap(&key, leaving, call.caller()?, call.algorithm()?)?;
        }
        self.admission.decide(call, &key, &used, leaving)?;
        Ok(key)
    }

    fn check_new(&self, call: &mut Call<'_>, filing: &Filing, attributes: &Attributes) -> Result<()> {
        call.epoch = call.store().epoch(call.provider, call.caller()?)?;
        bounds::filing(filing)?;
        call.check_trust(&filing.pkcs11)?;
        let generating = self.incoming.request.opcode == Opcode::GenerateKey;
        if generating && attributes.deprecated() && !self.admission.allow_deprecated {
            let detail = "deprecated key type or algorithm; allow_deprecated = true in the configuration permits it";
            return Err(Error::refused(Status::DeprecatedPrimitive, detail));
        }
        call.check_room(store::demand(filing))
    }

    /// As [`Self::visible`]. A key that was renamed is found by its former names, too; what changes or ends a key names it as it is.
    fn meant(&self, call: &Call<'_>, name: KeyName<'_>) -> Result<Arc<Key>> {
        let caller = call.caller()?;
        let owner = name.owner.map_or_else(|| Ok(caller.clone()), str::parse)?;
        let meant = self.admission.store.meant(call.provider, &owner, name.name).filter(|key| key.visible(caller));
        meant.map_or_else(|| self.visible(call, name), Ok)
    }

    /// The key, if the caller owns it or holds any grant of it. A name alone means the caller's own key before any other, and to
    /// clients that have not said Hello none but that.
    fn visible(&self, call: &Call<'_>, name: KeyName<'_>) -> Result<Arc<Key>> {
        let caller = call.caller()?;
        let owner = name.owner.map_or_else(|| Ok(caller.clone()), str::parse)?;
        match self.admission.store.key(call.provider, &owner, name.name).filter(|key| key.visible(caller)) {
            Some(key) => Ok(key),
            // It may be as long as a request: nothing is looked for or written with it.
            None if bounds::name(name.name).is_err() => Err(Error::refused(
                Status::PsaErrorDoesNotExist,
                "no key has a name so long, or none at all: what there is tells parsec key list",
            )),
            None if owner == *caller => self.other(call, name),
            None => {
                let detail = format!(
                    "{caller} may not use key '{}' of {owner}, or there is none; its owner can permit it: parsec key grant {} {}",
                    name.name,
                    word(name.name),
                    word(&format!("{caller}=sign"))
                );
                Err(Error::refused(Status::PsaErrorDoesNotExist, detail))
            }
        }
    }

    /// The meaning of a name if the caller has no sound key of this name.
    fn other(&self, call: &Call<'_>, name: KeyName<'_>) -> Result<Arc<Key>> {
        match self.admission.store.damage(call.caller()?, name.name) {
            Some(damage) => Err(Error::Corrupt(damage)),
            None if name.owner.is_none() && call.extended => self.granted(call, name.name),
            None => Err(no_key(call, name.name, "")),
        }
    }

    /// The key of this name that was granted to the caller, if its owner is the only one whom the caller or the system has accepted.
    fn granted(&self, call: &Call<'_>, name: &str) -> Result<Arc<Key>> {
        let Admission { store, authenticators, .. } = self.admission;
        let Granted { keys, strangers } = store.granted(call.caller()?, call.provider, name, &authenticators.admins);
        match (keys.as_slice(), strangers.first()) {
            ([key], _) => Ok(Arc::clone(key)),
            ([], None) => Err(no_key(call, name, "")),
            ([], Some(owner)) => {
                let accepted = word(&owner.to_string());
                let advice =
                    format!(", but {owner} has granted it one: name that owner, or accept it: parsec key accept {accepted}");
                Err(no_key(call, name, &advice))
            }
            ([first, .., last], _) => {
                let owners: Vec<_> = keys.iter().map(|key| key.owner.to_string()).collect();
                let detail = format!(
                    "{} has no key '{name}' of its own, and each of {} has granted it one: name the owner ({}), or reject the other: parsec key reject {}",
                    call.caller()?,
                    owners.join(" and "),
                    first.owner,
                    word(&last.owner.to_string())
                );
                Err(Error::refused(Status::PsaErrorInvalidArgument, detail))
            }
        }
    }

    /// The key, if it is the caller's own.
    fn owned(&self, call: &Call<'_>, name: KeyName<'_>) -> Result<Arc<Key>> {
        let own = call.caller()?.to_string();
        let key = self.visible(call, KeyName { owner: name.owner.or(Some(&own)), ..name })?;
        wrapping::check_owner(&key, call.caller()?)?;
        Ok(key)
    }

    /// The key, whosever it is.
    fn any(&self, call: &Call<'_>, name: KeyName<'_>) -> Result<Arc<Key>> {
        let owner = name.owner.map_or_else(|| Ok(call.caller()?.clone()), str::parse)?;
        let store = &self.admission.store;
        bounds::name(name.name)?;
        match (store.meant(call.provider, &owner, name.name), store.damage(&owner, name.name)) {
            (Some(key), _) => Ok(key),
            (None, Some(damage)) => Err(Error::Corrupt(damage)),
            (None, None) => Err(Error::refused(
                Status::PsaErrorDoesNotExist,
                format!(
                    "{owner} has no key '{}' in the {} provider; what there is: parsec key list --all --owner {}",
                    name.name,
                    call.provider,
                    word(&owner.to_string())
                ),
            )),
        }
    }

    /// Refuses to change anything for a user who has another name than when it got its keys. It sees none of them either way.
    fn check_same_user(&self, opcode: Opcode) -> Result<()> {
        match &self.incoming.party.principal {
            Some(caller @ Principal::Another(_)) if opcode.access() == Access::App && opcode.effect() != Effect::Nothing => {
                self.admission.store.check_same_user(caller)
            }
            _ => Ok(()),
        }
    }

    /// The key, if its policy and the caller's grant allow this use of it.
    fn usable(&self, call: &Call<'_>, used: Used<'_>) -> Result<Arc<Key>> {
        let (key, caller) = (self.meant(call, used.key)?, call.caller()?);
        if wrapping::undecided(&key, caller, &used) {
            self.admission.recall(call, &key)?;
        }
        wrapping::check_use(&key, caller, &used)?;
        expiry::check(&key, used.usage)?;
        Ok(key)
    }
}
