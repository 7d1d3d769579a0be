//! What the host offers a service that is told nothing: folders, a socket and a configuration.

use crate::auth;
use crate::error::{Error, Result};
use interface::client::Process;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What the defaults depend on. Systemd's folders for a unit come first, then root's or the user's own.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) uid: u32,
    /// As in [`auth::Authenticators`].
    pub(super) unmapped: Option<u32>,
    /// The folder of the socket.
    pub(super) runtime: Option<PathBuf>,
    /// The folder of the store.
    pub(super) state: Option<PathBuf>,
    /// The folder of the configuration.
    pub(super) configuration: Option<PathBuf>,
    /// Systemd passes a socket.
    pub(super) passed: bool,
}

impl Host {
    pub(super) fn current() -> Self {
        let process = Process::default();
        let uid = rustix::process::geteuid().as_raw();
        let session = PathBuf::from(format!("/run/user/{uid}"));
        let host = Self::told(uid, |name| process.variable(name));
        let runtime = host.runtime.or_else(|| session.is_dir().then(|| session.join("parsec")));
        Self { unmapped: auth::unmapped(), runtime, ..host }
    }

    /// What the environment says.
    pub(super) fn told(uid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name| Some(first(&variable(name)?)).filter(|path| path.is_absolute());
        let home = || Some(folder("HOME")?.join(".local/state"));
        let user = |system: &str, own: Option<PathBuf>| {
            let base = if uid == 0 { Some(system.into()) } else { own };
            base.map(|base| base.join("parsec"))
        };
        Self {
            uid,
            unmapped: None,
            runtime: folder("RUNTIME_DIRECTORY").or_else(|| user("/run", folder("XDG_RUNTIME_DIR"))),
            state: folder("STATE_DIRECTORY").or_else(|| user("/var/lib", folder("XDG_STATE_HOME").or_else(home))),
            configuration: folder("CONFIGURATION_DIRECTORY").or_else(|| user("/etc", None)),
            passed: variable("LISTEN_PID").is_some_and(|pid| *pid == *std::process::id().to_string()),
        }
    }

    /// The configuration that is read when none is named. One that cannot be looked at is not passed over.
    pub(super) fn configuration(&self) -> Option<PathBuf> {
        let file = self.configuration.as_ref()?.join("config.toml");
        let missing = matches!(file.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound);
        (!missing).then_some(file)
    }

    /// The socket; `None` where systemd's is the only one that is known of.
    pub(super) fn socket(&self) -> Result<Option<PathBuf>> {
        match &self.runtime {
            Some(folder) => Ok(Some(folder.join("parsec.sock"))),
            None if self.passed => Ok(None),
            None => Err(homeless("XDG_RUNTIME_DIR, or socket_path in [listener]")),
        }
    }

    pub(super) fn state(&self) -> Result<PathBuf> {
        self.state.clone().ok_or_else(|| homeless("HOME or XDG_STATE_HOME, or sqlite_db_path in [[key_manager]]"))
    }
}

fn homeless(setting: &str) -> Error {
    Error::Config(format!("this user has no folder for the service's files: set {setting}"))
}

/// The first of the folders that systemd lists for a unit.
fn first(list: &OsStr) -> PathBuf {
    let end = list.as_bytes().iter().position(|byte| *byte == b':').unwrap_or(list.len());
    OsStr::from_bytes(&list.as_bytes()[..end]).into()
}
