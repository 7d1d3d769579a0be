//! The chip: the connection, the storage primary, and which keys are loaded.
//!
//! A TPM has room for three objects or a few more. The most recently used keys stay loaded. A key that had to make room is restored
//! from its saved context, without its parent. The primary is saved as well, so it needs a slot only while a key is made or loaded
//! for the first time.

use super::blob::Blob;
use super::failure::Failure;
use super::link::Link;
use super::model::Model;
use super::settings::Settings;
use super::turn::Turn;
use super::{session, template};
use interface::Status;
use std::sync::{Arc, Weak};
use tss_esapi::constants::response_code::{Tss2ResponseCode, Tss2ResponseCodeKind as Kind};
use tss_esapi::constants::tss::TPM2_TRANSIENT_FIRST;
use tss_esapi::constants::{PropertyTag, StartupType};
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Public, PublicParameters};
use tss_esapi::utils::TpmsContext;
use tss_esapi::{Context, Error as TssError, Result as TssResult};

/// Objects that every TPM has room for (PC Client Platform TPM Profile §5.4.1).
const MIN_SLOTS: u32 = 3;

/// An open connection.
pub(super) struct Chip {
    link: Link,
    /// Name of the storage primary, which no other chip has, nor this one after it is cleared.
    pub(super) name: Vec<u8>,
    pub(super) model: Model,
    primary: TpmsContext,
    /// How many objects there is room for.
    pub(super) slots: usize,
    /// The one that was used last at the end.
    loaded: Vec<Loaded>,
    pub(super) attestation: Attestation,
}

/// The chip's keys for attestation, once they were needed.
#[derive(Default)]
pub(super) struct Attestation {
    pub(super) ek: Option<Primary>,
    pub(super) ak: Option<Primary>,
    /// Of the EK; empty where there is none.
    pub(super) certificate: Option<Vec<u8>>,
}

/// A key of the chip's own.
#[derive(Clone)]
pub(super) struct Primary {
    pub(super) saved: TpmsContext,
    pub(super) public: Public,
}

struct Loaded {
    id: Id,
    handle: KeyHandle,
}

/// The loaded objects.
pub(super) enum Id {
    /// A key of the store; dead when the key has been destroyed.
    Key(Weak<Blob>),
    /// A key of the chip's own, by its name.
    Own(&'static str),
}

impl Chip {
    /// Connects, wakes the chip up and makes the storage primary, which is the same each time.
    pub(super) fn connect(settings: &Settings, turn: Turn) -> Result<Self, Failure> {
        let mut link = Link::open(settings, turn)?;
        let slots = match link.property(PropertyTag::HrTransientMin) {
            Err(failure) if failure.kind() == Some(Kind::Initialize) => {
                link.ask(|context| context.startup(StartupType::Clear))?;
                link.property(PropertyTag::HrTransientMin)?
            }
            slots => slots?,
        };
        link.clear(TPM2_TRANSIENT_FIRST)?;
        link.ask(|context| context.tr_set_auth(ObjectHandle::Owner, settings.owner.clone()))?;
        link.ask(|context| context.tr_set_auth(ObjectHandle::Endorsement, settings.endorsement.clone()))?;
        // The owner's password is not sent either, though whoever listens may try guesses at home.
        link.session = if settings.encrypted { session::open(&mut link, None)? } else { None };
        let primary = link
            .authorised(|context| context.create_primary(Hierarchy::Owner, template::storage()?, None, None, None, None))?
            .key_handle;
        if let Some(unsalted) = link.session.take() {
            link.flush(SessionHandle::from(unsalted).into())?;
            link.session = session::open(&mut link, Some(primary))?;
        }
        let handle = ObjectHandle::from(primary);
        let name = link.ask(|context| context.tr_get_name(handle))?.value().to_vec();
        let saved = link.ask(|context| context.context_save(handle))?;
        link.flush(handle)?;
        let model = Model::read(&mut link)?;
        let slots = slots.max(MIN_SLOTS) as usize;
        Ok(Self { link, name, model, primary: saved, slots, loaded: Vec::new(), attestation: Attestation::default() })
    }

    /// The same chip, for who has it now.
    pub(super) fn in_turn(mut self, turn: Turn) -> Self {
        self.link.turn = turn;
        self
    }

    /// Ends the connection without a word to a chip that may not listen: what is loaded goes with it, or with the next connection.
    pub(super) fn close(mut self) {
        for loaded in self.loaded.drain(..) {
            self.link.forget(loaded.handle.into());
        }
    }

    /// Whether it can have a key with these parameters.
    pub(super) fn has(&mut self, parameters: PublicParameters) -> Result<bool, Failure> {
        match self.ask(|context| context.test_parms(parameters)) {
            Err(Failure::Tss(TssError::Tss2Error(Tss2ResponseCode::FormatOne(_)))) => Ok(false),
            answer => answer.map(|()| true),
        }
    }

    /// Unloads something that is not held.
    pub(super) fn flush(&mut self, handle: ObjectHandle) -> Result<(), Failure> {
        self.link.flush(handle)
    }

    /// Forgets an object that the library holds, without a word to the chip.
    pub(super) fn forget(&mut self, handle: ObjectHandle) {
        self.link.forget(handle);
    }

    /// Runs a command that needs no key.
    pub(super) fn ask<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        self.link.ask(command)
    }

    /// Runs a command with what it needs to use its first handle.
    pub(super) fn authorised<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        self.link.authorised(command)
    }

    /// As [`Self::authorised`], where a second handle needs something else.
    pub(super) fn authorised_both<T>(
        &mut self,
        second: AuthSession,
        command: impl FnOnce(&mut Context) -> TssResult<T>,
    ) -> Result<T, Failure> {
        let first = self.link.session.unwrap_or(AuthSession::Password);
        self.link.ask(|context| context.execute_with_sessions((Some(first), Some(second), None), command))
    }

    /// Runs a command with a key.
    pub(super) fn with<T>(
        &mut self,
        blob: &Arc<Blob>,
        command: impl FnOnce(&mut Context, KeyHandle) -> TssResult<T>,
    ) -> Result<T, Failure> {
        let handle = self.key(blob)?;
        self.authorised(|context| command(context, handle))
    }

    /// A new key, once the chip has taken it back as it gave it.
    pub(super) fn proven(&mut self, blob: Blob) -> Result<Arc<Blob>, Failure> {
        let blob = Arc::new(blob);
        self.with(&blob, |_, _| Ok(()))?;
        Ok(blob)
    }

    /// Runs a command with the primary, which may take one slot more.
    pub(super) fn with_primary<T>(
        &mut self,
        command: impl FnOnce(&mut Context, KeyHandle) -> TssResult<T>,
    ) -> Result<T, Failure> {
        self.unload_dead()?;
        self.make_room(2)?;
        let primary = self.link.ask(|context| context.context_load(self.primary.clone()))?;
        let result = self.link.authorised(|context| command(context, primary.into()));
        if !result.as_ref().is_err_and(Failure::lost) {
            self.link.flush(primary)?;
        }
        result
    }

    /// A key, loaded.
    pub(super) fn key(&mut self, blob: &Arc<Blob>) -> Result<KeyHandle, Failure> {
        if blob.parent != self.name {
            // Fails, so that a new connection is made, unless it is still the same chip.
            self.with_primary(|_, _| Ok(()))?;
            return Err(Failure::Foreign);
        }
        self.hold(Id::Key(Arc::downgrade(blob)), |chip| {
            let handle = match chip.restore(blob)? {
                Some(handle) => handle,
                None => chip.load(blob)?,
            };
            chip.ask(|context| context.tr_set_auth(handle.into(), blob.auth.clone()))?;
            Ok(handle)
        })
    }

    /// The loaded object, or the result of `load`. The two most recently held objects are both loaded.
    pub(super) fn hold(
        &mut self,
        id: Id,
        load: impl FnOnce(&mut Self) -> Result<KeyHandle, Failure>,
    ) -> Result<KeyHandle, Failure> {
        self.unload_dead()?;
        if let Some(at) = self.loaded.iter().position(|loaded| loaded.id == id) {
            self.loaded[at..].rotate_left(1);
        } else {
            let handle = load(self)?;
            self.loaded.push(Loaded { id, handle });
        }
        self.loaded.last().map(|loaded| loaded.handle).ok_or_else(|| Failure::Other(Status::PsaErrorBadState.into()))
    }

    /// The key from its saved context, if there is one that is still good.
    fn restore(&mut self, blob: &Blob) -> Result<Option<KeyHandle>, Failure> {
        self.make_room(1)?;
        let Some(saved) = blob.saved().clone() else { return Ok(None) };
        match self.link.ask(|context| context.context_load(saved)) {
            Err(Failure::Tss(error @ TssError::Tss2Error(Tss2ResponseCode::FormatOne(_)))) => {
                tracing::debug!("a saved key is loaded anew: {error}");
                *blob.saved() = None;
                Ok(None)
            }
            restored => Ok(Some(restored?.into())),
        }
    }

    fn load(&mut self, blob: &Blob) -> Result<KeyHandle, Failure> {
        let handle = self.with_primary(|context, primary| context.load(primary, blob.private.clone(), blob.public.clone()))?;
        *blob.saved() = Some(self.link.ask(|context| context.context_save(handle.into()))?);
        Ok(handle)
    }

    /// Frees slots until so many are free.
    pub(super) fn make_room(&mut self, slots: usize) -> Result<(), Failure> {
        while self.loaded.len() + slots > self.slots {
            self.unload(0)?;
        }
        Ok(())
    }

    fn unload_dead(&mut self) -> Result<(), Failure> {
        while let Some(at) = self.loaded.iter().position(|loaded| loaded.id.dead()) {
            self.unload(at)?;
        }
        Ok(())
    }

    fn unload(&mut self, at: usize) -> Result<(), Failure> {
        let handle = self.loaded.remove(at).handle;
        self.link.flush(handle.into())
    }
}

impl Id {
    fn dead(&self) -> bool {
        matches!(self, Self::Key(key) if key.strong_count() == 0)
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one), Self::Key(other)) => Weak::ptr_eq(one, other),
            (Self::Own(one), Self::Own(other)) => one == other,
            _ => false,
        }
    }
}
