//! What the value of a key was used for first: to protect sensitive keys, or in a way that could reveal them.
//!
//! The decision belongs to the value. All keys with this value share it, whatever their names and owners. It is never taken back.
//! The database keeps a fingerprint of the value. The fingerprint reveals nothing to a reader without the store key.

use super::seal::Fingerprint;
use super::{Store, table};
use crate::error::Result;
use crate::key::Decision;

impl Store {
    /// What is the same for all keys of this value, which is a key's private part as its provider has it in the clear.
    pub fn fingerprint(&self, private: &[u8]) -> Fingerprint {
        self.keys.fingerprint(private)
    }

    /// The decision of a value, if it has one.
    pub fn decided(&self, value: &Fingerprint) -> Option<Decision> {
        self.index().decisions.get(value).copied()
    }

    /// Decides what a value is used for, durably, unless that was decided; returns the decision that holds. Of two at once, the first
    /// decides for both.
    ///
    /// # Errors
    /// [`Error::Store`](crate::error::Error::Store): nothing was decided.
    pub fn decide(&self, value: &Fingerprint, decision: Decision) -> Result<Decision> {
        if let Some(decided) = self.decided(value) {
            return Ok(decided);
        }
        let mut db = self.db();
        if let Some(decided) = self.decided(value) {
            return Ok(decided);
        }
        let mut change = db.change(&self.keys)?;
        table::decide(&mut change, value, decision)?;
        change.commit()?;
        self.index_mut().decisions.insert(*value, decision);
        Ok(decision)
    }
}
