//! Which user the service runs as. Root only opens the socket and hands its folders over.

use crate::error::{Error, Result};
use nix::unistd::{self, User};
use rustix::process::{DumpableBehavior, Resource, getrlimit, setrlimit};
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
        unistd::setgroups(&[user.gid])?;
        unistd::setgid(user.gid)?;
        unistd::setuid(user.uid)
    };
    drop().map_err(|errno| Error::io(format!("cannot become the user {USER}"))(errno.into()))
}

/// Creates the folder, readable for its owner only, and gives it to the user. One that is there already and is not root's own, or
/// that others use too, is left as it is: it may be `/var/lib` itself.
fn hand_over(folder: &Path, user: &User) -> std::io::Result<()> {
    let created = !folder.exists();
    if created {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = folder.metadata()?;
    if created || file.uid() == 0 && file.mode() & 0o077 == 0 {
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    Ok(())
}

/// Keeps keys out of core files and from debuggers of other processes of the same user.
pub fn protect_memory() {
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Every connection is a file, and the usual soft limit of 1024 is too low for a host of many containers.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum });
}
