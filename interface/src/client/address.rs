//! The address of a service.

use rustix::net::SocketAddrUnix;

/// The address of a service: a Unix socket's path, or with a leading `@` its abstract name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(pub(super) String);

impl Endpoint {
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

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unix:{}", self.0)
    }
}
