//! What can go wrong at the command line, and the exit codes that scripts see.

use interface::text::Line;
use interface::{Status, client};
use parsec_service::error::cure;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NoService = 3,
    NotFound = 4,
    Denied = 5,
    Exists = 6,
    Unsupported = 7,
}

impl Exit {
    /// Every exit code, in the order of its number.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Done, Self::Failed, Self::Usage, Self::NoService, Self::NotFound, Self::Denied, Self::Exists, Self::Unsupported];

    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed for any other reason",
            Self::Usage => "the command is wrong",
            Self::NoService => "no service answers",
            Self::NotFound => "no such key, certificate or provider, or it was not granted to you",
            Self::Denied => "the key's policy, its owner or the service forbids it",
            Self::Exists => "the name is taken",
            Self::Unsupported => "the provider cannot do it",
        }
    }

    /// The list that stands in `--help`.
    pub(crate) fn help() -> String {
        let lines = Self::ALL.iter().map(|exit| format!("\n  {}  {}", *exit as u8, exit.meaning()));
        format!("Exit codes:{}", lines.collect::<String>())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// Why a command did not do what it was told, in one line but for the advice and for what is wrong in a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The service, or the way to it.
    #[error("cannot {}: {}{}", Line(what), Line(source), advice(source))]
    Client { what: String, source: client::Error },
    /// `parsec serve` could not start, or ended in an error.
    #[error(transparent)]
    Service(#[from] parsec_service::error::Error),
    /// The command makes no sense.
    #[error("{}", Line(.0))]
    Usage(String),
    /// The provider lacks what is needed.
    #[error("{}", Line(.0))]
    Unsupported(String),
    /// Nothing by that name.
    #[error("{}", Line(.0))]
    NotFound(String),
    /// A file does not hold what it should, or something else is not as it should be.
    #[error("{}", Line(.0))]
    Failed(String),
    /// A file cannot be used.
    #[error("{}: {source}{}", Line(what), cure(source))]
    Io { what: String, source: std::io::Error },
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client { source, .. } => exit_of(source),
            Self::Usage(_) => Exit::Usage,
            Self::Unsupported(_) => Exit::Unsupported,
            Self::NotFound(_) => Exit::NotFound,
            Self::Service(_) | Self::Failed(_) | Self::Io { .. } => Exit::Failed,
        }
    }
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self::Failed(format!("DER: {error}"))
    }
}

/// Says what was being done when the service or the way to it failed.
pub(crate) trait During<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> During<T> for Result<T, client::Error> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Client { what: what(), source })
    }
}

fn exit_of(error: &client::Error) -> Exit {
    match error {
        client::Error::Endpoint(_) | client::Error::Config(_) => Exit::Usage,
        client::Error::Connect { .. } | client::Error::Io(_) | client::Error::Closed | client::Error::Timeout(_) => {
            Exit::NoService
        }
        client::Error::Unsure { source, .. } => exit_of(source),
        client::Error::Protocol(_) => Exit::Failed,
        client::Error::Upstream(_) | client::Error::Older(_) => Exit::Unsupported,
        client::Error::Refused { status, .. } => match status {
            Status::PsaErrorDoesNotExist | Status::ProviderNotRegistered | Status::ProviderDoesNotExist => Exit::NotFound,
            Status::PsaErrorNotPermitted
            | Status::AdminOperation
            | Status::NotAuthenticated
            | Status::AuthenticationError
            | Status::AuthenticatorNotRegistered => Exit::Denied,
            Status::PsaErrorAlreadyExists => Exit::Exists,
            Status::PsaErrorNotSupported | Status::OpcodeDoesNotExist | Status::DeprecatedPrimitive => Exit::Unsupported,
            Status::PsaErrorInvalidArgument => Exit::Usage,
            _ => Exit::Failed,
        },
    }
}

/// What to do, where the service's own words do not say it.
fn advice(error: &client::Error) -> &'static str {
    match exit_of(error) {
        _ if matches!(error, client::Error::Refused { detail, .. } if !detail.is_empty()) => "",
        Exit::NotFound => "\n(what there is: parsec key list, parsec cert list, parsec providers)",
        Exit::Denied => {
            "\n(as whom the service knows you: parsec status; the owner of a key lets others use it: parsec key grant)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_exit_codes() {
        let refused = |status| Error::Client { what: "x".into(), source: client::Error::refused(status, "") };
        for (status, exit) in [
            (Status::PsaErrorDoesNotExist, Exit::NotFound),
            (Status::PsaErrorNotPermitted, Exit::Denied),
            (Status::PsaErrorAlreadyExists, Exit::Exists),
            (Status::PsaErrorNotSupported, Exit::Unsupported),
            (Status::PsaErrorHardwareFailure, Exit::Failed),
        ] {
            assert_eq!(refused(status).exit(), exit, "{status:?}");
        }
    }

    #[test]
    fn numbers_are_as_documented() {
        let numbers: Vec<_> = Exit::ALL.iter().map(|exit| *exit as usize).collect();
        assert_eq!(numbers, (0..Exit::ALL.len()).collect::<Vec<_>>());
    }
}
