//! Why a library did not do what it was asked.

use super::message::Kind;
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use interface::Status;

/// What went wrong in the worker.
#[derive(Debug)]
pub(super) enum Failure {
    /// What a function of the library returned.
    Library(RvError, Function),
    /// The library cannot be loaded, or breaks the interface.
    Interface(String),
    /// The token does not have the key.
    Missing,
    /// Nothing works any more. What was returned first.
    Lost(String),
    /// It was not the library.
    Refused(Status, String),
}

impl Failure {
    pub(super) fn unsupported(detail: impl Into<String>) -> Self {
        Self::Refused(Status::PsaErrorNotSupported, detail.into())
    }

    pub(super) fn odd(detail: impl Into<String>) -> Self {
        Self::Interface(detail.into())
    }

    pub(super) fn from_status(status: Status) -> Self {
        Self::Refused(status, status.to_string())
    }

    /// A failure after which nothing works.
    pub(super) fn lost_token(&self) -> Self {
        Self::Lost(self.to_string())
    }

    fn code(&self) -> Option<RvError> {
        match self {
            Self::Library(code, _) => Some(*code),
            _ => None,
        }
    }

    /// The session is no more, or is not what it should be. Others may be.
    pub(super) fn session(&self) -> bool {
        matches!(self.code(), Some(RvError::SessionHandleInvalid | RvError::SessionClosed | RvError::OperationActive))
    }

    /// The handle of the key is none any more.
    pub(super) fn handle(&self) -> bool {
        matches!(self.code(), Some(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid))
    }

    /// It may be the request's fault, or the end of everything: the library does not say.
    pub(super) fn vague(&self) -> bool {
        use RvError::{DeviceError, FunctionFailed, GeneralError, VendorDefined};
        matches!(self.code(), Some(DeviceError | FunctionFailed | GeneralError | VendorDefined(_)))
    }

    /// The data was not what this key has made.
    pub(super) fn data(&self) -> bool {
        use RvError::{DataInvalid, DataLenRange, EncryptedDataInvalid, EncryptedDataLenRange, SignatureInvalid};
        let data = [DataInvalid, DataLenRange, EncryptedDataInvalid, EncryptedDataLenRange, SignatureInvalid];
        self.code().is_some_and(|code| data.contains(&code))
    }

    pub(super) fn kind(&self) -> Kind {
        use RvError::*;
        match self {
            Self::Missing => Kind::Missing,
            Self::Lost(_) => Kind::Lost,
            Self::Library(code, _) => match code {
                SessionHandleInvalid
                | SessionClosed
                | UserNotLoggedIn
                | DeviceRemoved
                | TokenNotPresent
                | TokenNotRecognized
                | SlotIdInvalid
                | CryptokiNotInitialized => Kind::Lost,
                PinIncorrect | PinInvalid | PinLenRange | PinExpired | PinLocked => Kind::Pin,
                _ => Kind::Request,
            },
            Self::Interface(_) | Self::Refused(..) => Kind::Request,
        }
    }

    /// What the client is told as a number.
    pub(super) fn status(&self) -> Status {
        use RvError::*;
        let code = match self {
            Self::Refused(status, _) => return *status,
            Self::Library(code, _) => code,
            Self::Lost(_) => return Status::PsaErrorCommunicationFailure,
            Self::Interface(_) | Self::Missing => return Status::PsaErrorHardwareFailure,
        };
        match code {
            _ if self.kind() == Kind::Lost => Status::PsaErrorCommunicationFailure,
            FunctionNotSupported
            | MechanismInvalid
            | CurveNotSupported
            | DomainParamsInvalid
            | KeySizeRange
            | KeyTypeInconsistent
            | AttributeTypeInvalid
            | AttributeValueInvalid
            | TemplateInconsistent => Status::PsaErrorNotSupported,
            DataInvalid | DataLenRange | EncryptedDataInvalid | EncryptedDataLenRange | MechanismParamInvalid => {
                Status::PsaErrorInvalidArgument
            }
            KeyFunctionNotPermitted | ActionProhibited | KeyUnextractable | AttributeSensitive => Status::PsaErrorNotPermitted,
            DeviceMemory => Status::PsaErrorInsufficientStorage,
            HostMemory | SessionCount => Status::PsaErrorInsufficientMemory,
            _ => Status::PsaErrorHardwareFailure,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Library(RvError::VendorDefined(code) | RvError::UnknownErrorCode(code), function) => {
                write!(f, "C_{function:?} of the token's library returned {code:#x}")
            }
            Self::Library(code, function) => write!(f, "C_{function:?} of the token's library returned {code:?}"),
            Self::Missing => f.write_str("the token does not have the key"),
            Self::Interface(detail) | Self::Lost(detail) | Self::Refused(_, detail) => f.write_str(detail),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::Library(code, function),
            other => Self::Interface(format!("the token's library: {other}")),
        }
    }
}
