//! The head of the store: how many rows there are, and a digest of them all.
//!
//! A row's own MAC says nothing of rows that are missing, or that an older copy of the file still has. So each transaction also
//! writes a head, sealed under the store key, to which every row adds its part. The parts are XORed: adding and removing a row takes
//! the same time whatever the number of rows. A part is a MAC of the row's MAC, so nobody without the key can choose rows that
//! cancel out.

use super::seal::{Keys, MAC_LEN, mac};
use crate::error::{Error, Result};
use prost::Message;
use std::collections::HashMap;

/// What the sealed head binds to.
const BINDING: &[u8] = b"parsec store head";

/// What is known of all rows together.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Head {
    /// Raised by each transaction.
    #[prost(uint64, tag = "1")]
    pub(super) generation: u64,
    #[prost(uint64, tag = "2")]
    pub(super) rows: u64,
    /// The parts of all rows, XORed.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) digest: Vec<u8>,
    /// Which counter outside the store belongs to it; empty without one.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) counter: Vec<u8>,
    /// What that counter shows when all that was begun is done.
    #[prost(uint64, tag = "5")]
    pub(super) count: u64,
}

impl Head {
    pub(super) fn open(keys: &Keys, sealed: &[u8]) -> Option<Self> {
        Self::decode(&*keys.sealer.open(BINDING, sealed)?).ok()
    }

    pub(super) fn seal(&self, keys: &Keys) -> Result<Vec<u8>> {
        keys.sealer.seal(BINDING, &self.encode_to_vec())
    }

    pub(super) fn add(&mut self, keys: &Keys, row: &[u8]) {
        self.rows += 1;
        self.toggle(keys, row);
    }

    pub(super) fn remove(&mut self, keys: &Keys, row: &[u8]) {
        self.rows = self.rows.saturating_sub(1);
        self.toggle(keys, row);
    }

    fn toggle(&mut self, keys: &Keys, row: &[u8]) {
        self.digest.resize(MAC_LEN, 0);
        for (byte, part) in self.digest.iter_mut().zip(mac(&keys.sums, row)) {
            *byte ^= part;
        }
    }

    /// Whether it speaks of the same rows.
    fn accounts_for(&self, found: &Self) -> bool {
        let empty = |head: &Self| head.digest.iter().all(|byte| *byte == 0);
        self.rows == found.rows && (self.digest == found.digest || empty(self) && empty(found))
    }
}

/// What reading all rows has shown.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of the rows that are as they were written.
    pub(super) sound: Head,
    /// Of each other row the MAC that it has and the one that it should have.
    pub(super) damaged: Vec<[Vec<u8>; 2]>,
}

impl Found {
    /// Whether the rows are those that were last written, but for such as are known to be damaged: either these came from outside,
    /// or only their contents or only their MACs were changed.
    ///
    /// Returns what the head counts of each damaged row, by the MAC that the row has.
    ///
    /// # Errors
    /// [`Error::Corrupt`], with the numbers.
    pub(super) fn check(&self, keys: &Keys, head: &Head) -> Result<HashMap<Vec<u8>, Vec<u8>>> {
        if head.accounts_for(&self.sound) {
            return Ok(HashMap::new());
        }
        for which in 0..2 {
            let mut all = self.sound.clone();
            self.damaged.iter().for_each(|macs| all.add(keys, &macs[which]));
            if head.accounts_for(&all) {
                return Ok(self.damaged.iter().map(|macs| (macs[0].clone(), macs[which].clone())).collect());
            }
        }
        let (sound, damaged) = (self.sound.rows, self.damaged.len());
        Err(Error::Corrupt(format!(
            "the rows are not those that were last written: {sound} are sound and {damaged} damaged, and there were {} (generation {}); some were removed or taken from an older copy of the store",
            head.rows, head.generation
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_the_rows_alone() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let mut head = Head::default();
        for row in [b"a", b"b", b"c"] {
            head.add(&keys, row);
        }
        head.remove(&keys, b"a");
        let mut other = Head::default();
        other.add(&keys, b"c");
        assert!(!head.accounts_for(&other));
        other.add(&keys, b"b");
        assert!(head.accounts_for(&other));
        head.remove(&keys, b"b");
        head.remove(&keys, b"c");
        assert!(head.accounts_for(&Head::default()));
    }

    #[test]
    fn damage_to_known_rows_is_told_from_a_loss() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let mut head = Head::default();
        head.add(&keys, b"a");
        head.add(&keys, b"b");
        let mut sound = Head::default();
        sound.add(&keys, b"a");
        let found = |damaged: Vec<[Vec<u8>; 2]>| Found { sound: sound.clone(), damaged };
        found(vec![[b"b".into(), b"x".into()]]).check(&keys, &head).unwrap();
        found(vec![[b"x".into(), b"b".into()]]).check(&keys, &head).unwrap();
        found(vec![]).check(&keys, &head).unwrap_err();
        found(vec![[b"x".into(), b"y".into()]]).check(&keys, &head).unwrap_err();
    }
}
