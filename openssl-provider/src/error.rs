//! What can go wrong, and how it appears in the host's OpenSSL error queue.

use std::{
    ffi::{CStr, c_uint},
    ptr,
};

use interface::client;

use crate::ffi::Item;

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
    #[error("a bug in the parsec provider; please report it")]
    Internal,
}

impl Error {
    /// The number of its reason in [`REASONS`].
    pub(crate) fn reason(&self) -> c_uint {
        match self {
            Self::Refused(_) => 1,
            Self::Unsupported(_) => 2,
            Self::Reference(_) => 3,
            Self::Parameter(_) => 4,
            Self::State(_) => 5,
            Self::Buffer { .. } => 6,
            Self::Internal => 7,
            Self::Unreachable(_) => 8,
            Self::Configuration(_) => 9,
        }
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

const fn reason(id: c_uint, text: &'static CStr) -> Item {
    Item { id, text: text.as_ptr() }
}

/// The reasons, for OSSL_FUNC_provider_get_reason_strings.
pub(crate) static REASONS: [Item; 10] = [
    reason(1, c"the parsec service refused"),
    reason(2, c"not supported"),
    reason(3, c"bad key reference"),
    reason(4, c"bad parameter"),
    reason(5, c"wrong order of calls"),
    reason(6, c"buffer too small"),
    reason(7, c"internal error"),
    reason(8, c"the parsec service cannot be reached"),
    reason(9, c"bad configuration"),
    Item { id: 0, text: ptr::null() },
];
