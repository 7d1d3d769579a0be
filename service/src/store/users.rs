//! The names that users had when they got their keys. A user's number may become another user's; then the name is another one.
//!
//! The names come from [`crate::users`], which asks the host for them. A request only looks here.

use super::index::Index;
use super::own::Own;
use super::{Store, table};
use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::Status;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// A user who has another name than when it got its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The name then.
    pub before: String,
    /// The name now.
    pub now: String,
}

/// The users who have anything, or have had.
pub(crate) struct Known {
    /// They have something; each with its name then.
    pub(crate) named: Vec<(u32, String)>,
    /// Their names are not known yet.
    pub(crate) new: BTreeSet<u32>,
    /// They have nothing any more.
    pub(crate) gone: Vec<(u32, String)>,
}

/// The users who have another name now.
#[derive(Debug, Default)]
pub(super) struct Users {
    renamed: RwLock<BTreeMap<u32, Renamed>>,
    /// There is one, so that most requests need no lock.
    any: AtomicBool,
    /// Somebody may have got a first key, or given the last one away.
    look: AtomicBool,
}

impl Users {
    /// Has the names looked up soon.
    pub(super) fn look(&self) {
        self.look.store(true, Ordering::Relaxed);
    }

    /// Notes the names of a user, or that it has the one that it had.
    pub(super) fn set(&self, uid: u32, renamed: Option<Renamed>) {
        let mut all = self.renamed.write().unwrap_or_else(PoisonError::into_inner);
        match renamed {
            Some(renamed) => all.insert(uid, renamed),
            None => all.remove(&uid),
        };
        self.any.store(!all.is_empty(), Ordering::Relaxed);
    }
}

impl Store {
    /// The names of a user, if it has another one than when it got its keys.
    pub fn renamed_user(&self, principal: &Principal) -> Option<Renamed> {
        let (Principal::Uid(uid) | Principal::Another(uid)) = principal else { return None };
        if !self.any_renamed() {
            return None;
        }
        self.users.renamed.read().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    /// Who a caller is: one with another name than when it got its keys is none of their owners.
    pub fn present(&self, caller: Principal) -> Principal {
        match caller {
            Principal::Uid(uid) if self.renamed_user(&caller).is_some() => Principal::Another(uid),
            caller => caller,
        }
    }

    /// Refuses to give something to a user who would not have it, because of its name.
    ///
    /// # Errors
    /// [`Status::PsaErrorNotPermitted`].
    pub fn check_same_user(&self, principal: &Principal) -> Result<()> {
        match self.renamed_user(principal) {
            None => Ok(()),
            Some(Renamed { before, now }) => Err(Error::refused(
                Status::PsaErrorNotPermitted,
                format!(
                    "{principal} was the user '{before}' when it got its keys, and is '{now}' now, so it has none of them. If that is the same user, an administrator says so: parsec key same-user {principal}. If it is not, an administrator gives the keys to somebody else: parsec key chown KEY --owner {principal} --to WHO; and ends the rest: parsec key same-user {principal} --another"
                ),
            )),
        }
    }

    /// Whether somebody may have got a first key, or given the last one away, since this was asked.
    pub(crate) fn users_changed(&self) -> bool {
        self.users.look.swap(false, Ordering::Relaxed)
    }

    /// All users who have another name than when they got their keys.
    pub(crate) fn renamed_users(&self) -> BTreeMap<u32, Renamed> {
        self.users.renamed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anybody has another name now.
    pub(crate) fn any_renamed(&self) -> bool {
        self.users.any.load(Ordering::Relaxed)
    }

    /// The users who have anything, or have had, but root.
    pub(crate) fn users(&self) -> Known {
        let mut new: BTreeSet<_> = self.index().tokens.owners().filter_map(Principal::uid).filter(|uid| *uid != 0).collect();
        self.paged(&mut new, Index::owning_after);
        self.paged(&mut new, Index::granted_after);
        let (mut named, mut gone) = (Vec::new(), Vec::new());
        for (uid, (before, _)) in self.index().users.clone() {
            if new.remove(&uid) { named.push((uid, before)) } else { gone.push((uid, before)) }
        }
        Known { named, new, gone }
    }

    /// Adds users piece by piece. In between others get the lock of the index.
    fn paged(&self, users: &mut BTreeSet<u32>, page: impl Fn(&Index, u32) -> Vec<u32>) {
        let mut last = 0;
        loop {
            let piece = page(&self.index(), last);
            let Some(end) = piece.last() else { return };
            last = *end;
            users.extend(piece);
        }
    }

    /// Whether there is a verdict by or about a user, or a key was its own.
    pub(crate) fn mentions(&self, uid: u32) -> bool {
        self.index().mentions(&Principal::Uid(uid))
    }

    /// Remembers the name of a user who has got keys.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) fn remember_user(&self, uid: u32, name: &str) -> Result<()> {
        self.set_user(uid, (name.to_owned(), None))
    }

    /// Notes that a user has another name now, or its own again; whether that is news.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) fn note_user(&self, uid: u32, now: Option<&str>) -> Result<bool> {
        let Some((before, noted)) = self.index().users.get(&uid).cloned() else { return Ok(false) };
        if noted.as_deref() == now {
            return Ok(false);
        }
        // It counts at once, even where it cannot be kept.
        self.users.set(uid, now.map(|now| Renamed { before: before.clone(), now: now.to_owned() }));
        self.set_user(uid, (before, now.map(str::to_owned)))?;
        Ok(true)
    }

    fn set_user(&self, uid: u32, (before, now): (String, Option<String>)) -> Result<()> {
        let mut db = self.db();
        let mut change = db.change(&self.keys)?;
        table::keep(&mut change, &Own::User(uid, before.clone(), now.clone()))?;
        change.commit()?;
        self.index_mut().users.insert(uid, (before.clone(), now.clone()));
        drop(db);
        self.users.set(uid, now.map(|now| Renamed { before, now }));
        Ok(())
    }

    /// Takes over what the file has.
    pub(super) fn load_users(&self) {
        for (uid, (before, now)) in &self.index().users {
            let (before, now) = (before.clone(), now.clone());
            self.users.set(*uid, now.map(|now| Renamed { before, now }));
        }
    }

    /// Takes a user with another name for the same user.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`] for a user who has the name that it had; [`Error::Store`].
    pub fn confirm_user(&self, principal: &Principal) -> Result<()> {
        match (principal, self.renamed_user(principal)) {
            (Principal::Uid(uid), Some(Renamed { now, .. })) => self.remember_user(*uid, &now),
            _ => Err(same(principal)),
        }
    }

    /// Takes a user with another name for another user: all that the former one has beside keys ends.
    ///
    /// # Errors
    /// Those of [`Self::confirm_user`]; [`Status::PsaErrorNotPermitted`] where the former user has keys.
    pub fn replace_user(&self, principal: &Principal) -> Result<()> {
        self.renamed_user(principal).ok_or_else(|| same(principal))?;
        if self.keys(principal).iter().any(|key| !key.volatile()) {
            let detail = format!(
                "the former {principal} has keys: give them to somebody else first: parsec key chown KEY --owner {principal} --to WHO; what there is: parsec key list --all --owner {principal}"
            );
            return Err(Error::refused(Status::PsaErrorNotPermitted, detail));
        }
        self.forget(principal)
    }
}

fn same(principal: &Principal) -> Error {
    let detail = format!("{principal} has no other name than when it got its keys: there is nothing to confirm");
    Error::refused(Status::PsaErrorDoesNotExist, detail)
}
