//! State that belongs to one process, although a fork copies memory.
//!
//! After a fork, locks of other threads stay locked in the child for ever, and half-done changes stay half done. So state hangs off
//! the number of the process. A child makes its own and never touches its parent's, which stays reachable (a few hundred bytes for
//! each generation of forks).

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::PROCESS;

/// A `T` for each process, made when it is first asked for, never freed.
pub(crate) struct PerProcess<T>(AtomicPtr<Entry<T>>);

struct Entry<T> {
    process: u64,
    value: T,
    _parent: *mut Self,
}

/// The number of this process, as [`interface::client::Process`] has it.
pub(crate) fn number() -> u64 {
    (PROCESS.number)()
}

/// State that knows how to begin anew in a child.
pub(crate) trait Forked: Sync {
    /// The state of a process, which has inherited its parent's. Locks may be tried, but not waited for.
    fn new(parent: Option<&Self>) -> Self;
}

impl<T: Forked> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's value.
    pub(crate) fn current(&'static self) -> &'static T {
        let process = number();
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            // SAFETY: a pointer in `self.0` is NULL or came from `Box::into_raw` below, and is never freed.
            let latest = unsafe { head.as_ref() };
            if let Some(entry) = latest.filter(|entry| entry.process == process) {
                return &entry.value;
            }
            let value = T::new(latest.map(|entry| &entry.value));
            let entry = Box::into_raw(Box::new(Entry { process, value, _parent: head }));
            match self.0.compare_exchange(head, entry, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => head = entry,
                Err(now) => {
                    head = now;
                    // SAFETY: nobody else has seen this entry.
                    drop(unsafe { Box::from_raw(entry) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    impl Forked for Mutex<u32> {
        fn new(_: Option<&Self>) -> Self {
            Self::default()
        }
    }

    #[test]
    fn one_value_for_all_threads() {
        static STATE: PerProcess<Mutex<u32>> = PerProcess::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| *STATE.current().lock().unwrap() += 1);
            }
        });
        assert_eq!(*STATE.current().lock().unwrap(), 8);
    }
}
