//! The chip: the connection, the storage primary, and which keys are loaded.
//!
//! A TPM has room for three objects or a few more. The keys that were used last stay loaded; one that must make room comes back from
//! its saved context, without its parent. So the primary, saved as well, needs a slot only while a key is made or first loaded.

use super::blob::Blob;
use super::failure::{Failure, kind};
use super::firmware;
use super::seat::Turn;
use super::settings::Settings;
use super::template;
use interface::Status;
use std::sync::{Arc, Weak};
use tss_esapi::constants::response_code::{Tss2ResponseCode, Tss2ResponseCodeKind as Kind};
use tss_esapi::constants::tss::TPM2_TRANSIENT_FIRST;
use tss_esapi::constants::{CapabilityType, PropertyTag, StartupType};
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{CapabilityData, PublicParameters};
use tss_esapi::utils::TpmsContext;
use tss_esapi::{Context, Error as TssError, Result as TssResult};

/// Objects that every TPM has room for (PC Client Platform TPM Profile §5.4.1).
const MIN_SLOTS: u32 = 3;
/// Handles in one answer, at most (TPM 2.0 Part 2 §6.13, `MAX_CAP_HANDLES`).
const MAX_HANDLES: u32 = 254;

/// An open connection.
pub(super) struct Chip {
    link: Link,
    /// Name of the storage primary, which no other chip has, nor this one after it is cleared.
    pub(super) name: Vec<u8>,
    /// As the chip abbreviates it, such as `IBM`.
    pub(super) maker: String,
    model: String,
    firmware: u64,
    primary: TpmsContext,
    /// How many objects there is room for.
    pub(super) slots: usize,
    /// The one that was used last at the end.
    loaded: Vec<Loaded>,
}

struct Loaded {
    /// Dead when the key has been destroyed.
    key: Weak<Blob>,
    handle: KeyHandle,
}

/// The library's connection, as long as it is ours.
struct Link {
    context: Context,
    turn: Turn,
}

impl Chip {
    /// Connects, wakes the chip up and makes the storage primary, which is the same each time.
    pub(super) fn connect(settings: &Settings, turn: Turn) -> Result<Self, Failure> {
        let mut link = Link { context: Context::new(settings.name.clone())?, turn };
        let slots = match link.property(PropertyTag::HrTransientMin) {
            Err(Failure::Tss(error)) if kind(error) == Some(Kind::Initialize) => {
                link.ask(|context| context.startup(StartupType::Clear))?;
                link.property(PropertyTag::HrTransientMin)?
            }
            slots => slots?,
        };
        link.clear_slots()?;
        link.ask(|context| context.tr_set_auth(ObjectHandle::Owner, settings.owner.clone()))?;
        let primary =
            link.authorised(|context| context.create_primary(Hierarchy::Owner, template::storage()?, None, None, None, None))?;
        let handle = ObjectHandle::from(primary.key_handle);
        let name = link.ask(|context| context.tr_get_name(handle))?.value().to_vec();
        let saved = link.ask(|context| context.context_save(handle))?;
        link.ask(|context| context.flush_context(handle))?;
        let maker = text(&[link.property(PropertyTag::Manufacturer)?]);
        let model =
            [PropertyTag::VendorString1, PropertyTag::VendorString2, PropertyTag::VendorString3, PropertyTag::VendorString4];
        let model = text(&model.into_iter().map(|tag| link.property(tag)).collect::<Result<Vec<_>, _>>()?);
        let firmware = [PropertyTag::FirmwareVersion1, PropertyTag::FirmwareVersion2].map(|tag| link.property(tag));
        let firmware = firmware.into_iter().try_fold(0, |high, low| Ok::<_, Failure>(high << 32 | u64::from(low?)))?;
        let slots = slots.max(MIN_SLOTS) as usize;
        Ok(Self { link, name, maker, model, firmware, primary: saved, slots, loaded: Vec::new() })
    }

    /// The same chip, for who has it now.
    pub(super) fn in_turn(mut self, turn: Turn) -> Self {
        self.link.turn = turn;
        self
    }

    /// Ends the connection without a word to a chip that may not listen: what is loaded goes with it, or with the next connection.
    pub(super) fn close(mut self) {
        for loaded in self.loaded.drain(..) {
            // What is to be said of it is that it was not unloaded.
            let _ = self.link.context.tr_close(&mut loaded.handle.into());
        }
    }

    /// Which chip it is, for people.
    pub(super) fn description(&self) -> String {
        let Self { maker, model, firmware, .. } = self;
        format!("TPM 2.0 of {maker} ({model}), firmware {firmware:x}")
    }

    /// What is known to be wrong with the keys that it makes.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        firmware::flaw(&self.maker, self.firmware)
    }

    /// Whether it can have a key with these parameters.
    pub(super) fn has(&mut self, parameters: PublicParameters) -> Result<bool, Failure> {
        match self.ask(|context| context.test_parms(parameters)) {
            Err(Failure::Tss(TssError::Tss2Error(Tss2ResponseCode::FormatOne(_)))) => Ok(false),
            answer => answer.map(|()| true),
        }
    }

    /// Runs a command that needs no key.
    pub(super) fn ask<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        self.link.ask(command)
    }

    /// Runs a command with a key.
    pub(super) fn with<T>(
        &mut self,
        blob: &Arc<Blob>,
        command: impl FnOnce(&mut Context, KeyHandle) -> TssResult<T>,
    ) -> Result<T, Failure> {
        self.unload_dead()?;
        if blob.parent != self.name {
            // Fails, so that a new connection is made, unless it is still the same chip.
            self.with_primary(|_, _| Ok(()))?;
            return Err(Failure::Foreign);
        }
        let handle = self.key(blob)?;
        self.link.authorised(|context| command(context, handle))
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
            self.link.ask(|context| context.flush_context(primary))?;
        }
        result
    }

    /// The key, loaded.
    fn key(&mut self, blob: &Arc<Blob>) -> Result<KeyHandle, Failure> {
        if let Some(at) = self.loaded.iter().position(|loaded| loaded.key.as_ptr() == Arc::as_ptr(blob)) {
            self.loaded[at..].rotate_left(1);
        } else {
            let handle = match self.restore(blob)? {
                Some(handle) => handle,
                None => self.load(blob)?,
            };
            self.loaded.push(Loaded { key: Arc::downgrade(blob), handle });
            self.link.ask(|context| context.tr_set_auth(handle.into(), blob.auth.clone()))?;
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
    fn make_room(&mut self, slots: usize) -> Result<(), Failure> {
        while self.loaded.len() + slots > self.slots {
            self.unload(0)?;
        }
        Ok(())
    }

    fn unload_dead(&mut self) -> Result<(), Failure> {
        while let Some(at) = self.loaded.iter().position(|loaded| loaded.key.strong_count() == 0) {
            self.unload(at)?;
        }
        Ok(())
    }

    fn unload(&mut self, at: usize) -> Result<(), Failure> {
        let handle = self.loaded.remove(at).handle;
        self.link.ask(|context| context.flush_context(handle.into()))
    }
}

impl Link {
    /// Runs one command, if the chip is ours, and takes its answer, if the chip still is.
    fn ask<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        self.turn.check()?;
        let answer = command(&mut self.context);
        self.turn.check()?;
        Ok(answer?)
    }

    fn authorised<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        self.ask(|context| context.execute_with_session(Some(AuthSession::Password), command))
    }

    /// Zero where the chip has no such property.
    fn property(&mut self, tag: PropertyTag) -> Result<u32, Failure> {
        Ok(self.ask(|context| context.get_tpm_property(tag))?.unwrap_or_default())
    }

    /// Unloads what a crashed service has left in a chip without a resource manager, which is ours alone: it has room for one user. A
    /// resource manager shows each of its users nothing but its own.
    fn clear_slots(&mut self) -> Result<(), Failure> {
        let all = |context: &mut Context| context.get_capability(CapabilityType::Handles, TPM2_TRANSIENT_FIRST, MAX_HANDLES);
        let (CapabilityData::Handles(handles), _) = self.ask(all)? else { return Ok(()) };
        for &handle in handles.iter() {
            match self.ask(|context| context.tr_from_tpm_public(handle)) {
                // It is no key, and the library can unload nothing else.
                Err(Failure::Tss(error)) if kind(error) == Some(Kind::Sequence) => {}
                object => object.and_then(|object| self.ask(|context| context.flush_context(object)))?,
            }
        }
        Ok(())
    }
}

/// The text in numbers whose bytes are its letters.
fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).filter(u8::is_ascii_graphic).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
