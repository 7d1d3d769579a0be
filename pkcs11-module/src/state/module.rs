//! What there is between C_Initialize and C_Finalize.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cryptoki_sys::{CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG};
use interface::client::Client;

use crate::error::{Error, Result};
use crate::ffi::PROCESS;
use crate::state::fork;
use crate::state::handles::Objects;
use crate::state::login::Login;
use crate::state::process::{Forked, PerProcess};
use crate::state::session::Session;
use crate::state::slot::Slots;

/// The state of a process that has called C_Initialize. Calls under way hold it, so that C_Finalize never pulls it away from
/// them.
///
/// Its locks are held for moments only, never while the service is asked but for `login`, and in the order of the fields.
pub(crate) struct Module {
    after_fork: AfterFork,
    /// Has come from the parent by fork, and the process has not called C_Initialize yet.
    inherited: AtomicBool,
    pub(crate) client: Client,
    pub(crate) slots: Slots,
    pub(crate) closing: Closing,
    /// Held by the one login that is under way: the service checks few PINs at once, and most are spared by the first.
    pub(crate) login: Mutex<()>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) objects: Mutex<Objects>,
}

/// What a child finds that has the module from its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFork {
    /// Nothing: it must call C_Initialize (PKCS#11 v2.40 §6.6.1).
    BeginAnew,
    /// Sessions, logins, operations and handles, each its own copy (CKF_INTERFACE_FORK_SAFE, PKCS#11 v3.1 §5.4.6).
    GoOn,
}

impl AfterFork {
    /// For programs that have not asked for the fork-safe interfaces. Some of them have children that use what their parent opened
    /// (`krb5kdc -w`); others tell by the error that they are a child. So it is for who starts the program to say.
    pub(crate) fn of_this_program() -> Self {
        let goes_on = PROCESS.variable("PARSEC_PKCS11_FORK").is_some_and(|value| value == "go-on");
        if goes_on { Self::GoOn } else { Self::BeginAnew }
    }
}

/// The open sessions, and who is logged in where: login is for all sessions of a token (PKCS#11 §4.6).
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    pub(crate) open: BTreeMap<CK_SESSION_HANDLE, Arc<Session>>,
    pub(crate) logins: BTreeMap<CK_SLOT_ID, Login>,
}

impl Sessions {
    /// What a child has of its parent's. A session in which another thread was at work has lost its operations.
    fn inherit(&self) -> Self {
        let mut copy = self.clone();
        for session in copy.open.values_mut().filter(|session| session.busy()) {
            *session = Arc::new(Session::new(session.provider, session.writable));
        }
        copy
    }
}

/// The module while it is initialised.
type State = Mutex<Option<Arc<Module>>>;

static STATE: PerProcess<State> = PerProcess::new();

impl Forked for State {
    /// The parent's connections are not for its child.
    fn new(parent: Option<&Self>) -> Self {
        let parent = parent.and_then(|parent| parent.try_lock().ok()?.clone());
        let inherited = parent.and_then(|parent| {
            parent.client.close_inherited();
            parent.inherit()
        });
        Self::new(inherited.map(Arc::new))
    }
}

/// Opens the module for this process. The service need not run.
pub(crate) fn initialize(after_fork: AfterFork) -> Result<()> {
    let mut state = state();
    if let Some(module) = &*state {
        let again = !module.inherited.swap(false, Ordering::Relaxed);
        return if again { Err(Error::AlreadyInitialized) } else { Ok(()) };
    }
    if after_fork == AfterFork::GoOn {
        fork::watch()?;
    }
    *state = Some(Arc::new(Module::new(after_fork)?));
    Ok(())
}

/// Ends calls that wait when the module is closed.
#[derive(Default)]
pub(crate) struct Closing {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Closing {
    fn close(&self) {
        *lock(&self.closed) = true;
        self.changed.notify_all();
    }

    /// Waits for this long; fails as soon as the module is closed.
    pub(crate) fn wait(&self, time: Duration) -> Result<()> {
        let waited = self.changed.wait_timeout_while(lock(&self.closed), time, |closed| !*closed);
        let (closed, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *closed { Err(Error::NotInitialized) } else { Ok(()) }
    }
}

/// The state of this process, locked.
pub(crate) fn state() -> MutexGuard<'static, Option<Arc<Module>>> {
    lock(STATE.current())
}

/// Closes the module; calls still under way finish, and those that only wait end.
pub(crate) fn finalize() -> Result<()> {
    let module = state().take().ok_or(Error::NotInitialized)?;
    module.closing.close();
    module.end_objects(|_, _| true);
    Ok(())
}

/// The module's state, if this very process has initialised it.
pub(crate) fn current() -> Result<Arc<Module>> {
    state().clone().ok_or(Error::NotInitialized)
}

impl Module {
    fn new(after_fork: AfterFork) -> Result<Self> {
        Ok(Self {
            after_fork,
            inherited: AtomicBool::new(false),
            client: Client::from_env(PROCESS)?,
            slots: Slots::default(),
            closing: Closing::default(),
            login: Mutex::default(),
            sessions: Mutex::default(),
            objects: Mutex::default(),
        })
    }

    /// What a child has of its parent's module.
    fn inherit(&self) -> Option<Self> {
        if self.after_fork == AfterFork::BeginAnew {
            return None;
        }
        let sessions = self.sessions.try_lock().ok()?.inherit();
        let objects = self.objects.try_lock().ok()?.clone();
        let (sessions, objects, inherited) = (Mutex::new(sessions), Mutex::new(objects), AtomicBool::new(true));
        Some(Self { sessions, objects, inherited, ..Self::new(self.after_fork).ok()? })
    }

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
        initialize(AfterFork::BeginAnew).unwrap();
        assert!(matches!(initialize(AfterFork::BeginAnew), Err(Error::AlreadyInitialized)));
        let _held_over_fork = STATE.current().lock().unwrap();
        // SAFETY: the child touches nothing but the module's own state, then leaves without cleaning up.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let forgot = matches!(current(), Err(Error::NotInitialized));
                let again = initialize(AfterFork::BeginAnew).is_ok() && current().is_ok();
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
