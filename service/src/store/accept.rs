//! Whose keys somebody wants to see among their own.
//!
//! Anybody may grant a key to anybody. Without this, a stranger's key could stand in for one's own, under the same name.

use super::{Store, table};
use crate::auth::Principal;
use crate::error::{Error, Result};

/// What was said of an owner's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are listed.
    Accepted,
    /// There were grants before anybody could be asked, so they are listed until they are rejected.
    Standing,
    /// They are not listed.
    Rejected,
}

impl From<Verdict> for i64 {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => 1,
            Verdict::Standing => 2,
            Verdict::Rejected => 3,
        }
    }
}

impl TryFrom<i64> for Verdict {
    type Error = Error;

    fn try_from(number: i64) -> Result<Self> {
        [Self::Accepted, Self::Standing, Self::Rejected]
            .into_iter()
            .find(|verdict| i64::from(*verdict) == number)
            .ok_or_else(|| Error::Corrupt(format!("{number} is no verdict")))
    }
}

impl Store {
    /// Keeps what a caller, or callers of a pattern, think of an owner's keys; `None` forgets it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn set_acceptance(&self, caller: &str, owner: &Principal, verdict: Option<Verdict>) -> Result<()> {
        let mut db = self.db();
        let mut change = db.change(&self.keys)?;
        table::accept(&mut change, caller, owner, verdict)?;
        change.commit()?;
        self.index_mut().accept(caller, owner, verdict);
        Ok(())
    }

    /// What this caller, or callers of this very pattern, think of owners.
    pub fn acceptances(&self, caller: &str) -> Vec<(Principal, Verdict)> {
        let index = self.index();
        index.acceptance.get(caller).into_iter().flatten().map(|(owner, verdict)| (owner.clone(), *verdict)).collect()
    }
}
