//! For whom a verdict holds: one caller or many.

use super::Principal;
use crate::error::{Error, Result};
use interface::Status;

/// Begins the key of many callers, as no principal's text does.
pub(crate) const MANY: &str = "*";

/// One caller, or many: all whose text begins alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// This one.
    One(Principal),
    /// Callers whose text begins so.
    Beginning(String),
}

impl Callers {
    /// The text under which their verdicts are filed.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::One(caller) => caller.to_string(),
            Self::Beginning(text) => format!("{MANY}{text}"),
        }
    }
}

impl std::fmt::Display for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(caller) => caller.fmt(f),
            Self::Beginning(text) => write!(f, "{text}*"),
        }
    }
}

impl std::str::FromStr for Callers {
    type Err = Error;

    /// Reads a principal, or the beginning of principals and `*`: `*`, `uid:*`, `app:web-*`, `spiffe://example.org/*`. A number is
    /// whole or not there, since users whose numbers begin alike have nothing in common.
    fn from_str(text: &str) -> Result<Self> {
        let Some(beginning) = text.strip_suffix('*') else {
            return text.parse().map(Self::One);
        };
        if ["", "uid:"].contains(&beginning) || beginning.starts_with("app:") || beginning.starts_with("spiffe://") {
            return Ok(Self::Beginning(beginning.to_owned()));
        }
        let detail = format!("'{text}' stands for nobody: write uid:*, app:…*, spiffe://…* or * for those who begin so");
        Err(Error::refused(Status::PsaErrorInvalidArgument, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_one_or_those_who_begin_alike() {
        let read = |text: &str| text.parse::<Callers>();
        assert_eq!(read("uid:33").unwrap(), Callers::One(Principal::Uid(33)));
        for (text, key) in [("uid:*", "*uid:"), ("*", "*"), ("app:web-*", "*app:web-"), ("spiffe://a/*", "*spiffe://a/")] {
            let callers = read(text).unwrap();
            assert_eq!((callers.key().as_str(), callers.to_string().as_str()), (key, text));
            assert!(key.parse::<Principal>().is_err(), "no principal has the key of many");
        }
        for wrong in ["uid:3*", "ap*", "spiffe:*", "33*", "web"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
