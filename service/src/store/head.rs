//! The head of the store: the number of rows, and a digest of all of them.
//!
//! A row's own MAC does not show that other rows are missing or come from an older copy of the file. So each transaction also
//! writes a head, sealed with the store key. Every row adds a part to its digest. The parts are XORed: adding or removing a row
//! takes the same time whatever the number of rows. A part is a MAC of the row's place and MAC. So nobody without the key can
//! choose rows that cancel out, or replace a removed row.

use super::seal::{Keys, MAC_LEN};
use crate::error::Result;
use prost::Message;
use std::collections::HashMap;

/// The context that the sealed head is bound to.
const BINDING: &[u8] = b"parsec store head";

/// A summary of all rows.
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
    /// The value of that counter after all that was begun is done.
    #[prost(uint64, tag = "5")]
    pub(super) count: u64,
    /// Digest of the definitions of the tables.
    #[prost(bytes = "vec", tag = "6")]
    pub(super) schema: Vec<u8>,
}

impl Head {
    pub(super) fn open(keys: &Keys, sealed: &[u8]) -> Option<Self> {
        Self::decode(&*keys.sealer.open(BINDING, sealed)?).ok()
    }

    pub(super) fn seal(&self, keys: &Keys) -> Result<Vec<u8>> {
        keys.sealer.seal(BINDING, &self.encode_to_vec())
    }

    /// Counts a row with this part.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.rows += 1;
        self.toggle(part);
    }

    pub(super) fn remove(&mut self, part: &[u8]) {
        self.rows = self.rows.saturating_sub(1);
        self.toggle(part);
    }

    fn toggle(&mut self, part: &[u8]) {
        self.digest.resize(MAC_LEN, 0);
        for (byte, part) in self.digest.iter_mut().zip(part) {
            *byte ^= part;
        }
    }

    /// Whether it speaks of the same rows.
    fn accounts_for(&self, found: &Self) -> bool {
        let empty = |head: &Self| head.digest.iter().all(|byte| *byte == 0);
        self.rows == found.rows && (self.digest == found.digest || empty(self) && empty(found))
    }
}

/// The result of reading all rows.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The head of the rows with valid MACs.
    pub(super) sound: Head,
    /// For each other row, its part with the MAC that it has, and its part with the MAC that it should have.
    pub(super) damaged: Vec<[Vec<u8>; 2]>,
}

impl Found {
    /// Whether the rows are those that were last written, but for such as are known to be damaged: either these came from outside,
    /// or only their contents or only their MACs were changed.
    ///
    /// Returns what the head counts of each damaged row, by its part with the MAC that the row has.
    ///
    /// # Errors
    /// A description of the flaw, with the numbers.
    pub(super) fn check(&self, head: &Head) -> Result<HashMap<Vec<u8>, Vec<u8>>, String> {
        if head.schema != self.sound.schema {
            return Err("somebody changed what the tables are".into());
        }
        if head.accounts_for(&self.sound) {
            return Ok(HashMap::new());
        }
        for which in 0..2 {
            let mut all = self.sound.clone();
            self.damaged.iter().for_each(|parts| all.add(&parts[which]));
            if head.accounts_for(&all) {
                return Ok(self.damaged.iter().map(|parts| (parts[0].clone(), parts[which].clone())).collect());
            }
        }
        let (sound, damaged) = (self.sound.rows, self.damaged.len());
        Err(format!(
            "the rows are not those that were last written: {sound} are sound and {damaged} damaged, and there were {} (generation {}); some were removed or taken from an older copy of the store",
            head.rows, head.generation
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(row: u8) -> Vec<u8> {
        vec![row; MAC_LEN]
    }

    #[test]
    fn a_digest_depends_on_the_rows_alone() {
        let mut head = Head::default();
        (1..4).for_each(|row| head.add(&part(row)));
        head.remove(&part(1));
        let mut other = Head::default();
        other.add(&part(3));
        assert!(!head.accounts_for(&other));
        other.add(&part(2));
        assert!(head.accounts_for(&other));
        head.remove(&part(2));
        head.remove(&part(3));
        assert!(head.accounts_for(&Head::default()));
    }

    #[test]
    fn damage_to_known_rows_is_told_from_a_loss() {
        let (mut head, mut sound) = (Head::default(), Head::default());
        (1..3).for_each(|row| head.add(&part(row)));
        sound.add(&part(1));
        let check = |damaged: Vec<[Vec<u8>; 2]>| Found { sound: sound.clone(), damaged }.check(&head);
        assert_eq!(check(vec![[part(2), part(9)]]).unwrap()[&part(2)], part(2), "its contents were changed");
        assert_eq!(check(vec![[part(9), part(2)]]).unwrap()[&part(9)], part(2), "its MAC was changed");
        check(vec![]).unwrap_err();
        check(vec![[part(8), part(9)]]).unwrap_err();
    }
}
