//! The provider contract: a provider is what it registers.
//!
//! A backend implements [`Handle`] for each operation that it can do, and names these operations once when it opens. What it does not
//! name, it cannot do; `ListOpcodes` is read off the same register.

use crate::applications::Application;
use crate::auth::{Principal, clients};
use crate::custody;
use crate::dispatch::Guard;
use crate::error::{Error, Result};
use crate::lane::Lane;
use crate::log::Asker;
use crate::memory::{self, Parsed};
use crate::processor::aside;
use crate::quotas::{Limit, Quotas};
use crate::store::{Key, Material, Reservation, Store};
use interface::algorithm::Algorithm;
use interface::attributes::{Attributes, EccFamily, KeyType, Usage};
use interface::message::Pkcs11Attribute;
use interface::{Buffer, Effect, Filing, Opcode, Operation, ProviderId, Secret, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A backend that can run operation `O`.
pub trait Handle<O: Operation>: Send + Sync + 'static {
    /// Runs it. Access and key policy have been checked.
    ///
    /// # Errors
    /// Whatever the backend has to say.
    fn handle(&self, call: &Call<'_>, op: O) -> Result<O::Output>;
}

/// A backend whose keys may wrap others.
pub trait Wrapping: Send + Sync + 'static {
    /// What is the same for all keys of one value, and for no others: the value of a secret key, the public half of a pair.
    ///
    /// # Errors
    /// Whatever the backend has to say.
    fn value(&self, call: &Call<'_>, key: &Key) -> Result<Secret>;
}

/// What a provider may see of a request. Only dispatch makes one, after it has checked access and key policy.
pub struct Call<'a> {
    pub(crate) app: Option<&'a Principal>,
    /// The user behind it.
    pub(crate) uid: u32,
    pub(crate) provider: ProviderId,
    pub(crate) extended: bool,
    pub(crate) application: Option<Application>,
    pub(crate) asker: &'a Asker,
    pub(crate) allow_deprecated: bool,
    pub(crate) store: &'a Store,
    pub(crate) quotas: &'a Quotas,
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) other: Option<Arc<Key>>,
    pub(crate) new: Option<(Filing, Attributes)>,
    pub(crate) algorithm: Option<Algorithm>,
    /// What the key is used for.
    pub(crate) usage: Usage,
    /// Of the token that a new key is for, before the request looked for any key.
    pub(crate) epoch: u64,
}

impl<'a> Call<'a> {
    /// Who is asking.
    ///
    /// # Errors
    /// [`Status::NotAuthenticated`] where the operation did not require it and nobody is.
    pub fn app(&self) -> Result<&'a Principal> {
        self.app.ok_or_else(|| Status::NotAuthenticated.into())
    }

    /// The provider that the request is addressed to.
    pub fn provider(&self) -> ProviderId {
        self.provider
    }

    /// Whether the connection has said Hello, so that extensions may show.
    pub fn extended(&self) -> bool {
        self.extended
    }

    /// Whether deprecated primitives may be generated.
    pub fn allow_deprecated(&self) -> bool {
        self.allow_deprecated
    }

    /// The key store.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The key that the request uses, sees or owns.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidHandle`] for an operation whose row in the table names no key.
    pub fn key(&self) -> Result<&Arc<Key>> {
        self.key.as_ref().ok_or_else(|| Status::PsaErrorInvalidHandle.into())
    }

    /// The second key that the request uses: the one that is wrapped, or that takes part in a derivation.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidHandle`] where there is none.
    pub fn other(&self) -> Result<&Arc<Key>> {
        self.other.as_ref().ok_or_else(|| Status::PsaErrorInvalidHandle.into())
    }

    /// The concrete algorithm that the key is used with.
    ///
    /// # Errors
    /// [`Status::InvalidEncoding`] for an operation whose row in the table names no algorithm.
    pub fn algorithm(&self) -> Result<Algorithm> {
        self.algorithm.ok_or_else(|| Status::InvalidEncoding.into())
    }

    /// What the new key shall be.
    ///
    /// # Errors
    /// [`Status::InvalidEncoding`] for an operation that creates no key.
    pub fn attributes(&self) -> Result<&Attributes> {
        self.new.as_ref().map(|(_, attributes)| attributes).ok_or_else(|| Status::InvalidEncoding.into())
    }

    /// Refuses a name that a key has already, for a provider that leaves nothing behind if [`Self::reserve`] refuses it afterwards.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`].
    pub fn check_name(&self) -> Result<()> {
        let (filing, _) = self.new.as_ref().ok_or(Status::InvalidEncoding)?;
        self.store.check_name(self.provider, self.app()?, &filing.name)
    }

    /// Reserves the new key's name before anything is made under it, durably unless the key is volatile.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`], or the store's own.
    pub fn reserve(&self) -> Result<Reservation<'a>> {
        let (filing, attributes) = self.new.as_ref().ok_or(Status::InvalidEncoding)?;
        let reservation = self.store.reserve(self.provider, self.app()?, filing, attributes, self.application)?;
        Ok(reservation.since(self.epoch).by(self.uid))
    }

    /// Refuses what would take more of the store than the caller, or the user behind it, may have.
    ///
    /// # Errors
    /// Those of [`Quotas::check`].
    pub(crate) fn check_room(&self, demand: impl IntoIterator<Item = (Limit, u64)>) -> Result<()> {
        let clients = clients(Some(self.app()?), self.uid).map(|who| (self.store.usage(&who), who));
        let clients: Vec<_> = clients.collect();
        for (limit, more) in demand.into_iter().filter(|(_, more)| *more > 0) {
            clients.iter().try_for_each(|(usage, who)| self.quotas.check(who, limit, usage.of(limit).saturating_add(more)))?;
        }
        Ok(())
    }

    /// As [`custody::check_trust`].
    ///
    /// # Errors
    /// [`Status::AdminOperation`].
    pub(crate) fn check_trust(&self, kept: &[Pkcs11Attribute]) -> Result<()> {
        custody::check_trust(kept, || Ok(self.store.is_officer(self.provider, self.app()?, self.application)))
    }

    /// The provider's own form of a key of the request, made from the stored material when it is first used, and anew after a time
    /// without use.
    ///
    /// # Errors
    /// Those of the store and of `load`.
    pub fn loaded<T: Parsed>(&self, key: &Key, load: impl FnOnce(&Attributes, Secret) -> Result<T>) -> Result<Arc<T>> {
        memory::mark_stack();
        let form = match key.loaded.form() {
            Some(form) => form,
            None => self.store.forms.hold(&key.loaded, aside(|| load(&key.attributes, self.store.material(key)?))?),
        };
        let other = |_| Error::Corrupt(format!("key '{}' was loaded by another provider", key.name));
        form.downcast().map_err(other)
    }

    /// Whether the operation with its key takes longer than a moment.
    fn long(&self) -> bool {
        self.key.as_ref().is_some_and(|key| match key.attributes.key_type {
            KeyType::RsaKeyPair => {
                !matches!(self.usage, Usage::NONE | Usage::VERIFY_HASH | Usage::VERIFY_MESSAGE | Usage::ENCRYPT)
            }
            KeyType::EccKeyPair(EccFamily::SecpR1 | EccFamily::Montgomery | EccFamily::TwistedEdwards) => {
                key.attributes.bits > 256
            }
            key_type => key_type.is_pair() && self.usage != Usage::NONE,
        })
    }

    /// Makes a new key ready, whose form is at hand. What made it has left traces on the stack, and a part of a structure that holds
    /// nothing takes over what lay there: so the stack is wiped before a structure is made that stays.
    ///
    /// # Errors
    /// As [`Reservation::commit`].
    pub fn commit<T: Parsed>(&self, reservation: Reservation<'_>, material: Material, form: T) -> Result<()> {
        memory::wipe_stack();
        let key = reservation.commit(material)?;
        self.store.forms.hold(&key.loaded, form);
        Ok(())
    }
}

/// What `ListProviders` tells.
#[derive(Clone, Debug)]
pub struct Info {
    /// The number of its kind.
    pub id: ProviderId,
    /// For people.
    pub description: String,
    /// The maker of the hardware or library.
    pub vendor: String,
    /// Version of the provider.
    pub version: [u32; 3],
}

/// How long a slow operation may take, where its provider says nothing else.
const LIMIT: Duration = Duration::from_secs(120);

/// Bytes that are worked on, or made, in a moment.
pub(crate) const MOMENT: usize = 16 << 10;

type Value = dyn Fn(&Call<'_>, &Key) -> Result<Secret> + Send + Sync;
type Run = dyn Fn(&Guard<'_>, &[u8]) -> Result<Buffer> + Send + Sync;

struct Handler {
    run: Box<Run>,
    place: Place,
}

/// Where an operation runs, and how long at most.
#[derive(Clone, Copy)]
enum Place {
    /// Where it was decoded.
    Here,
    /// There too, but aside whatever it is about.
    Aside,
    Lane(Duration),
    StoreLane(Duration),
}

/// A provider: what it is, what it can do, and the lane for what takes long.
pub struct Provider {
    /// What it is.
    pub info: Info,
    handlers: BTreeMap<Opcode, Handler>,
    /// `None` where no key wraps others.
    value: Option<Box<Value>>,
    limit: Duration,
    /// Where slow operations wait for their turn.
    pub lane: Lane,
    /// The same for those that need nothing but the key store: so to end something never waits behind making something.
    store_lane: Lane,
}

impl Provider {
    /// A provider that can do nothing yet; `workers` slow operations run at a time.
    pub fn new(info: Info, workers: usize) -> Self {
        let (lane, store_lane) = (Lane::new(workers), Lane::new(1));
        Self { info, handlers: BTreeMap::new(), value: None, limit: LIMIT, lane, store_lane }
    }

    /// Slow operations that are registered from here on are given up when they take longer.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Registers the backend as one whose keys may wrap others.
    #[must_use]
    pub fn wrapping<T: Wrapping>(self, backend: &Arc<T>) -> Self {
        let backend = Arc::clone(backend);
        Self { value: Some(Box::new(move |call, key| backend.value(call, key))), ..self }
    }

    /// Registers an operation that runs where it was decoded: it takes less than a few milliseconds and waits for nothing.
    /// What then takes longer than a moment, as its key or its length tell, runs aside.
    #[must_use]
    pub fn on<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        self.register::<O, T>(backend, Place::Here)
    }

    /// Registers an operation that looks through much, however little it is asked.
    #[must_use]
    pub fn on_scan<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        self.register::<O, T>(backend, Place::Aside)
    }

    /// Registers an operation that takes long or waits for a disk or a device.
    #[must_use]
    pub fn on_slow<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        let limit = self.limit;
        self.register::<O, T>(backend, Place::Lane(limit))
    }

    /// Registers an operation that waits for the key store alone.
    #[must_use]
    pub fn on_store<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        let limit = self.limit;
        self.register::<O, T>(backend, Place::StoreLane(limit))
    }

    fn register<O: Operation, T: Handle<O>>(mut self, backend: &Arc<T>, place: Place) -> Self {
        let backend = Arc::clone(backend);
        let run = move |guard: &Guard<'_>, body: &[u8]| {
            let run = || {
                let op = O::decode(body).map_err(|_| Status::DeserializingBodyFailed)?;
                if O::OPCODE.effect() != Effect::Nothing {
                    guard.mention(op.named());
                }
                let call = guard.admit(op.key()?)?;
                let handle = || backend.handle(&call, op);
                let output = if call.long() {
                    guard.check_there()?;
                    guard.processor().apart(handle)
                } else {
                    handle()
                }?;
                Ok(Buffer::from(prost::Message::encode_to_vec(&output)))
            };
            match place {
                Place::Aside => aside(run),
                _ if body.len() > MOMENT => guard.processor().apart(run),
                _ => run(),
            }
        };
        self.handlers.insert(O::OPCODE, Handler { run: Box::new(run), place });
        self
    }

    /// What tells keys of other values from this one; `None` where no key wraps others.
    ///
    /// # Errors
    /// The backend's own.
    pub(crate) fn value(&self, call: &Call<'_>, key: &Key) -> Result<Option<Secret>> {
        self.value.as_ref().map(|value| value(call, key)).transpose()
    }

    /// The operations that it can do.
    pub fn opcodes(&self) -> impl Iterator<Item = Opcode> {
        self.handlers.keys().copied()
    }

    /// The lane in which the operation runs, and how long it may; `None` for what runs where it was decoded.
    pub(crate) fn lane(&self, opcode: Opcode) -> Option<(&Lane, Duration)> {
        match self.handlers.get(&opcode)?.place {
            Place::Here | Place::Aside => None,
            Place::Lane(limit) => Some((&self.lane, limit)),
            Place::StoreLane(limit) => Some((&self.store_lane, limit)),
        }
    }

    /// Decodes, checks, runs and encodes one operation.
    ///
    /// # Errors
    /// [`Status::PsaErrorNotSupported`] for what is not registered, else the operation's own.
    pub(crate) fn run(&self, opcode: Opcode, guard: &Guard<'_>, body: &[u8]) -> Result<Buffer> {
        let handler = self.handlers.get(&opcode).ok_or_else(|| {
            Error::refused(Status::PsaErrorNotSupported, format!("the {} provider has no {opcode:?}", self.info.id))
        })?;
        let output = (handler.run)(guard, body);
        if self.lane(opcode).is_some() {
            memory::wipe_stack();
        }
        output
    }
}
