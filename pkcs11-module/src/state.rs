//! The state between C_Initialize and C_Finalize: the module, its slots, sessions, logins and handles.

mod abilities;
mod again;
pub(crate) mod end;
mod fork;
pub(crate) mod handles;
pub(crate) mod login;
pub(crate) mod module;
pub(crate) mod process;
pub(crate) mod session;
pub(crate) mod slot;
mod token;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use module::{AfterFork, Module};
use process::{Forked, PerProcess};

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
