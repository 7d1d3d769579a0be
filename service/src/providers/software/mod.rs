//! The software provider: keys in this process, on AWS-LC.
//!
//! `key` is the heart: a parsed key that every operation borrows. Each of the other modules turns an algorithm into what runs it
//! (`Scheme::of`, `Mode::of`, …) and runs it; `capability` asks the same functions, so it cannot promise more than they do.

mod aead;
mod agreement;
mod capability;
mod cipher;
mod encrypt;
mod hash;
mod key;
mod lc;
mod mac;
mod rsa;
mod sign;
#[cfg(test)]
mod tests;

use interface::Status;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// PROVISIONAL
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    pub status: Status,
    pub detail: Cow<'static, str>,
}
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(status: Status, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
    fn library() -> Self {
        Self::new(
            Status::PsaErrorGenericError,
            "the cryptographic library failed",
        )
    }
}

impl From<lc::Refused> for Error {
    fn from(_: lc::Refused) -> Self {
        Self::library()
    }
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Status::PsaErrorInvalidArgument, detail)
}

fn unsupported(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Status::PsaErrorNotSupported, detail)
}

/// Random bytes.
fn random(len: usize) -> Result<lc::Secret> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| {
        Error::new(
            Status::PsaErrorInsufficientEntropy,
            "the random generator failed",
        )
    })?;
    Ok(bytes)
}
