//! What there is between C_Initialize and C_Finalize.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki_sys::{CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CK_USER_TYPE};
use interface::client::Client;

use crate::error::{Error, Result};
use crate::object::Objects;
use crate::process::{Forked, PerProcess};
use crate::session::Session;
use crate::slot::Slots;

/// The state of a process that has called C_Initialize. Calls under way hold it, so that C_Finalize never pulls it away from
/// them.
pub(crate) struct Module {
    pub(crate) client: Client,
    pub(crate) slots: Slots,
    pub(crate) objects: Mutex<Objects>,
    pub(crate) sessions: Mutex<Sessions>,
}

/// The open sessions, and who is logged in where: login is for all sessions of a token (PKCS#11 §4.6).
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) open: BTreeMap<CK_SESSION_HANDLE, Arc<Session>>,
    pub(crate) users: BTreeMap<CK_SLOT_ID, CK_USER_TYPE>,
}

/// The module while it is initialised.
type State = Mutex<Option<Arc<Module>>>;

static STATE: PerProcess<State> = PerProcess::new();

impl Forked for State {
    /// A child starts uninitialised. Its parent's connections are not for it.
    fn new(parent: Option<&Self>) -> Self {
        if let Some(Ok(parent)) = parent.map(Self::try_lock)
            && let Some(module) = &*parent
        {
            module.client.close_inherited();
        }
        Self::default()
    }
}

/// Opens the module for this process. The service need not run.
pub(crate) fn initialize() -> Result<()> {
    let mut state = lock(STATE.current());
    if state.is_some() {
        return Err(Error::AlreadyInitialized);
    }
    *state = Some(Arc::new(Module {
        client: Client::from_env()?,
        slots: Slots::default(),
        objects: Mutex::default(),
        sessions: Mutex::default(),
    }));
    Ok(())
}

/// Closes the module; calls still under way finish.
pub(crate) fn finalize() -> Result<()> {
    let state = lock(STATE.current()).take();
    state.map(drop).ok_or(Error::NotInitialized)
}

/// The module's state, if this very process has initialised it.
pub(crate) fn current() -> Result<Arc<Module>> {
    lock(STATE.current()).clone().ok_or(Error::NotInitialized)
}

impl Module {
    pub(crate) fn session(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        lock(&self.sessions).open.get(&handle).cloned().ok_or(Error::SessionHandleInvalid)
    }
}

/// A handle for a session or object: never zero, never the same twice in a process or its children.
pub(crate) fn fresh_handle() -> CK_ULONG {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Locks; what a panicking call left behind is still sound, since every change is one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because the state is the process's.
    #[test]
    fn initialized_once_in_each_process() {
        assert!(matches!(current(), Err(Error::NotInitialized)));
        assert!(matches!(finalize(), Err(Error::NotInitialized)));
        initialize().unwrap();
        assert!(matches!(initialize(), Err(Error::AlreadyInitialized)));
        let _held_over_fork = STATE.current().lock().unwrap();
        // SAFETY: the child touches nothing but the module's own state, then leaves without cleaning up.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let forgot = matches!(current(), Err(Error::NotInitialized));
                let again = initialize().is_ok() && current().is_ok();
                libc::_exit(if forgot && again { 0 } else { 1 });
            }
            let mut status = -1;
            libc::waitpid(child, &raw mut status, 0);
            assert_eq!(status, 0);
        }
        drop(_held_over_fork);
        finalize().unwrap();
        assert!(matches!(current(), Err(Error::NotInitialized)));
    }
}
