//! Why the chip did not obey, and what may help.

use super::settings::Settings;
use crate::error::Error;
use crate::sandbox::Reach;
use interface::Status;
use rustix::fs::Access;
use rustix::io::Errno;
use std::path::Path;
use tss_esapi::Error as TssError;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Failure {
    /// The library's, or the chip's own.
    Tss(TssError),
    /// It is not the chip that made the key.
    Foreign,
    /// It has not answered in time.
    Silent,
    /// It has answered what the key cannot have made.
    Wrong,
    /// Not the chip's fault.
    Other(Error),
}

impl Failure {
    /// The chip's response code; `None` if the library failed.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Tss(TssError::Tss2Error(code)) => code.kind(),
            _ => None,
        }
    }

    /// The command has not been begun, or not been finished, for a reason that passes.
    fn deferred(&self) -> bool {
        matches!(self.kind(), Some(Kind::Retry | Kind::Yielded | Kind::Testing | Kind::NvRate))
    }

    /// A new connection may help. What clients ask for is checked before the chip sees it; so its no means that something is not loaded,
    /// that another program has taken the slots, or that the connection has suffered.
    pub(super) fn lost(&self) -> bool {
        matches!(self, Self::Tss(_) | Self::Wrong) && !self.deferred()
    }

    /// The chip asks to be asked again, or has no room at the moment.
    pub(super) fn busy(&self) -> bool {
        self.deferred() || matches!(self.kind(), Some(Kind::ObjectMemory | Kind::SessionMemory | Kind::Memory))
    }

    /// Nothing answers.
    pub(super) fn unreachable(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Tss(TssError::Tss2Error(_)) => self.kind().is_none(),
            Self::Tss(_) | Self::Foreign | Self::Wrong | Self::Other(_) => false,
        }
    }

    /// What the log gets at a start. A wrong password is a fault of the configuration, which waiting does not mend.
    pub(super) fn at_start(self, settings: &Settings) -> Error {
        let password = matches!(self.kind(), Some(Kind::AuthFail | Kind::BadAuth));
        let error = self.explain(settings);
        if password { Error::Config(error.to_string()) } else { error }
    }

    /// The refusal that the client and the log get.
    pub(super) fn explain(self, settings: &Settings) -> Error {
        let tcti = &settings.tcti;
        let (status, why) = match self {
            Self::Other(error) => return error,
            _ if self.unreachable() => (Status::PsaErrorCommunicationFailure, silence(settings)),
            Self::Tss(error) => match self.kind() {
                Some(Kind::AuthFail | Kind::BadAuth) => (
                    Status::PsaErrorHardwareFailure,
                    format!("the TPM at {tcti} refuses the password: see owner_hierarchy_auth in the configuration"),
                ),
                Some(Kind::ObjectMemory) => (
                    Status::PsaErrorInsufficientMemory,
                    format!(
                        "other programs fill the TPM at {tcti}: let all use its resource manager (device:/dev/tpmrm0, or tabrmd with --flush-all)"
                    ),
                ),
                _ => (Status::PsaErrorHardwareFailure, format!("the TPM at {tcti} failed: {error}")),
            },
            Self::Wrong => (
                Status::PsaErrorHardwareFailure,
                format!("the TPM at {tcti} gives wrong answers: it, or the line to it, is damaged or tampered with"),
            ),
            Self::Foreign | Self::Silent => (Status::PsaErrorHardwareFailure, self.to_string()),
        };
        Error::refused(status, why)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tss(error) => error.fmt(f),
            Self::Foreign => f.write_str("the key was made in another TPM"),
            Self::Silent => f.write_str("the TPM has not answered in time"),
            Self::Wrong => f.write_str("the TPM has answered what the key cannot have made"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl From<TssError> for Failure {
    fn from(error: TssError) -> Self {
        Self::Tss(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// What is told of a chip that does not answer.
pub(super) fn silence(settings: &Settings) -> String {
    let why = match settings.reach().first() {
        Some(Reach::Device(path)) => shut(path),
        Some(Reach::Port(port)) => format!(
            "nobody listens at port {port}, or the service's unit lets it connect to nobody: see that it runs, and install the drop-in swtpm.conf"
        ),
        Some(Reach::File(_)) | None => "its resource manager does not run: systemctl start tpm2-abrmd".to_owned(),
    };
    format!("the TPM at {} does not answer: {why}", settings.tcti)
}

/// What keeps the service from a device.
fn shut(path: &Path) -> String {
    let shown = path.display();
    match rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK) {
        Err(Errno::NOENT) => {
            format!("there is no {shown}, or the service's unit hides it: ls -l {shown}, then parsec setup tpm")
        }
        Err(errno) => format!(
            "the service may not open {shown} ({errno}): its user must be in the device's group, usually tss: parsec setup tpm"
        ),
        Ok(()) => format!("{shown} is there, and hangs, or another program holds it: fuser -v {shown}"),
    }
}

/// The chip has answered something else.
pub(super) fn odd() -> Error {
    Error::refused(Status::PsaErrorHardwareFailure, "the TPM's answer is of another kind than what it was asked")
}

/// A value that no TPM takes.
pub(super) fn unfit(error: tss_esapi::Error) -> Error {
    Error::refused(Status::PsaErrorInvalidArgument, format!("this is not fit for a TPM: {error}"))
}

/// The refusal of an operation that this provider does not have.
pub(super) fn unsupported(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorNotSupported, detail)
}
