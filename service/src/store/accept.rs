//! Whose entries are listed beside a caller's own, and found by a name without an owner.
//!
//! Anybody may grant a key to anybody, under any name, label and id. A program that looks for its key must not find a stranger's.
//! So a caller's own entries come first. Those of others are listed only if somebody vouches for their owner: the system (for root
//! and the administrators), the caller, or an administrator on the caller's behalf. A request that names the owner needs no such
//! verdict.

use super::entry::Entry;
use super::index::{Index, Said};
use super::{Store, table};
#[cfg(doc)]
use crate::auth::Callers;
use crate::auth::Principal;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::key::Key;
use interface::ProviderId;
use interface::operations::{RecordKind, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The owners whose entries are listed for a caller.
pub(super) struct Listed<'a> {
    admins: &'a [Principal],
    /// The verdict for the caller alone, then the one for many.
    said: (Option<&'a Said>, Vec<&'a Said>),
}

impl<'a> Listed<'a> {
    pub(super) fn of(index: &'a Index, caller: &Principal, admins: &'a [Principal]) -> Self {
        Self { admins, said: index.said_for(caller) }
    }

    /// Whether a search shows the owner's entries.
    pub(super) fn has(&self, owner: &Principal) -> bool {
        self.judge(owner, self.own(owner))
    }

    /// Whether a name alone may mean one of the owner's entries: before they could be accepted, it never did.
    pub(super) fn names(&self, owner: &Principal) -> bool {
        self.judge(owner, self.own(owner).filter(|own| *own != Verdict::Standing))
    }

    /// Whether it was said that the owner's entries are not wanted.
    fn rejects(&self, owner: &Principal) -> bool {
        !judge(self.own(owner), &self.many(owner), true)
    }

    fn own(&self, owner: &Principal) -> Option<Verdict> {
        self.said.0.and_then(|said| said.get(owner).copied())
    }

    fn judge(&self, owner: &Principal, own: Option<Verdict>) -> bool {
        let vouched = *owner == Principal::Uid(0) || self.admins.contains(owner);
        judge(own, &self.many(owner), vouched)
    }

    fn many(&self, owner: &Principal) -> Vec<Verdict> {
        self.said.1.iter().filter_map(|said| said.get(owner).copied()).collect()
    }
}

/// What was said for the caller alone counts more than what was said for many, and of that a "no" more than a "yes". Grants that stood
/// before anybody could be asked count like a "yes" for many.
fn judge(own: Option<Verdict>, many: &[Verdict], vouched: bool) -> bool {
    match own {
        Some(Verdict::Accepted) => true,
        Some(Verdict::Rejected) => false,
        _ if many.contains(&Verdict::Rejected) => false,
        Some(Verdict::Standing) => true,
        None => vouched || many.contains(&Verdict::Accepted),
    }
}

/// The keys of others that a name without an owner may mean.
#[derive(Debug)]
pub struct Granted {
    /// The entries of owners who are accepted, or vouched for.
    pub keys: Vec<Arc<Key>>,
    /// The owners of all others.
    pub strangers: Vec<Principal>,
}

/// An owner who has granted keys to somebody, or about whom there is a verdict.
#[derive(Debug, PartialEq, Eq)]
pub struct Granter {
    /// The owner.
    pub owner: Principal,
    /// Its keys are listed.
    pub listed: bool,
    /// How many were granted.
    pub keys: usize,
}

impl Store {
    /// Keeps what was said of an owner for this caller, or for many ([`Callers::key`]); `None` forgets it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn set_acceptance(&self, callers: &str, owner: &Principal, verdict: Option<Verdict>) -> Result<()> {
        let mut db = self.db();
        let mut change = db.change(&self.keys)?;
        table::accept(&mut change, callers, owner, verdict)?;
        change.commit()?;
        self.index_mut().accept(callers, owner, verdict);
        Ok(())
    }

    /// The verdict for this caller alone, or for these many.
    pub fn acceptances(&self, callers: &str) -> Vec<(Principal, Verdict)> {
        let index = self.index();
        index.acceptance.get(callers).into_iter().flatten().map(|(owner, verdict)| (owner.clone(), *verdict)).collect()
    }

    /// The keys of this name that others have granted to the caller.
    pub fn granted(&self, caller: &Principal, provider: ProviderId, name: &str, admins: &[Principal]) -> Granted {
        let index = self.index();
        let (named, strangers) = index.named(caller, provider, RecordKind::Key, name, admins);
        let keys = named.into_iter().filter_map(|entry| if let Entry::Key(key) = entry { Some(key) } else { None });
        Granted { keys: keys.collect(), strangers }
    }

    /// Everybody who has granted the caller a key, or about whom there is a verdict for the caller.
    pub fn granters(&self, caller: &Principal, admins: &[Principal]) -> Vec<Granter> {
        let index = self.index();
        let listed = Listed::of(&index, caller, admins);
        let (own, many) = &listed.said;
        let said = own.iter().chain(many).flat_map(|said| said.keys());
        let mut granters: BTreeMap<_, _> = said.filter(|owner| *owner != caller).map(|owner| (owner, 0)).collect();
        granters.extend(index.granters(caller).map(|(owner, uuids)| (owner, uuids.len())));
        let granter = |(owner, keys): (&Principal, usize)| Granter { owner: owner.clone(), listed: listed.has(owner), keys };
        granters.into_iter().map(granter).collect()
    }
}

impl Index {
    /// What others have of this name that the caller may see: what the name alone can mean, and the owners of the rest.
    pub(super) fn named(
        &self,
        caller: &Principal,
        provider: ProviderId,
        kind: RecordKind,
        name: &str,
        admins: &[Principal],
    ) -> (Vec<Entry>, Vec<Principal>) {
        let listed = Listed::of(self, caller, admins);
        let (mut entries, mut strangers) = (Vec::new(), Vec::new());
        for (owner, _) in self.granters(caller) {
            let entry = match kind {
                RecordKind::Key => {
                    let key = self.key(provider, owner, name).or_else(|| self.renamed(provider, owner, name));
                    key.cloned().map(Entry::Key)
                }
                _ => self.object(provider, owner, kind, name).map(Entry::Object),
            };
            match entry.filter(|entry| self.visible(caller, entry)) {
                Some(entry) if listed.names(owner) => entries.push(entry),
                Some(_) => strangers.push(owner.clone()),
                None => {}
            }
        }
        if kind == RecordKind::Key {
            self.given_to(caller, provider, name, &listed, &mut entries, &mut strangers);
        }
        (entries, strangers)
    }

    /// Adds the keys that had this name at an owner who is accepted, and that have another owner now who is not rejected.
    fn given_to(
        &self,
        caller: &Principal,
        provider: ProviderId,
        name: &str,
        listed: &Listed<'_>,
        entries: &mut Vec<Entry>,
        strangers: &mut Vec<Principal>,
    ) {
        for (owner, uuid) in self.moved.named(provider, name) {
            let taken = self.key(provider, owner, name).is_some() || entries.iter().any(|entry| entry.meta().uuid == uuid);
            match self.key_of(uuid).filter(|key| owner != caller && !taken && key.visible(caller)) {
                Some(_) if !listed.names(owner) => strangers.push(owner.clone()),
                Some(key) if listed.rejects(&key.owner) => strangers.push(key.owner.clone()),
                Some(key) => entries.push(Entry::Key(Arc::clone(key))),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::*;

    #[test]
    fn the_caller_counts_more_than_many_and_no_more_than_yes() {
        for vouched in [false, true] {
            for many in [&[][..], &[Accepted], &[Rejected], &[Accepted, Rejected]] {
                assert!(judge(Some(Accepted), many, vouched));
                assert!(!judge(Some(Rejected), many, vouched));
                assert_eq!(judge(Some(Standing), many, vouched), !many.contains(&Rejected));
                assert_eq!(judge(None, many, vouched), !many.contains(&Rejected) && (vouched || !many.is_empty()));
            }
        }
    }
}
