//! Which user the service runs as. Root only opens the socket, and gives its folders to that user.

use crate::error::{Error, Result};
use nix::errno::Errno;
use nix::unistd::{self, User};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use std::ffi::CString;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::Path;

/// The user that root gives way to.
const USER: &str = "parsec";

/// The user to become; `None` to stay who the process is.
///
/// # Errors
/// [`Error::Config`] for root without such a user and without leave to stay root.
pub fn target(allow_root: bool) -> Result<Option<User>> {
    if allow_root || !unistd::geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name(USER).map_err(|errno| Error::io("cannot look up the user parsec")(errno.into()))?;
    let missing = || {
        Error::Config(format!(
            "the service does not run as root: create its user (useradd --system {USER}), or start it with --allow-root"
        ))
    };
    user.map(Some).ok_or_else(missing)
}

/// Hands the folders that the service alone uses over to the user, and becomes the user for good.
///
/// # Errors
/// [`Error::Io`].
pub fn become_user(user: &User, folders: &[Option<&Path>]) -> Result<()> {
    for folder in folders.iter().flatten() {
        hand_over(folder, user).map_err(Error::io(format!("cannot hand {} over to the user {USER}", folder.display())))?;
    }
    let drop = || -> nix::Result<()> {
        // All of the user's groups: that of the TPM's device may be among them.
        let name = CString::new(user.name.as_str()).map_err(|_| Errno::EINVAL)?;
        unistd::initgroups(&name, user.gid)?;
        unistd::setgid(user.gid)?;
        unistd::setuid(user.uid)
    };
    drop().map_err(|errno| Error::io(format!("cannot become the user {USER}"))(errno.into()))
}

/// Creates the folder, readable for its owner only, and gives it to the user. One that is there already and is not root's own, or
/// that others use too, is left as it is: it may be `/var/lib` itself.
fn hand_over(folder: &Path, user: &User) -> std::io::Result<()> {
    let created = make_private(folder)?;
    let file = folder.metadata()?;
    if created || file.uid() == 0 && file.mode() & 0o077 == 0 {
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    Ok(())
}

/// Makes the folder where it is not there, for its owner alone; whether it has.
///
/// # Errors
/// The kernel's.
pub fn make_private(folder: &Path) -> std::io::Result<bool> {
    let missing = !folder.exists();
    if missing {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    Ok(missing)
}

/// Keeps keys from other processes of the same user, out of core files, and out of swap where the limit on locked memory is high
/// enough for all of it.
pub fn protect_memory() {
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    lock();
}

/// Keeps all that the service has in memory, now and later, out of swap as well. A key passes through the heap of the cryptographic
/// library, stacks and buffers, so a locked region for keys alone would leave traces of them outside.
///
/// # Errors
/// [`Error::Config`] where the kernel forbids that; so also for a limit that memory could grow beyond.
pub fn lock_memory() -> Result<()> {
    let locked = lock();
    let dumpable = dumpable_behavior().is_ok_and(|behaviour| behaviour != DumpableBehavior::NotDumpable);
    if locked && !dumpable {
        return Ok(());
    }
    Err(Error::Config(
        "sealed keys must stay out of swap and core files, and the kernel refuses to lock this process' memory: set LimitMEMLOCK=infinity in the service's unit, or ulimit -l unlimited"
            .to_owned(),
    ))
}

/// Whether all memory is locked. A limit that it could grow beyond would make it fail then, so nothing is locked under one.
fn lock() -> bool {
    let capable = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    (capable || unlimited) && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}

/// Every connection is a file, and the usual soft limit of 1024 is too low for a host of many containers. Only root can raise what
/// [`lock_memory`] may lock. Memory is for no core file.
pub fn set_limits() {
    let raise = |resource, limit| setrlimit(resource, Rlimit { current: limit, maximum: limit });
    let _ = raise(Resource::Nofile, getrlimit(Resource::Nofile).maximum);
    // The thread that accepts may be at -10 (getrlimit(2): 20 less the limit).
    let _ = raise(Resource::Nice, Some(30));
    // What dumps memory against the kernel's will, as root's debugger, heeds this: no memory but the headers of libraries (core(5)). It
    // can be set while the process is dumpable, which it is no more when it has changed its user.
    let _ = std::fs::write("/proc/self/coredump_filter", "0x10");
    let _ = raise(Resource::Memlock, None).or_else(|_| raise(Resource::Memlock, getrlimit(Resource::Memlock).maximum));
}
