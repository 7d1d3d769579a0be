//! Makes a fork wait until no thread is changing the module's state. So a child that goes on with the module finds it whole and
//! unlocked.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

use crate::error::{Error, Result};
use crate::state::module::{Module, Sessions};
use crate::state::{self, handles::Objects, lock};

/// The module's locks, all held. Let go of in the order of the fields.
struct Frozen {
    _objects: MutexGuard<'static, Objects>,
    _sessions: MutexGuard<'static, Sessions>,
    _module: Arc<Module>,
    _state: MutexGuard<'static, Option<Arc<Module>>>,
}

struct FrozenState(UnsafeCell<Option<Frozen>>);

// SAFETY: it is touched between `freeze` and `thaw` only, by the one thread that holds the locks.
unsafe impl Sync for FrozenState {}

static FROZEN: FrozenState = FrozenState(UnsafeCell::new(None));

/// From now on forks wait for the module. Children inherit that, too.
pub(crate) fn watch() -> Result<()> {
    static WATCHING: AtomicBool = AtomicBool::new(false);
    if WATCHING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: the handlers are there as long as the process, for the module is never unmapped.
    match unsafe { libc::pthread_atfork(Some(freeze), Some(thaw), Some(thaw)) } {
        0 => Ok(()),
        _ => Err(Error::HostMemory),
    }
}

extern "C" fn freeze() {
    let state = state::state();
    let Some(module) = (*state).clone() else {
        return;
    };
    // SAFETY: `Frozen` keeps the module longer than the guards.
    let locked: &'static Module = unsafe { &*Arc::as_ptr(&module) };
    let sessions = lock(&locked.sessions);
    let frozen = Frozen { _objects: lock(&locked.objects), _sessions: sessions, _module: module, _state: state };
    // SAFETY: this thread holds the locks, so no other one is between `freeze` and `thaw`.
    unsafe { *FROZEN.0.get() = Some(frozen) };
}

/// In the parent, and in the child, whose only thread is a copy of the one that took the locks.
extern "C" fn thaw() {
    // SAFETY: the thread that forked holds the locks, if they were taken; nobody else is here.
    drop(unsafe { (*FROZEN.0.get()).take() });
}
