//! The one error of the service, and its one mapping to the wire's status.

use interface::Status;
use interface::text::{Line, head};
use rustix::io::Errno;
use std::borrow::Cow;

/// So many bytes of a text are told. It may hold a name as long as the request that made it up, and to show it takes time for each
/// character, on a thread that reads what others have sent.
const TOLD: usize = 4096;

/// Why a request was refused or failed, or why the service cannot start.
///
/// The text goes to the log and, on connections that have said Hello, to the client; it names what was refused, why, and what mends
/// it, and never holds key material. It shows names that clients chose as what they are: part of one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is at fault, or may not be done.
    #[error("{}", told(detail))]
    Refused {
        /// What the client is told as a number.
        status: Status,
        /// What the log and extended clients are told in words.
        detail: String,
    },
    /// The configuration is wrong.
    #[error("configuration: {0}")]
    Config(String),
    /// The key store failed.
    #[error("key store: {0}")]
    Store(#[from] rusqlite::Error),
    /// Something in the store is not what was written there.
    #[error("key store: {}", told(.0))]
    Corrupt(String),
    /// A file or socket failed.
    #[error("{what}: {source}{}", cure(source))]
    Io {
        /// Which one, and what was tried.
        what: String,
        /// What the kernel said.
        source: std::io::Error,
    },
}

/// A result with the service's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A refusal.
    pub fn refused(status: Status, detail: impl Into<String>) -> Self {
        Self::Refused { status, detail: detail.into() }
    }

    /// A failure of a file or socket.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }

    /// Whether a device did not do what it was told. Nothing is wrong with the configuration or the store then.
    pub fn away(&self) -> bool {
        use Status::{PsaErrorCommunicationFailure, PsaErrorHardwareFailure, PsaErrorInsufficientMemory};
        let device = [PsaErrorCommunicationFailure, PsaErrorHardwareFailure, PsaErrorInsufficientMemory];
        matches!(self, Self::Refused { status, .. } if device.contains(status))
    }

    /// The wire's status.
    pub fn status(&self) -> Status {
        match self {
            Self::Refused { status, .. } => *status,
            Self::Config(_) => Status::PsaErrorGenericError,
            Self::Store(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => Status::PsaErrorInsufficientStorage,
                _ => Status::PsaErrorStorageFailure,
            },
            Self::Corrupt(_) => Status::PsaErrorDataCorrupt,
            Self::Io { .. } => Status::PsaErrorStorageFailure,
        }
    }
}

/// What mends a failure of a file or socket; empty where the kernel's own word says it.
pub fn cure(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::PermissionDenied => {
            " (who may, tells ls -ld; a unit of systemd's writes to its StateDirectory= and ReadWritePaths=)"
        }
        ErrorKind::ReadOnlyFilesystem => {
            " (a unit of systemd's writes to its StateDirectory= and ReadWritePaths= alone: systemctl edit parsec)"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => " (make room there: df -h tells how much there is)",
        ErrorKind::NotFound => " (ls -ld tells which of its folders is there)",
        ErrorKind::NotADirectory => " (a file is in the place of a folder: ls -ld tells which, mv moves it away)",
        _ if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
            " (the disk or its file system failed, see dmesg; when it is sound again start the service, or restore a backup)"
        }
        ErrorKind::IsADirectory => " (it is a folder: name a file in it)",
        _ => "",
    }
}

fn told(text: &str) -> Line<Cow<'_, str>> {
    Line(head(text, TOLD))
}

impl From<lc::Refused> for Error {
    fn from(_: lc::Refused) -> Self {
        Self::refused(Status::PsaErrorGenericError, "the cryptographic library failed")
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::refused(status, status.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_text_without_end_the_beginning_is_told() {
        let text = format!("no key '{}'", "\u{1b}".repeat(1 << 20));
        for error in [Error::refused(Status::PsaErrorDoesNotExist, &*text), Error::Corrupt(text)] {
            let told = error.to_string();
            assert!(told.contains(r"no key '\u{1b}\u{1b}") && told.ends_with('…'), "{told:.80}");
            assert!(told.len() < 8 * TOLD, "{} bytes", told.len());
        }
        let short = Error::refused(Status::PsaErrorDoesNotExist, "é".repeat(TOLD / 2));
        assert_eq!(short.to_string(), "é".repeat(TOLD / 2));
    }
}
