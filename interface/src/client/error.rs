//! Errors between a program and its keys, with messages that tell a person how to mend them.

use super::Endpoint;
use crate::{Opcode, Status, text};
use rustix::io::Errno;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint cannot be used.
    #[error("'{0}' is no endpoint of a service: write unix: and the path of its socket, such as unix:/run/parsec/parsec.sock")]
    Endpoint(String),
    /// The administrator's file for clients cannot be used.
    #[error("{0}")]
    Config(String),
    /// Nobody answers at the endpoint.
    #[error("cannot reach the Parsec service at {endpoint}: {source} ({hint})", hint = hint(endpoint, source))]
    Connect {
        /// Where it should be.
        endpoint: Endpoint,
        /// What the kernel said.
        source: io::Error,
    },
    /// The connection broke while it was used.
    #[error("the connection to the Parsec service broke: {0}")]
    Io(io::Error),
    /// The service closed the connection before it had answered.
    #[error("the Parsec service closed the connection before it answered; it may have been restarted: try again")]
    Closed,
    /// The service did not answer in time.
    #[error("the Parsec service did not answer within {0:?}: it is overloaded or hangs; see its log: journalctl -u parsec")]
    Timeout(Duration),
    /// The service has heard a request, one that must not be made twice, and it has not answered.
    #[error(
        "{source}; what was asked ({opcode:?}) may have been done all the same: before you ask again, look with: parsec {}",
        find_out(*opcode)
    )]
    Unsure {
        /// What was asked.
        opcode: Opcode,
        /// Why there is no answer.
        source: Box<Self>,
    },
    /// The service answered something that the protocol does not allow.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// The service refused the request or failed at it.
    #[error("{}", if detail.is_empty() { status.to_string() } else { text::line(detail).into_owned() })]
    Refused {
        /// Why, as a number.
        status: Status,
        /// Why, in words; may be empty. The error shows them as one line, whoever chose the names in them.
        detail: String,
    },
    /// The service is an upstream Parsec, which lacks the operation.
    #[error("this Parsec service has no {0:?}: it is an upstream Parsec without extensions")]
    Upstream(Opcode),
    /// The service is ours and older, and has passed over what it does not know.
    #[error("this service is older than this program and cannot {0}: restart it, or upgrade it")]
    Older(&'static str),
}

impl Error {
    /// A refusal.
    pub fn refused(status: Status, detail: impl Into<String>) -> Self {
        Self::Refused { status, detail: detail.into() }
    }

    /// The service's status, if it answered with one.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The request was surely or perhaps not answered because the connection had gone: worth a second try on a new one.
    pub(super) fn lost(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::UnexpectedEof
            ),
            _ => false,
        }
    }

    /// The service has said that it stops, or that it could not read the whole request: it has done nothing.
    pub(super) fn not_begun(&self) -> bool {
        self.status() == Some(Status::ConnectionError)
    }

    /// The connection cannot be used again.
    pub(super) fn broken(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Closed | Self::Timeout(_) | Self::Protocol(_) | Self::Unsure { .. })
            || self.not_begun()
    }

    /// The service has closed the connection before it had read all that was sent (`ECONNRESET` of unix(7)).
    pub(super) fn unread(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::ConnectionReset)
    }

    /// There is no socket.
    pub(super) fn missing(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Nobody listens at the moment.
    pub fn absent(&self) -> bool {
        match self {
            Self::Connect { source, .. } => matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused),
            Self::Unsure { source, .. } => source.absent(),
            other => other.lost(),
        }
    }
}

/// The command that shows whether it was done.
fn find_out(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::InitToken | Opcode::SetPin | Opcode::Login => "token status",
        Opcode::PutObject | Opcode::DestroyObject => "cert list",
        _ => "key list",
    }
}

/// What it means that nobody answers there, and what to do.
fn hint(endpoint: &Endpoint, error: &io::Error) -> String {
    let folder = || Path::new(endpoint.path()).parent().unwrap_or_else(|| Path::new("/")).display();
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "no such socket: start the service with systemctl start parsec.socket, or parsec serve; in a container or chroot mount {} there",
            folder()
        ),
        io::ErrorKind::ConnectionRefused => {
            "the socket is there but nobody listens: start the service with systemctl restart parsec, or parsec serve".to_owned()
        }
        io::ErrorKind::PermissionDenied => format!("this user may not open the socket: chmod o+x {}", folder()),
        io::ErrorKind::WouldBlock => {
            "the service does not accept connections: it is overloaded or hangs; see its log: journalctl -u parsec".to_owned()
        }
        _ if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => {
            "the unit of this program forbids sockets: set RestrictAddressFamilies=AF_UNIX in it".to_owned()
        }
        _ => "see that the service runs: systemctl status parsec".to_owned(),
    }
}
