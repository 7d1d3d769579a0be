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

use crate::error::{Error, Result};
use interface::Status;
use zeroize::Zeroizing;

impl From<lc::Refused> for Error {
    fn from(_: lc::Refused) -> Self {
        library()
    }
}

/// The library refused what it should not.
fn library() -> Error {
    Error::refused(
        Status::PsaErrorGenericError,
        "the cryptographic library failed",
    )
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorInvalidArgument, detail)
}

fn unsupported(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorNotSupported, detail)
}

/// Random bytes.
fn random(len: usize) -> Result<lc::Secret> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| {
        Error::refused(
            Status::PsaErrorInsufficientEntropy,
            "the random generator failed",
        )
    })?;
    Ok(bytes)
}
