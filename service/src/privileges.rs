//! Which user the service runs as. Root only opens the socket and hands its folders over.

use crate::error::{Error, Result};
use nix::unistd::{self, User};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::os::unix::fs::chown;
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
    let user = User::from_name(USER)
        .map_err(|errno| Error::io("cannot look up the user parsec")(errno.into()))?;
    let missing = || {
        Error::Config(format!(
            "the service does not run as root: create its user (useradd --system {USER}), or start it with --allow-root"
        ))
    };
    user.map(Some).ok_or_else(missing)
}

/// Creates the folders, hands them over and becomes the user for good.
///
/// # Errors
/// [`Error::Io`].
pub fn become_user(user: &User, folders: &[Option<&Path>]) -> Result<()> {
    for folder in folders.iter().flatten() {
        let failed = || format!("cannot hand {} over to the user {USER}", folder.display());
        std::fs::create_dir_all(folder).map_err(Error::io(failed()))?;
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .map_err(Error::io(failed()))?;
    }
    let drop = || -> nix::Result<()> {
        unistd::setgroups(&[user.gid])?;
        unistd::setgid(user.gid)?;
        unistd::setuid(user.uid)
    };
    drop().map_err(|errno| Error::io(format!("cannot become the user {USER}"))(errno.into()))
}

/// Every connection is a file, and the usual soft limit of 1024 is too low for a host of many containers.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        rustix::process::Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
