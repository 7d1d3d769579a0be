//! What can go wrong, and how it appears in the host's OpenSSL error queue.

use std::ffi::c_uint;

use interface::client;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The service answered, and will not do it.
    #[error("{}{}", .0, cure(.0))]
    Refused(client::Error),
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(String),
    /// What was set for the way to the service.
    #[error("{0}")]
    Configuration(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Reference(String),
    #[error("{0}")]
    Parameter(String),
    #[error("{0}")]
    State(&'static str),
    #[error("the buffer has {has} bytes and needs {needs}")]
    Buffer { has: usize, needs: usize },
    /// A file that a key is written to.
    #[error("{0}")]
    Output(String),
    #[error("a bug in the parsec provider; please report it")]
    Internal,
}

impl Error {
    /// The number of its reason, and what that means.
    pub(crate) fn reason(&self) -> (c_uint, &'static str) {
        let number: u8 = match self {
            Self::Refused(_) => 1,
            Self::Unsupported(_) => 2,
            Self::Reference(_) => 3,
            Self::Parameter(_) => 4,
            Self::State(_) => 5,
            Self::Buffer { .. } => 6,
            Self::Internal => 7,
            Self::Unreachable(_) => 8,
            Self::Configuration(_) => 9,
            Self::Output(_) => 10,
        };
        (number.into(), REASONS[usize::from(number) - 1])
    }
}

/// What to do about a refusal whose own words do not say it.
fn cure(refused: &client::Error) -> &'static str {
    match refused {
        client::Error::Refused { detail, .. } if detail.is_empty() => {
            " (as whom the service knows you: parsec status; the owner of a key lets others use it: parsec key grant)"
        }
        _ => "",
    }
}

/// The reasons, in the order of their numbers. They stand in the text of each error: from a list that the core was given it takes them
/// back when it lets go of us, and a program that holds a key until after OPENSSL_cleanup(3) would not survive that.
const REASONS: [&str; 10] = [
    "the parsec service refused",
    "not supported",
    "bad key reference",
    "bad parameter",
    "wrong order of calls",
    "buffer too small",
    "internal error",
    "the parsec service cannot be reached",
    "bad configuration",
    "not written",
];
