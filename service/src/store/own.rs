//! What the service keeps for itself: data objects of the core provider, which no client can address. They are rows like all others, so that
//! they are signed and counted, and that an older version leaves them alone.

use super::moved::Place;
use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::Uuid;
use interface::ProviderId;

/// The name of the row that has a user's name.
const USER: &str = "user";
/// Between two names of a user, because no name has it (passwd(5)).
const BETWEEN: char = ':';
/// Before the provider's number and the name in the row of a former place.
const KEY: &str = "key:";

/// A row of the service's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// The name that a user had when it got its keys, and the one that it has now, if it was seen to have another one.
    User(u32, String, Option<String>),
    /// Where a key was.
    Place(Place, Uuid),
}

impl Own {
    /// Reads a row.
    pub(super) fn read(owner: Principal, name: &str, value: &[u8]) -> Result<Self> {
        let odd = || Error::Corrupt(format!("the service keeps nothing called '{name}'"));
        let value = std::str::from_utf8(value).map_err(|_| odd())?;
        match (owner, name) {
            (Principal::Uid(uid), USER) => {
                let (before, now) = value.split_once(BETWEEN).map_or((value, None), |(before, now)| (before, Some(now)));
                Ok(Self::User(uid, before.to_owned(), now.map(str::to_owned)))
            }
            (owner, name) => {
                let (provider, name) = name.strip_prefix(KEY).and_then(|rest| rest.split_once(':')).ok_or_else(odd)?;
                let provider = provider.parse::<u32>().map_err(|_| odd())?;
                let provider = ProviderId::try_from(provider)?;
                Ok(Self::Place(Place { provider, owner, name: name.to_owned() }, value.parse()?))
            }
        }
    }

    /// Whose row it is, and the row's name.
    pub(super) fn row(&self) -> (String, String) {
        match self {
            Self::User(uid, ..) => (Principal::Uid(*uid).to_string(), USER.to_owned()),
            Self::Place(place, _) => place_row(place),
        }
    }

    pub(super) fn value(&self) -> String {
        match self {
            Self::User(_, before, None) => before.clone(),
            Self::User(_, before, Some(now)) => format!("{before}{BETWEEN}{now}"),
            Self::Place(_, uuid) => uuid.to_string(),
        }
    }
}

/// Where it is kept which key was in a place.
pub(super) fn place_row(place: &Place) -> (String, String) {
    (place.owner.to_string(), format!("{KEY}{}:{}", place.provider.number(), place.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let place = |owner, name: &str| Place { provider: ProviderId::TPM, owner, name: name.to_owned() };
        let owns = [
            Own::User(1000, "alice".to_owned(), None),
            Own::User(1000, "alice".to_owned(), Some("bob".to_owned())),
            Own::Place(place(Principal::Uid(0), "web"), Uuid::default()),
            Own::Place(place(Principal::App("a:b".to_owned()), "a:b key:1:\0"), Uuid::LAST),
            Own::Place(place(Principal::Uid(7), "user"), Uuid::LAST),
        ];
        for own in owns {
            let (owner, name) = own.row();
            assert_eq!(Own::read(owner.parse().unwrap(), &name, own.value().as_bytes()).unwrap(), own);
        }
        for (owner, name, value) in [
            (Principal::App("a".into()), "user", "a"),
            (Principal::Uid(1), "users", "a"),
            (Principal::Uid(1), "key:1", "a"),
            (Principal::Uid(1), "key:1:web", "a"),
            (Principal::Uid(1), "key:99:web", "00000000000000000000000000000000"),
        ] {
            assert!(Own::read(owner, name, value.as_bytes()).is_err(), "{name}");
        }
    }
}
