//! The chip: the connection, the storage primary, and which keys are loaded.
//!
//! A TPM has room for three objects or a few more. The keys that were used last stay loaded; one that must make room comes back from
//! its saved context, without its parent. So the primary, saved as well, needs a slot only while a key is made or first loaded.

use super::attest::Attestation;
use super::blob::Blob;
use super::session;
use super::settings::Settings;
use super::template;
use crate::error::Error;
use interface::Status;
use std::time::Duration;
use tss_esapi::constants::response_code::{Tss2ResponseCode, Tss2ResponseCodeKind as Kind};
use tss_esapi::constants::tss::TPM2_TRANSIENT_FIRST;
use tss_esapi::constants::{CapabilityType, PropertyTag, StartupType};
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;
use tss_esapi::utils::TpmsContext;
use tss_esapi::{Context, Error as TssError, Result as TssResult};

/// Objects that every TPM has room for (PC Client Platform TPM Profile §5.4.1).
const MIN_SLOTS: u32 = 3;
/// Handles in one answer, at most (TPM 2.0 Part 2 §6.13, `MAX_CAP_HANDLES`).
const MAX_HANDLES: u32 = 254;
/// How often a busy chip is asked again, first after so many milliseconds, then after twice as many each time.
const PATIENCE: (u32, u64) = (8, 10);

/// Why the chip did not do what it was told.
#[derive(Debug)]
pub(super) enum Failure {
    /// The library's, or the chip's own.
    Tss(TssError),
    /// It is not the chip that made the key.
    Foreign,
    /// Not the chip's fault.
    Other(Error),
}

/// An open connection.
pub(super) struct Chip {
    pub(super) context: Context,
    /// `None`: nothing is hidden.
    session: Option<AuthSession>,
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
    pub(super) attestation: Attestation,
}

struct Loaded {
    /// Of the key's record, or what stands for a key of the chip's own.
    id: String,
    handle: KeyHandle,
}

impl Chip {
    /// Connects, wakes the chip up and makes the storage primary, which is the same each time.
    pub(super) fn connect(settings: &Settings) -> Result<Self, Failure> {
        let mut context = Context::new(settings.name.clone())?;
        let slots = match context.get_tpm_property(PropertyTag::HrTransientMin) {
            Err(error) if kind(error) == Some(Kind::Initialize) => {
                context.startup(StartupType::Clear)?;
                context.get_tpm_property(PropertyTag::HrTransientMin)?
            }
            slots => slots?,
        };
        clear_slots(&mut context, TPM2_TRANSIENT_FIRST)?;
        context.tr_set_auth(ObjectHandle::Owner, settings.owner.clone())?;
        context.tr_set_auth(ObjectHandle::Endorsement, settings.endorsement.clone())?;
        // The owner's password is not sent either, though whoever listens may try guesses at home.
        let unsalted = if settings.encrypted { session::open(&mut context, None)? } else { None };
        let primary = authorised(&mut context, unsalted, |context| {
            context.create_primary(Hierarchy::Owner, template::storage()?, None, None, None, None)
        })?;
        let session = match unsalted {
            Some(unsalted) => {
                context.flush_context(SessionHandle::from(unsalted).into())?;
                session::open(&mut context, Some(primary.key_handle))?
            }
            None => None,
        };
        let handle = ObjectHandle::from(primary.key_handle);
        let name = context.tr_get_name(handle)?.value().to_vec();
        let saved = context.context_save(handle)?;
        context.flush_context(handle)?;
        let mut property = |tag| Ok::<_, TssError>(context.get_tpm_property(tag)?.unwrap_or_default());
        let maker = text(&[property(PropertyTag::Manufacturer)?]);
        let model =
            [PropertyTag::VendorString1, PropertyTag::VendorString2, PropertyTag::VendorString3, PropertyTag::VendorString4];
        let model = text(&model.into_iter().map(&mut property).collect::<TssResult<Vec<_>>>()?);
        let firmware = [PropertyTag::FirmwareVersion1, PropertyTag::FirmwareVersion2].map(&mut property);
        let firmware = firmware.into_iter().try_fold(0, |high, low| Ok::<_, TssError>(high << 32 | u64::from(low?)))?;
        let slots = slots.unwrap_or_default().max(MIN_SLOTS) as usize;
        Ok(Self {
            context,
            session,
            name,
            maker,
            model,
            firmware,
            primary: saved,
            slots,
            loaded: Vec::new(),
            attestation: Attestation::default(),
        })
    }

    /// Which chip it is, for people.
    pub(super) fn description(&self) -> String {
        let Self { maker, model, firmware, .. } = self;
        format!("TPM 2.0 of {maker} ({model}), firmware {firmware:x}")
    }

    /// Runs a command with what it needs to use its first handle.
    pub(super) fn authorised<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> TssResult<T> {
        authorised(&mut self.context, self.session, command)
    }

    /// As [`Self::authorised`], where a second handle needs something else.
    pub(super) fn authorised_both<T>(
        &mut self,
        second: AuthSession,
        command: impl FnOnce(&mut Context) -> TssResult<T>,
    ) -> TssResult<T> {
        let first = self.session.unwrap_or(AuthSession::Password);
        self.context.execute_with_sessions((Some(first), Some(second), None), command)
    }

    /// Runs a command with a key.
    pub(super) fn with<T>(
        &mut self,
        uuid: &str,
        blob: &Blob,
        command: impl FnOnce(&mut Context, KeyHandle) -> TssResult<T>,
    ) -> Result<T, Failure> {
        let handle = self.key(uuid, blob)?;
        Ok(self.authorised(|context| command(context, handle))?)
    }

    /// Runs a command with the primary, which may take one slot more.
    pub(super) fn with_primary<T>(
        &mut self,
        command: impl FnOnce(&mut Context, KeyHandle) -> TssResult<T>,
    ) -> Result<T, Failure> {
        self.make_room(2)?;
        let primary = self.context.context_load(self.primary.clone())?;
        let result = self.authorised(|context| command(context, primary.into()));
        self.context.flush_context(primary)?;
        Ok(result?)
    }

    /// Asks again, for a while, when the chip is busy.
    pub(super) fn patiently<T>(&mut self, work: impl Fn(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let (times, first) = PATIENCE;
        for wait in (0..times).map(|time| Duration::from_millis(first << time)) {
            match work(self) {
                Err(failure) if failure.busy() => std::thread::sleep(wait),
                result => return result,
            }
        }
        work(self)
    }

    /// Unloads a key that is no more.
    pub(super) fn forget(&mut self, uuid: &str) -> TssResult<()> {
        match self.loaded.iter().position(|loaded| loaded.id == uuid) {
            Some(at) => self.context.flush_context(self.loaded.remove(at).handle.into()),
            None => Ok(()),
        }
    }

    /// A key, loaded.
    pub(super) fn key(&mut self, uuid: &str, blob: &Blob) -> Result<KeyHandle, Failure> {
        if blob.parent != self.name {
            return Err(Failure::Foreign);
        }
        self.hold(uuid, |chip| {
            let handle = match chip.restore(blob)? {
                Some(handle) => handle,
                None => chip.load(blob)?,
            };
            chip.context.tr_set_auth(handle.into(), blob.auth.clone())?;
            Ok(handle)
        })
    }

    /// What is loaded under this name, or what `load` loads; the two that were held last are loaded both.
    pub(super) fn hold(
        &mut self,
        id: &str,
        load: impl FnOnce(&mut Self) -> Result<KeyHandle, Failure>,
    ) -> Result<KeyHandle, Failure> {
        if let Some(at) = self.loaded.iter().position(|loaded| loaded.id == id) {
            self.loaded[at..].rotate_left(1);
        } else {
            let handle = load(self)?;
            self.loaded.push(Loaded { id: id.to_owned(), handle });
        }
        self.loaded.last().map(|loaded| loaded.handle).ok_or_else(|| Failure::Other(Status::PsaErrorBadState.into()))
    }

    /// The key from its saved context, if there is one that is still good.
    fn restore(&mut self, blob: &Blob) -> Result<Option<KeyHandle>, Failure> {
        self.make_room(1)?;
        let mut saved = blob.saved();
        let Some(context) = saved.as_ref() else { return Ok(None) };
        match self.context.context_load(context.clone()) {
            Ok(handle) => Ok(Some(handle.into())),
            Err(error) => {
                tracing::debug!("a saved key is loaded anew: {error}");
                *saved = None;
                Ok(None)
            }
        }
    }

    fn load(&mut self, blob: &Blob) -> Result<KeyHandle, Failure> {
        let handle = self.with_primary(|context, primary| context.load(primary, blob.private.clone(), blob.public.clone()))?;
        *blob.saved() = Some(self.context.context_save(handle.into())?);
        Ok(handle)
    }

    /// Frees slots until so many are free.
    pub(super) fn make_room(&mut self, slots: usize) -> TssResult<()> {
        while self.loaded.len() + slots > self.slots {
            self.context.flush_context(self.loaded.remove(0).handle.into())?;
        }
        Ok(())
    }
}

impl Failure {
    /// What was loaded is gone, the connection is, or another program has taken the slots.
    pub(super) fn lost(&self) -> bool {
        match self {
            // The chip answers in "format one" (TPM 2.0 Part 2 §6.6.2) when it has looked at the parameters.
            Self::Tss(TssError::Tss2Error(code @ Tss2ResponseCode::FormatOne(_))) => {
                matches!(code.kind(), Some(Kind::Handle | Kind::BadAuth | Kind::Integrity))
            }
            Self::Tss(error) => matches!(error, TssError::Tss2Error(_)),
            Self::Foreign | Self::Other(_) => false,
        }
    }

    /// The chip asks to be asked again.
    fn busy(&self) -> bool {
        let Self::Tss(error) = self else { return false };
        matches!(kind(*error), Some(Kind::Retry | Kind::Yielded | Kind::Testing | Kind::NvRate))
    }

    /// There is nothing that answers.
    pub(super) fn unreachable(&self) -> bool {
        matches!(self, Self::Tss(error @ TssError::Tss2Error(_)) if kind(*error).is_none())
    }

    /// The refusal that the client and the log get.
    pub(super) fn explain(self, settings: &Settings) -> Error {
        let tcti = &settings.tcti;
        let (status, why) = match self {
            Self::Other(error) => return error,
            Self::Foreign => (Status::PsaErrorHardwareFailure, "the key was made in another TPM".to_owned()),
            Self::Tss(error) => match kind(error) {
                None if matches!(error, TssError::Tss2Error(_)) => (
                    Status::PsaErrorCommunicationFailure,
                    format!("the TPM at {tcti} does not answer: see that it is there and that the service may open it"),
                ),
                Some(Kind::AuthFail | Kind::BadAuth) => (
                    Status::PsaErrorHardwareFailure,
                    format!("the TPM at {tcti} refuses the password: see owner_hierarchy_auth in the configuration"),
                ),
                Some(Kind::ObjectMemory) => (
                    Status::PsaErrorInsufficientMemory,
                    format!(
                        "other programs fill the TPM at {tcti}: let all use its resource manager (device:/dev/tpmrm0 or tabrmd)"
                    ),
                ),
                _ => (Status::PsaErrorHardwareFailure, format!("the TPM at {tcti} failed: {error}")),
            },
        };
        Error::refused(status, why)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tss(error) => error.fmt(f),
            Self::Foreign => f.write_str("the key was made in another TPM"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl From<TssError> for Failure {
    fn from(error: TssError) -> Self {
        Self::Tss(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Unloads what a crashed service has left of one kind in a chip without a resource manager, which is ours alone: it has room for one user. A
/// resource manager shows each of its users nothing but its own.
pub(super) fn clear_slots(context: &mut Context, first: u32) -> TssResult<()> {
    let (handles, _) = context.get_capability(CapabilityType::Handles, first, MAX_HANDLES)?;
    let CapabilityData::Handles(handles) = handles else { return Ok(()) };
    for &handle in handles.iter() {
        let object = context.tr_from_tpm_public(handle)?;
        context.flush_context(object)?;
    }
    Ok(())
}

fn authorised<T>(
    context: &mut Context,
    session: Option<AuthSession>,
    command: impl FnOnce(&mut Context) -> TssResult<T>,
) -> TssResult<T> {
    context.execute_with_session(Some(session.unwrap_or(AuthSession::Password)), command)
}

pub(super) fn kind(error: TssError) -> Option<Kind> {
    match error {
        TssError::Tss2Error(code) => code.kind(),
        TssError::WrapperError(_) => None,
    }
}

/// The text in numbers whose bytes are its letters.
fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).filter(u8::is_ascii_graphic).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
