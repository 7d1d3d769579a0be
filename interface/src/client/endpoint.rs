//! Where the service listens.

use super::Error;
use rustix::net::SocketAddrUnix;
use std::path::PathBuf;

/// The socket of a service installed on the host.
const SYSTEM: &str = "/run/parsec/parsec.sock";

/// The address of a service: a Unix socket's path, or with a leading `@` its abstract name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// The endpoint that `PARSEC_SERVICE_ENDPOINT` names; without it the system's service, or else the user's own. A program that
    /// runs with more rights than its user has uses the system's: the user may not lead it to another.
    ///
    /// # Errors
    /// [`Error::Endpoint`] if the variable holds anything but `unix:` and a path.
    pub fn from_env() -> Result<Self, Error> {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        if (getuid(), getgid()) != (geteuid(), getegid()) {
            return Ok(Self(SYSTEM.to_owned()));
        }
        match std::env::var("PARSEC_SERVICE_ENDPOINT") {
            Ok(endpoint) => endpoint.parse(),
            Err(_) => Ok(Self::user().filter(|_| !PathBuf::from(SYSTEM).exists()).unwrap_or_else(|| Self(SYSTEM.to_owned()))),
        }
    }

    fn user() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?).join("parsec/parsec.sock");
        path.exists().then(|| path.into_os_string().into_string().ok().map(Self))?
    }

    /// The path, or `@` and the abstract name.
    pub fn path(&self) -> &str {
        &self.0
    }

    pub(super) fn address(&self) -> rustix::io::Result<SocketAddrUnix> {
        match self.0.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
            None => SocketAddrUnix::new(self.0.as_str()),
        }
    }
}

impl std::str::FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let path = text.strip_prefix("unix:").filter(|path| !path.is_empty());
        path.map(|path| Self(path.to_owned())).ok_or_else(|| Error::Endpoint(text.to_owned()))
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unix:{}", self.0)
    }
}
