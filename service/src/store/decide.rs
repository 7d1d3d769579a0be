//! What the value of a key was used for first: to protect sensitive keys, or in a way that could reveal them.
//!
//! The decision belongs to the value, so that all keys with this value share it, whatever they are called and whoever has them. It
//! is never taken back. The database keeps a fingerprint, from which nobody without the store key learns the value.

use super::seal::MAC_LEN;
use super::{Store, table};
use crate::error::{Error, Result};

/// What a key can decide for, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has wrapped a sensitive key.
    Protects,
    /// It has decrypted or unwrapped something without authentication.
    Reveals,
}

impl From<Role> for i64 {
    fn from(role: Role) -> Self {
        match role {
            Role::Protects => 1,
            Role::Reveals => 2,
        }
    }
}

impl TryFrom<i64> for Role {
    type Error = Error;

    fn try_from(number: i64) -> Result<Self> {
        [Self::Protects, Self::Reveals]
            .into_iter()
            .find(|role| i64::from(*role) == number)
            .ok_or_else(|| Error::Corrupt(format!("nothing is decided by {number}")))
    }
}

/// Stands for the value of a key.
pub type Fingerprint = [u8; MAC_LEN];

impl Store {
    /// What is the same for all keys of this value, which is a key's private part as its provider has it in the clear.
    pub fn fingerprint(&self, private: &[u8]) -> Fingerprint {
        self.keys.fingerprint(private)
    }

    /// What a value was used for first.
    pub fn decided(&self, value: &Fingerprint) -> Option<Role> {
        self.index().decisions.get(value).copied()
    }

    /// Decides what a value is used for, durably, unless that was decided; returns the decision that holds. Of two at once, the first
    /// decides for both.
    ///
    /// # Errors
    /// [`Error::Store`]: nothing was decided.
    pub fn decide(&self, value: &Fingerprint, role: Role) -> Result<Role> {
        if let Some(decided) = self.decided(value) {
            return Ok(decided);
        }
        let mut db = self.db();
        if let Some(decided) = self.decided(value) {
            return Ok(decided);
        }
        let mut change = db.change(&self.keys)?;
        table::decide(&mut change, value, role)?;
        change.commit()?;
        self.index_mut().decisions.insert(*value, role);
        Ok(role)
    }
}
