//! Unique ids of keys and objects, never reused, and sets of such ids.

use crate::error::{Error, Result};
use interface::Status;
use rusqlite::ToSql;
use rusqlite::types::ToSqlOutput;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};
use std::str::FromStr;

/// 128 random bits, written as 32 hexadecimal digits. Written or not, their order is the same.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// None comes after it.
    pub(crate) const LAST: Self = Self([u8::MAX; 16]);

    pub(crate) fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        lc::fill(&mut bytes).map_err(|_| Error::from(Status::PsaErrorInsufficientEntropy))?;
        Ok(Self(bytes))
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = Error;

    /// Reads exactly what is written.
    fn from_str(text: &str) -> Result<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let wrong = || Error::Corrupt(format!("'{text}' is no UUID"));
        let pairs = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 16];
        if pairs.0.len() != bytes.len() || !pairs.1.is_empty() {
            return Err(wrong());
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs.0) {
            *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

impl ToSql for Uuid {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

/// Some UUIDs, at least one: most sets have no other, so that one takes no memory of its own.
#[derive(Debug)]
pub(crate) enum Uuids {
    One(Uuid),
    #[expect(clippy::box_collection, reason = "few terms have many entries, and this makes the others a third smaller")]
    Many(Box<BTreeSet<Uuid>>),
}

impl Uuids {
    pub(crate) fn insert(&mut self, uuid: Uuid) {
        match self {
            Self::One(one) if *one == uuid => {}
            Self::One(one) => *self = Self::Many(Box::new([*one, uuid].into())),
            Self::Many(many) => drop(many.insert(uuid)),
        }
    }

    /// Says whether there are others. One alone stays.
    pub(crate) fn remove(&mut self, uuid: Uuid) -> bool {
        let Self::Many(many) = self else { return !self.contains(uuid) };
        many.remove(&uuid);
        if let (Some(one), 1) = (many.first().copied(), many.len()) {
            *self = Self::One(one);
        }
        true
    }

    pub(crate) fn contains(&self, uuid: Uuid) -> bool {
        match self {
            Self::One(one) => *one == uuid,
            Self::Many(many) => many.contains(&uuid),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// Those that come after this one, in their order.
    pub(crate) fn after(&self, after: Option<Uuid>) -> impl Iterator<Item = Uuid> + use<'_> {
        let from = after.map_or(Unbounded, Excluded);
        let (one, many) = match self {
            Self::One(one) => (Some(*one).filter(|one| after.is_none_or(|after| *one > after)), None),
            Self::Many(many) => (None, Some(many.range((from, Unbounded)).copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_has_the_same_order() {
        let mut all: Vec<_> = (0..100).map(|_| Uuid::random().unwrap()).collect();
        all.sort();
        let written: Vec<_> = all.iter().map(Uuid::to_string).collect();
        assert!(written.is_sorted());
        let read: Vec<Uuid> = written.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(read, all);
    }

    #[test]
    fn a_set_is_the_same_with_one_and_with_many() {
        let uuid = |number| Uuid([number; 16]);
        let mut set = Uuids::One(uuid(2));
        let all = |set: &Uuids, after: Option<u8>| set.after(after.map(uuid)).collect::<Vec<_>>();
        set.insert(uuid(2));
        assert_eq!((set.len(), all(&set, None)), (1, vec![uuid(2)]));
        assert_eq!((all(&set, Some(1)), all(&set, Some(2))), (vec![uuid(2)], vec![]));
        set.insert(uuid(1));
        set.insert(uuid(3));
        assert_eq!((all(&set, None), all(&set, Some(1))), (vec![uuid(1), uuid(2), uuid(3)], vec![uuid(2), uuid(3)]));
        assert!(set.remove(uuid(2)) && set.remove(uuid(7)) && set.remove(uuid(3)));
        assert!(set.contains(uuid(1)) && !set.contains(uuid(3)) && matches!(set, Uuids::One(_)));
        assert!(set.remove(uuid(3)), "another one stays");
        assert!(!set.remove(uuid(1)), "nothing is left");
    }

    #[test]
    fn nothing_else_is_read() {
        for wrong in ["", "0", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"+".repeat(32), &"é".repeat(16)] {
            assert!(wrong.parse::<Uuid>().is_err(), "{wrong}");
        }
    }
}
