//! A session and the operations under way in it.

use std::sync::{Mutex, MutexGuard};

use cryptoki_sys::CK_SLOT_ID;
use interface::ProviderId;

use crate::error::{Error, Result};
use crate::operations::Operations;
use crate::state::lock;

pub(crate) struct Session {
    /// The provider behind the session's slot.
    pub(crate) provider: ProviderId,
    /// Opened with CKF_RW_SESSION.
    pub(crate) writable: bool,
    operations: Mutex<Operations>,
}

impl Session {
    pub(crate) fn new(provider: ProviderId, writable: bool) -> Self {
        Self { provider, writable, operations: Mutex::default() }
    }

    pub(crate) fn slot(&self) -> CK_SLOT_ID {
        self.provider.number().into()
    }

    /// The operations. Two threads in one session take turns.
    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        lock(&self.operations)
    }

    /// Whether a thread is at work in it, or was in the parent at the fork.
    pub(crate) fn busy(&self) -> bool {
        self.operations.try_lock().is_err()
    }

    /// Fails in a read-only session, which may not change what the token keeps.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.writable { Ok(()) } else { Err(Error::SessionReadOnly) }
    }
}
