//! The module between C_Initialize and C_Finalize.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use cryptoki_sys::{CK_SESSION_HANDLE, CK_SLOT_ID};
use interface::client::Client;

use crate::error::{Call, During, Error, Result};
use crate::ffi::PROCESS;
use crate::state::{handles::Objects, lock, login::Login, session::Session, slot::Slots};

/// The state of a process that has called C_Initialize. Calls under way hold it, so that C_Finalize never pulls it away from
/// them.
///
/// Its locks are held for moments only, never while the service is asked but for `login`, and in the order of the fields.
pub(crate) struct Module {
    after_fork: AfterFork,
    /// Has come from the parent by fork, and the process has not called C_Initialize yet.
    pub(super) inherited: AtomicBool,
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

/// Ends calls that wait when the module is closed.
#[derive(Default)]
pub(crate) struct Closing {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Closing {
    pub(super) fn close(&self) {
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

impl Module {
    pub(super) fn new(after_fork: AfterFork) -> Result<Self> {
        Ok(Self {
            after_fork,
            inherited: AtomicBool::new(false),
            client: Client::from_env(PROCESS).during(Call::Initialize)?,
            slots: Slots::default(),
            closing: Closing::default(),
            login: Mutex::default(),
            sessions: Mutex::default(),
            objects: Mutex::default(),
        })
    }

    /// What a child has of its parent's module.
    pub(super) fn inherit(&self) -> Option<Self> {
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
