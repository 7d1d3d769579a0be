//! The client's view of the process that it runs in.

use crate::uid_map::outside;
use rustix::process::{Uid, getegid, geteuid, getgid, getuid};
use rustix::thread::capabilities;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// `AT_SECURE` of getauxval(3).
const AT_SECURE: usize = 23;

/// Called while waiting for the socket. Returns false if the caller should block instead.
pub type Pause = fn(BorrowedFd<'_>) -> bool;

/// Facts about somebody else's process that safe code cannot find out. The C edge of each library provides them.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Whether the program runs with more rights than the user who started it (set-uid, set-gid, file capabilities): `AT_SECURE` of
    /// getauxval(3). It stays true when the program gives these rights up.
    pub secure: fn() -> bool,
    /// A number that no other process has, not even a child. A process id does not serve: a child may have its parent's, in a PID
    /// namespace of its own or when its parent has ended.
    pub number: fn() -> u64,
    /// The client holds no lock when it calls this.
    pub pause: Option<Pause>,
}

/// A program of ours, which neither forks nor makes itself unreadable before it reads its settings.
impl Default for Process {
    fn default() -> Self {
        Self { secure, number: || std::process::id().into(), pause: None }
    }
}

impl Process {
    /// A variable of the environment. A program with more rights than the user who started it gets none, because that user wrote the
    /// environment.
    ///
    /// All variables of this product are read here.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        if (self.secure)() { None } else { std::env::var_os(name) }
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { process: (self.number)(), user: geteuid() }
    }
}

/// For whom a connection speaks: the kernel tells the service who connected, and keeps to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    process: u64,
    user: Uid,
}

/// The number of the user outside of the user namespace of the process, if it is another one there (user_namespaces(7)).
pub(super) fn outer_user() -> Option<u32> {
    let (me, map) = (geteuid().as_raw(), std::fs::read_to_string("/proc/self/uid_map").ok()?);
    outside(&map, me).filter(|outer| *outer != me)
}

/// A [`Process::number`], kept in memory that the kernel clears in children. `clear_in_children` asks the kernel for that
/// (`MADV_WIPEONFORK` of madvise(2)); where there is no such thing, the process id has to do.
pub fn number(memory: &AtomicU64, clear_in_children: impl FnOnce() -> bool) -> u64 {
    match memory.load(Ordering::Relaxed) {
        0 => begin(memory, clear_in_children).unwrap_or_else(|| std::process::id().into()),
        number => number,
    }
}

#[cold]
fn begin(memory: &AtomicU64, clear_in_children: impl FnOnce() -> bool) -> Option<u64> {
    if !clear_in_children() {
        return None;
    }
    let new = super::random().map(u64::from_ne_bytes).filter(|number| *number != 0)?;
    Some(memory.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|other| other, |_| new))
}

/// The kernel's word, or where `/proc` is not to be read, whether the program has any right that its user has not.
fn secure() -> bool {
    let vector = std::fs::read("/proc/self/auxv");
    let said = vector.ok().and_then(|vector| entry(&vector, AT_SECURE));
    said.map_or_else(|| (getuid(), getgid()) != (geteuid(), getegid()) || capable(), |value| value != 0)
}

fn capable() -> bool {
    !geteuid().is_root() && capabilities(None).is_ok_and(|sets| !sets.permitted.is_empty())
}

/// A value of an auxiliary vector: pairs of words, each a kind and its value.
fn entry(vector: &[u8], kind: usize) -> Option<usize> {
    let (words, _) = vector.as_chunks().0.as_chunks();
    let word = |bytes: &[u8; size_of::<usize>()]| usize::from_ne_bytes(*bytes);
    words.iter().find(|[this, _]| word(this) == kind).map(|[_, value]| word(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_more_rights_than_its_user_has_no_variables() {
        let plain = Process::default();
        assert!(plain.variable("PATH").is_some());
        assert_eq!(Process { secure: || true, ..plain }.variable("PATH"), None);
    }

    #[test]
    fn the_auxiliary_vector_tells_whether_the_program_is_privileged() {
        let vector = |secure: usize| [6, 4096, AT_SECURE, secure, 0, 0].map(usize::to_ne_bytes).concat();
        assert_eq!(entry(&vector(0), AT_SECURE), Some(0));
        assert_eq!(entry(&vector(1), AT_SECURE), Some(1));
        assert_eq!(entry(&vector(1), 7), None);
        assert_eq!(entry(&std::fs::read("/proc/self/auxv").unwrap(), AT_SECURE), Some(0));
        assert!(!secure());
    }

    #[test]
    fn a_process_whose_memory_is_cleared_has_another_number() {
        let memory = AtomicU64::new(0);
        let first = number(&memory, || true);
        assert_eq!(number(&memory, || panic!("asked for twice")), first);
        memory.store(0, Ordering::Relaxed);
        assert_ne!(number(&memory, || true), first);
    }

    #[test]
    fn a_kernel_that_clears_no_memory_leaves_the_process_id() {
        let memory = AtomicU64::new(0);
        assert_eq!(number(&memory, || false), u64::from(std::process::id()));
        assert_eq!(memory.load(Ordering::Relaxed), 0);
    }
}
