//! The part of the store that is in memory, indexed by every term that a search may name.

use super::entry::{Entry, Object, Term};
use super::moved::Moved;
use super::pin::Tokens;
use super::seal::Fingerprint;
use super::tally::Tally;
use crate::auth::{MANY, Principal};
use crate::key::{Decision, Key, Uuid, Uuids};
use interface::ProviderId;
use interface::operations::{RecordKind, Verdict};
use interface::vendor::FORMER_NAME;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Entries that are looked at while the index is locked, at most: about a millisecond.
pub(super) const PIECE: usize = 1000;
/// Entries that are changed while it is locked, at most: about a tenth of a millisecond.
pub(super) const FEW: usize = 16;

/// Terms of an entry that no other has, usually.
const TERMS: usize = 4;

/// The verdicts about owners.
pub(super) type Said = BTreeMap<Principal, Verdict>;

/// The entries of owners, by place and name.
type Named<P, T> = HashMap<Principal, BTreeMap<P, BTreeMap<String, T>>>;

/// The keys of an owner that a grantee may use, with one id.
type GrantedId = (Principal, Principal, ProviderId, Vec<u8>);

/// Every ready key and object. Nothing here takes longer because others have more.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: Named<ProviderId, Arc<Key>>,
    objects: Named<(ProviderId, RecordKind), Arc<Object>>,
    /// How many entries each owner has that are not volatile.
    owners: BTreeMap<Principal, usize>,
    entries: HashMap<Uuid, Entry>,
    /// The entries with each term, by its hash under a random key. It is not the term itself, which each entry has: with many keys it
    /// would take most of the memory. So two terms may share a set, and who looks for one asks each entry whether it has it.
    terms: HashMap<u64, Uuids>,
    hasher: RandomState,
    /// The keys that somebody was granted, by their owners.
    grants: BTreeMap<Principal, BTreeMap<Principal, BTreeSet<Uuid>>>,
    /// How many keys a certificate stands with that a grantee may see.
    beside: HashMap<GrantedId, usize>,
    /// Keys that are not volatile.
    stored: u64,
    /// Those of them that the hardware does not show.
    missing: u64,
    pub(super) tokens: Tokens,
    pub(super) moved: Moved,
    /// The names that users had when they got their keys, and those that they have now, if they were seen to have others.
    pub(super) users: BTreeMap<u32, (String, Option<String>)>,
    pub(super) tally: Tally,
    /// What the database has that is not in use, for people.
    pub(super) damaged: Vec<String>,
    /// UUIDs of keys that a crash has left half made or half destroyed.
    pub(super) unfinished: Vec<String>,
    /// By the value of keys.
    pub(super) decisions: HashMap<Fingerprint, Decision>,
    /// What was said of owners, by the callers for whom it was said ([`Callers::key`](crate::auth::Callers::key)).
    pub(super) acceptance: BTreeMap<String, Said>,
    /// The callers for whom something was said of an owner.
    judged: HashMap<Principal, BTreeSet<String>>,
}

impl Index {
    pub(super) fn key(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<&Arc<Key>> {
        self.keys.get(owner)?.get(&provider)?.get(name)
    }

    /// The key with this UUID.
    pub(super) fn key_of(&self, uuid: Uuid) -> Option<&Arc<Key>> {
        self.entries.get(&uuid).and_then(Entry::key)
    }

    /// The key that had this name before; of several, the oldest, because a copy has what its original has.
    pub(super) fn renamed(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<&Arc<Key>> {
        let terms = [Term::Owner(owner), Term::Kept(FORMER_NAME, name.as_bytes())];
        let keys = self.with(&terms, None).filter_map(Entry::key);
        keys.filter(|key| key.provider == provider).min_by_key(|key| (key.created, key.uuid))
    }

    /// The key that this owner had under this name before it was given to another one.
    pub(super) fn given(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<&Arc<Key>> {
        self.key_of(self.moved.of(provider, owner, name)?)
    }

    /// The keys of an owner that come after this one, in the order of providers and names.
    pub(super) fn keys_after(&self, owner: &Principal, after: Option<&Key>) -> impl Iterator<Item = &Arc<Key>> {
        let providers = self.keys.get(owner).into_iter().flatten();
        let after = after.map(|key| (key.provider, key.name.clone()));
        let providers = providers.skip_while({
            let last = after.as_ref().map(|(last, _)| *last);
            move |(provider, _)| last.is_some_and(|last| **provider < last)
        });
        let rest = providers.flat_map(move |(provider, names)| {
            let from: Bound<&str> = match &after {
                Some((last, name)) if provider == last => Excluded(name),
                _ => Unbounded,
            };
            names.range::<str, _>((from, Unbounded))
        });
        rest.map(|(_, key)| key)
    }

    pub(super) fn object(&self, provider: ProviderId, owner: &Principal, kind: RecordKind, name: &str) -> Option<Arc<Object>> {
        self.objects.get(owner)?.get(&(provider, kind))?.get(name).cloned()
    }

    /// The owners from there on.
    pub(super) fn owners_from<'a>(&'a self, from: Bound<&Principal>) -> impl Iterator<Item = &'a Principal> + use<'a> {
        self.owners.range((from, Unbounded)).map(|(owner, _)| owner)
    }

    /// How many keys are stored, and how many of them the hardware does not show.
    pub(super) fn stored(&self) -> (u64, u64) {
        (self.stored, self.missing)
    }

    /// Notes whether the hardware shows the key. Others may hold the key's [`Arc`] already.
    pub(super) fn mark(&mut self, key: &Key, missing: bool) {
        let entry = self.entries.get(&key.uuid).cloned();
        self.count_key(entry.as_ref(), -1);
        key.missing.store(missing, Ordering::Relaxed);
        self.count_key(entry.as_ref(), 1);
    }

    fn count_key(&mut self, entry: Option<&Entry>, by: i64) {
        if let Some(Entry::Key(key)) = entry
            && !key.volatile()
        {
            self.stored = self.stored.saturating_add_signed(by);
            self.missing = self.missing.saturating_add_signed(if key.missing() { by } else { 0 });
        }
    }

    /// Makes room for so many entries.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.entries.reserve(entries);
        self.terms.reserve(entries.saturating_mul(TERMS));
    }

    /// The set of entries with this term.
    fn uuids(&self, term: Term<'_>) -> Option<&Uuids> {
        self.terms.get(&self.hasher.hash_one(term))
    }

    /// The entries with all of these terms that come after this UUID, in the order of their UUIDs. Goes through those with the rarest
    /// term.
    pub(super) fn with<'a, 't>(
        &'a self,
        terms: &'t [Term<'t>],
        after: Option<Uuid>,
    ) -> impl Iterator<Item = &'a Entry> + use<'a, 't> {
        self.among(terms, after).filter(move |entry| terms.iter().all(|term| entry.has(*term)))
    }

    /// The entries with the rarest of these terms. The caller checks each for the other terms. A step takes the same time whether the
    /// entry has them or not.
    pub(super) fn among<'a>(&'a self, terms: &[Term<'_>], after: Option<Uuid>) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let sets: Option<Vec<_>> = terms.iter().map(|term| self.uuids(*term)).collect();
        let rarest = sets.unwrap_or_default().into_iter().min_by_key(|uuids| uuids.len());
        let all = rarest.map(|uuids| uuids.after(after));
        all.into_iter().flatten().filter_map(|uuid| self.entries.get(&uuid))
    }

    /// How many entries have the rarest of these terms, at most; `None` without any term.
    pub(super) fn rarity(&self, terms: &[Term<'_>]) -> Option<usize> {
        terms.iter().map(|term| self.uuids(*term).map_or(0, Uuids::len)).min()
    }

    /// The entries with these UUIDs.
    pub(super) fn those(&self, uuids: &BTreeSet<Uuid>) -> impl Iterator<Item = &Entry> {
        uuids.iter().filter_map(|uuid| self.entries.get(uuid))
    }

    /// The entry with this UUID, unless it is volatile.
    pub(super) fn stored_entry(&self, uuid: Uuid) -> Option<&Entry> {
        self.entries.get(&uuid).filter(|entry| !entry.volatile())
    }

    /// The keys that anybody was granted.
    pub(super) fn granted(&self) -> impl Iterator<Item = &Arc<Key>> {
        let uuids: BTreeSet<_> = self.grants.values().flat_map(BTreeMap::values).flatten().collect();
        let entries = uuids.into_iter().filter_map(|uuid| self.entries.get(uuid));
        entries.filter_map(|entry| if let Entry::Key(key) = entry { Some(key) } else { None })
    }

    /// Some users after this one who own something that is not volatile, in order.
    pub(super) fn owning_after(&self, user: u32) -> Vec<u32> {
        users_after(&self.owners, user)
    }

    /// Some users after this one who were granted a key, in order.
    pub(super) fn granted_after(&self, user: u32) -> Vec<u32> {
        users_after(&self.grants, user)
    }

    /// Whether somebody owns something that is not volatile, has a token, or was granted a key.
    pub(super) fn holds(&self, who: &Principal) -> bool {
        self.owners.contains_key(who) || self.grants.contains_key(who) || self.tokens.owners().any(|owner| owner == who)
    }

    /// Whether there is a verdict by or about somebody, or a key was theirs.
    pub(super) fn mentions(&self, who: &Principal) -> bool {
        self.judged.contains_key(who) || self.acceptance.contains_key(&who.to_string()) || self.moved.has(who)
    }

    /// The owners who have granted keys to this principal, with these keys.
    pub(super) fn granters(&self, grantee: &Principal) -> impl Iterator<Item = (&Principal, &BTreeSet<Uuid>)> {
        self.grants.get(grantee).into_iter().flatten()
    }

    /// Own entries, granted keys, and the certificates that stand with granted keys.
    pub(super) fn visible(&self, caller: &Principal, entry: &Entry) -> bool {
        let meta = entry.meta();
        if meta.owner == *caller {
            return true;
        }
        match entry {
            Entry::Key(key) => key.visible(caller),
            Entry::Object(object) => {
                object.kind == RecordKind::Certificate
                    && !meta.id.is_empty()
                    && self.beside.contains_key(&(caller.clone(), meta.owner.clone(), meta.provider, meta.id.clone()))
            }
        }
    }

    /// The verdicts for this caller alone, and those for a pattern that includes it.
    pub(super) fn said_for(&self, caller: &Principal) -> (Option<&Said>, Vec<&Said>) {
        let caller = caller.to_string();
        let many =
            self.acceptance.range::<str, _>((Included(MANY), Unbounded)).take_while(|(callers, _)| callers.starts_with(MANY));
        let many = many.filter(|(callers, _)| caller.starts_with(&callers[MANY.len()..]));
        (self.acceptance.get(&caller), many.map(|(_, said)| said).collect())
    }

    /// Adds an entry, in the place of the one with its UUID.
    pub(super) fn put(&mut self, entry: Entry) {
        let uuid = entry.meta().uuid;
        let maker = self.take(uuid);
        let owner = &entry.meta().owner;
        match &entry {
            Entry::Key(key) => {
                let keys = self.keys.entry(owner.clone()).or_default();
                keys.entry(key.provider).or_default().insert(key.name.clone(), Arc::clone(key));
                key.grants.keys().for_each(|grantee| self.note_grant(grantee, key));
            }
            Entry::Object(object) => {
                let objects = self.objects.entry(owner.clone()).or_default();
                let objects = objects.entry((object.meta.provider, object.kind)).or_default();
                objects.insert(object.meta.name.clone(), Arc::clone(object));
            }
        }
        if !entry.volatile() {
            *self.owners.entry(owner.clone()).or_default() += 1;
        }
        entry.terms(|term| {
            let uuids = self.terms.entry(self.hasher.hash_one(term));
            uuids.and_modify(|uuids| uuids.insert(uuid)).or_insert(Uuids::One(uuid));
        });
        self.count_key(Some(&entry), 1);
        self.tally.add(&entry, maker);
        self.entries.insert(uuid, entry);
    }

    /// Counts an entry for the user who made it too.
    pub(super) fn attribute(&mut self, uid: u32, uuid: Uuid) {
        if let Some(entry) = self.entries.get(&uuid) {
            self.tally.remove(entry);
            self.tally.add(entry, (entry.meta().owner != Principal::Uid(uid)).then_some(uid));
        }
    }

    pub(super) fn remove(&mut self, uuid: Uuid) {
        self.take(uuid);
        self.moved.forget(uuid);
    }

    /// Removes an entry, and tells who had made it, where that was not its owner.
    fn take(&mut self, uuid: Uuid) -> Option<u32> {
        let entry = self.entries.remove(&uuid)?;
        self.count_key(Some(&entry), -1);
        let maker = self.tally.remove(&entry);
        entry.terms(|term| {
            let term = self.hasher.hash_one(term);
            if self.terms.get_mut(&term).is_some_and(|uuids| !uuids.remove(uuid)) {
                self.terms.remove(&term);
            }
        });
        if !entry.volatile() {
            less(&mut self.owners, &entry.meta().owner);
        }
        match entry {
            Entry::Key(key) => {
                drop_named(&mut self.keys, &key.owner, key.provider, &key.name);
                key.grants.keys().for_each(|grantee| self.ungrant(grantee, &key));
            }
            Entry::Object(object) => {
                let meta = &object.meta;
                drop_named(&mut self.objects, &meta.owner, (meta.provider, object.kind), &meta.name);
            }
        }
        maker
    }

    fn note_grant(&mut self, grantee: &Principal, key: &Key) {
        let granters = self.grants.entry(grantee.clone()).or_default();
        granters.entry(key.owner.clone()).or_default().insert(key.uuid);
        if key.visible(grantee) {
            *self.beside.entry(beside(grantee, key)).or_default() += 1;
        }
    }

    fn ungrant(&mut self, grantee: &Principal, key: &Key) {
        if key.visible(grantee) {
            let beside = beside(grantee, key);
            if let Some(count) = self.beside.get_mut(&beside) {
                *count -= 1;
                if *count == 0 {
                    self.beside.remove(&beside);
                }
            }
        }
        let Some(granters) = self.grants.get_mut(grantee) else {
            return;
        };
        if let Some(uuids) = granters.get_mut(&key.owner) {
            uuids.remove(&key.uuid);
            if uuids.is_empty() {
                granters.remove(&key.owner);
            }
        }
        if granters.is_empty() {
            self.grants.remove(grantee);
        }
    }

    /// Notes what was said of an owner for a caller, or for many.
    pub(super) fn accept(&mut self, callers: &str, owner: &Principal, verdict: Option<Verdict>) {
        let said = self.acceptance.entry(callers.to_owned()).or_default();
        let heard = self.judged.entry(owner.clone()).or_default();
        match verdict {
            Some(verdict) => {
                said.insert(owner.clone(), verdict);
                heard.insert(callers.to_owned());
            }
            None => {
                said.remove(owner);
                heard.remove(callers);
            }
        }
        if said.is_empty() {
            self.acceptance.remove(callers);
        }
        if heard.is_empty() {
            self.judged.remove(owner);
        }
    }

    /// Removes some objects of a client, of those in one provider or all, and says whether there were any.
    pub(super) fn remove_objects(&mut self, owner: &Principal, provider: Option<ProviderId>) -> bool {
        let all = self.objects.get(owner).into_iter().flatten();
        let there = all.filter(|((place, _), _)| provider.is_none_or(|here| here == *place));
        let some: Vec<_> = there.flat_map(|(_, named)| named.values()).take(FEW).map(Arc::clone).collect();
        some.iter().for_each(|object| self.remove(object.meta.uuid));
        !some.is_empty()
    }

    /// Removes some traces of a client at others: grants that it holds, and verdicts by it and about it. Returns whether there were any.
    pub(super) fn forget(&mut self, client: &Principal) -> bool {
        let granted: Vec<_> = self.granters(client).flat_map(|(_, uuids)| self.those(uuids)).take(FEW).cloned().collect();
        let name = client.to_string();
        let said = self.acceptance.get(&name).into_iter().flat_map(BTreeMap::keys).take(FEW);
        let said = said.map(|owner| (name.clone(), owner.clone()));
        let heard = self.judged.get(client).into_iter().flatten().take(FEW).map(|callers| (callers.clone(), client.clone()));
        let verdicts: Vec<_> = said.chain(heard).collect();
        let any = !(granted.is_empty() && verdicts.is_empty());
        for entry in granted {
            if let Entry::Key(mut key) = entry {
                Arc::make_mut(&mut key).grants.remove(client);
                self.put(Entry::Key(key));
            }
        }
        verdicts.iter().for_each(|(callers, owner)| self.accept(callers, owner, None));
        any
    }
}

#[cfg(test)]
impl Index {
    /// Lets each of these terms lead to the entries of all of them, like terms with equal hashes.
    pub(super) fn confuse(&mut self, terms: [Term<'_>; 2]) {
        let all: Vec<_> = terms.iter().filter_map(|term| self.uuids(*term)).flat_map(|uuids| uuids.after(None)).collect();
        for (term, uuid) in terms.into_iter().flat_map(|term| all.iter().map(move |uuid| (term, *uuid))) {
            let uuids = self.terms.entry(self.hasher.hash_one(term));
            uuids.and_modify(|uuids| uuids.insert(uuid)).or_insert(Uuids::One(uuid));
        }
    }
}

/// A piece of the users in a map who come after this one.
fn users_after<T>(all: &BTreeMap<Principal, T>, user: u32) -> Vec<u32> {
    let users = all.range((Excluded(Principal::Uid(user)), Unbounded)).map_while(|(who, _)| who.uid());
    users.take(PIECE).collect()
}

fn beside(grantee: &Principal, key: &Key) -> GrantedId {
    (grantee.clone(), key.owner.clone(), key.provider, key.id.clone())
}

fn less(counts: &mut BTreeMap<Principal, usize>, who: &Principal) {
    if let Some(count) = counts.get_mut(who) {
        *count -= 1;
        if *count == 0 {
            counts.remove(who);
        }
    }
}

/// Removes what has this name in this place, and maps that are empty then.
fn drop_named<P: Ord, T>(all: &mut Named<P, T>, owner: &Principal, place: P, name: &str) {
    let Some(places) = all.get_mut(owner) else { return };
    if let Some(named) = places.get_mut(&place) {
        named.remove(name);
        if named.is_empty() {
            places.remove(&place);
        }
    }
    if places.is_empty() {
        all.remove(owner);
    }
}
