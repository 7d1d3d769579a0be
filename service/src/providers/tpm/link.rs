//! The library's connection to the chip, for as long as the service owns it.

use super::failure::Failure;
use super::settings::Settings;
use super::turn::Turn;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::handles::ObjectHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;
use tss_esapi::{Context, Result as TssResult};

/// Handles in one answer, at most (TPM 2.0 Part 2 §6.13, `MAX_CAP_HANDLES`).
const MAX_HANDLES: u32 = 254;

/// A connection.
pub(super) struct Link {
    context: Context,
    pub(super) turn: Turn,
    /// Shows that a command may use a key. `None`: the password does, and nothing is hidden.
    pub(super) session: Option<AuthSession>,
    /// Ends after the library's connection, which unloads what is loaded when it ends.
    _open: Open,
}

/// How many connections there are.
static OPEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// One of them.
struct Open;

impl Open {
    fn new() -> Self {
        *OPEN.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        *OPEN.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        OPEN.1.notify_all();
    }
}

/// Waits until all connections have ended, but no longer than this.
pub(super) fn await_end(limit: Duration) {
    let open = OPEN.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(OPEN.1.wait_timeout_while(open, limit, |open| *open > 0));
}

impl Link {
    pub(super) fn open(settings: &Settings, turn: Turn) -> Result<Self, Failure> {
        Ok(Self { context: Context::new(settings.name.clone())?, turn, session: None, _open: Open::new() })
    }

    /// Runs one command, if the chip is ours, and takes its answer, if the chip still is.
    pub(super) fn ask<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        self.turn.check()?;
        let answer = command(&mut self.context);
        self.turn.check()?;
        Ok(answer?)
    }

    /// Runs one command that needs a password.
    pub(super) fn authorised<T>(&mut self, command: impl FnOnce(&mut Context) -> TssResult<T>) -> Result<T, Failure> {
        let session = self.session.unwrap_or(AuthSession::Password);
        self.ask(|context| context.execute_with_session(Some(session), command))
    }

    /// Zero where the chip has no such property.
    pub(super) fn property(&mut self, tag: PropertyTag) -> Result<u32, Failure> {
        Ok(self.ask(|context| context.get_tpm_property(tag))?.unwrap_or_default())
    }

    /// Unloads what a crashed service has left of one kind in a chip without a resource manager, which is ours alone: it has room for
    /// one user. A resource manager shows each of its users nothing but its own.
    pub(super) fn clear(&mut self, first: u32) -> Result<(), Failure> {
        let all = |context: &mut Context| context.get_capability(CapabilityType::Handles, first, MAX_HANDLES);
        let (CapabilityData::Handles(handles), _) = self.ask(all)? else { return Ok(()) };
        for &handle in handles.iter() {
            match self.ask(|context| context.tr_from_tpm_public(handle)) {
                // It is no key, and the library can unload nothing else.
                Err(failure) if failure.kind() == Some(Kind::Sequence) => {}
                object => object.and_then(|object| self.flush(object))?,
            }
        }
        Ok(())
    }

    /// Unloads something of ours.
    pub(super) fn flush(&mut self, handle: ObjectHandle) -> Result<(), Failure> {
        self.ask(|context| context.flush_context(handle))
    }

    /// Forgets that something is loaded, without a word to the chip.
    pub(super) fn forget(&mut self, mut handle: ObjectHandle) {
        // What the library says of it is that it was not unloaded.
        let _ = self.context.tr_close(&mut handle);
    }
}
