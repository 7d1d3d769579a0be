//! The names that users had when they got their keys. A user's number may become another user's; then the name is another one.
//!
//! The names come from [`crate::users`], which asks the host for them. A request only looks here.

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
                    "{principal} was the user '{before}' when it got its keys, and is '{now}' now, so it has none of them. If that is the same user, an administrator says so: parsec key same-user {principal}. If it is not, an administrator gives the keys to somebody else: parsec key chown KEY --owner {principal} --to WHO"
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

    /// The users who have anything, each with its name then, as far as it is known; and those who have nothing any more.
    pub(crate) fn users(&self) -> (Vec<(u32, Option<String>)>, Vec<u32>) {
        let index = self.index();
        let uid = |principal: &Principal| if let Principal::Uid(uid @ 1..) = principal { Some(*uid) } else { None };
        let holders: Vec<_> = index.holders().filter_map(uid).collect();
        let mut gone = index.users.clone();
        drop(index);
        let holders: BTreeSet<_> = holders.into_iter().collect();
        let named = |uid| (uid, gone.remove(&uid).map(|(before, _)| before));
        let users = holders.into_iter().map(named).collect();
        (users, gone.into_keys().collect())
    }

    /// Remembers the name of a user who has got keys, or forgets that of one who has none any more.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) fn remember_user(&self, uid: u32, name: Option<&str>) -> Result<()> {
        self.set_user(uid, name.map(|name| (name.to_owned(), None)))
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
        self.set_user(uid, Some((before, now.map(str::to_owned))))?;
        Ok(true)
    }

    fn set_user(&self, uid: u32, names: Option<(String, Option<String>)>) -> Result<()> {
        let mut db = self.db();
        let mut change = db.change(&self.keys)?;
        match &names {
            Some((before, now)) => table::keep(&mut change, &Own::User(uid, before.clone(), now.clone()))?,
            None => table::forget_user(&mut change, uid)?,
        }
        change.commit()?;
        let mut index = self.index_mut();
        match names.clone() {
            Some(names) => drop(index.users.insert(uid, names)),
            None => drop(index.users.remove(&uid)),
        }
        drop((index, db));
        self.users.set(uid, names.and_then(|(before, now)| Some(Renamed { before, now: now? })));
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
            (Principal::Uid(uid), Some(Renamed { now, .. })) => self.remember_user(*uid, Some(&now)),
            _ => Err(Error::refused(
                Status::PsaErrorDoesNotExist,
                format!("{principal} has no other name than when it got its keys: there is nothing to confirm"),
            )),
        }
    }
}
