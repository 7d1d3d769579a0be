//! What of the store lies in memory, by every term that a search may name.

use super::Key;
use super::accept::Said;
use super::decide::{Fingerprint, Role};
use super::key::{Life, Meta};
use super::object::Object;
use super::token::Tokens;
use super::usage::Tally;
use crate::applications::Application;
use crate::auth::{MANY, Principal};
use interface::ProviderId;
use interface::message::Pkcs11Attribute;
use interface::operations::{Record, RecordKind, Verdict};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Entries that are looked at while the index is locked, at most: about a millisecond.
pub(super) const PIECE: usize = 1000;

/// A key or an object.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Key(Arc<Key>),
    Object(Arc<Object>),
}

impl Entry {
    pub(super) fn meta(&self) -> &Meta {
        match self {
            Self::Key(key) => &key.meta,
            Self::Object(object) => &object.meta,
        }
    }

    pub(super) fn kind(&self) -> RecordKind {
        match self {
            Self::Key(_) => RecordKind::Key,
            Self::Object(object) => object.kind,
        }
    }

    pub(super) fn record(&self, caller: &Principal) -> Record {
        match self {
            Self::Key(key) => key.record(caller),
            Self::Object(object) => object.record(caller),
        }
    }

    /// The bytes of its value, which is not in memory but in the database.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Key(_) => 0,
            Self::Object(object) => object.size,
        }
    }

    fn volatile(&self) -> bool {
        matches!(self, Self::Key(key) if key.volatile())
    }

    /// A volatile key has no term that a search may name.
    fn terms(&self) -> Vec<Term> {
        let meta = self.meta();
        if let Self::Key(key) = self
            && let Life::Volatile { application, .. } = key.life
        {
            return vec![Term::Application(application)];
        }
        let mut terms = vec![
            Term::Owner(meta.owner.clone()),
            Term::Name(meta.name.clone()),
            Term::Label(meta.label.clone()),
            Term::Id(meta.id.clone()),
        ];
        terms.extend(meta.pkcs11.iter().map(Term::kept));
        match self {
            Self::Key(key) => terms.extend(key.public_id().map(Term::Public)),
            Self::Object(object) => terms.extend(object.terms.iter().cloned()),
        }
        terms
    }
}

/// What an entry is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Term {
    Owner(Principal),
    Name(String),
    Label(String),
    Id(Vec<u8>),
    /// An attribute of PKCS#11: its kind and value.
    Kept(u64, Vec<u8>),
    /// SHA-1 of a public value.
    Public(Vec<u8>),
    /// Of volatile keys: the process.
    Application(Application),
}

impl Term {
    /// What an attribute is found by, whatever part of its record has it.
    pub(super) fn kept(attribute: &Pkcs11Attribute) -> Self {
        Self::Kept(attribute.kind & u64::from(u32::MAX), attribute.value.clone())
    }
}

/// What owners have, by place and name.
type Named<P, T> = HashMap<Principal, BTreeMap<P, BTreeMap<String, T>>>;

/// The keys of an owner that a grantee may use, with one id.
type Beside = (Principal, Principal, ProviderId, Vec<u8>);

/// Every ready key and object. Nothing here takes longer because others have more.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: Named<ProviderId, Arc<Key>>,
    objects: Named<(ProviderId, RecordKind), Arc<Object>>,
    /// How many entries each owner has that are not volatile.
    owners: BTreeMap<Principal, usize>,
    entries: HashMap<Arc<str>, Entry>,
    terms: HashMap<Term, BTreeSet<Arc<str>>>,
    /// The keys that somebody was granted, by their owners.
    grants: HashMap<Principal, BTreeMap<Principal, BTreeSet<Arc<str>>>>,
    /// How many keys a certificate stands with that a grantee may see.
    beside: HashMap<Beside, usize>,
    /// Keys that are not volatile.
    stored: u64,
    /// Those of them that the hardware does not show.
    missing: u64,
    pub(super) tokens: Tokens,
    pub(super) tally: Tally,
    /// What the database has that is not in use, for people.
    pub(super) damaged: Vec<String>,
    /// By the value of keys.
    pub(super) decisions: HashMap<Fingerprint, Role>,
    /// What was said of owners, by the callers for whom it was said ([`Callers::key`](crate::auth::Callers::key)).
    pub(super) acceptance: BTreeMap<String, Said>,
}

impl Index {
    pub(super) fn key(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<&Arc<Key>> {
        self.keys.get(owner)?.get(&provider)?.get(name)
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

    pub(super) fn owners(&self) -> Vec<Principal> {
        self.owners.keys().cloned().collect()
    }

    /// How many keys are stored, and how many of them the hardware does not show.
    pub(super) fn stored(&self) -> (u64, u64) {
        (self.stored, self.missing)
    }

    /// Notes whether the hardware shows the key, of which there may be copies elsewhere.
    pub(super) fn mark(&mut self, key: &Key, missing: bool) {
        let entry = self.entries.get(key.uuid.as_str()).cloned();
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

    /// The entries with this term, in the order of their UUIDs.
    pub(super) fn with<'a>(&'a self, term: &Term) -> impl Iterator<Item = &'a Entry> + use<'a> {
        self.with_all(&[term], "")
    }

    /// The entries with all of these terms that come after this UUID, in the order of their UUIDs. Goes through those with the rarest
    /// term.
    pub(super) fn with_all<'a>(&'a self, terms: &[&Term], after: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let sets: Vec<_> = terms.iter().filter_map(|term| self.terms.get(term)).collect();
        self.among(terms, after).filter(move |entry| sets.iter().all(|uuids| uuids.contains(entry.meta().uuid.as_str())))
    }

    /// The entries with the rarest of these terms, of which those with all terms are some: a step takes the same time whether the entry
    /// has the others or not.
    pub(super) fn among<'a>(&'a self, terms: &[&Term], after: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let sets: Option<Vec<_>> = terms.iter().map(|term| self.terms.get(term)).collect();
        let rarest = sets.unwrap_or_default().into_iter().min_by_key(|uuids| uuids.len());
        let all = rarest.map(|uuids| uuids.range::<str, _>((Excluded(after), Unbounded)));
        all.into_iter().flatten().filter_map(|uuid| self.entries.get(uuid))
    }

    /// How many entries have the rarest of these terms; `None` without any term.
    pub(super) fn rarity(&self, terms: &[Term]) -> Option<usize> {
        terms.iter().map(|term| self.terms.get(term).map_or(0, BTreeSet::len)).min()
    }

    /// The entries with these UUIDs.
    pub(super) fn those(&self, uuids: &BTreeSet<Arc<str>>) -> impl Iterator<Item = &Entry> {
        uuids.iter().filter_map(|uuid| self.entries.get(uuid))
    }

    /// The entry with this UUID, unless it is volatile.
    pub(super) fn stored_entry(&self, uuid: &str) -> Option<&Entry> {
        self.entries.get(uuid).filter(|entry| !entry.volatile())
    }

    /// Who has granted keys to this principal, and which.
    pub(super) fn granters(&self, grantee: &Principal) -> impl Iterator<Item = (&Principal, &BTreeSet<Arc<str>>)> {
        self.grants.get(grantee).into_iter().flatten()
    }

    /// Whether an entry has this term.
    pub(super) fn has(&self, term: &Term, entry: &Entry) -> bool {
        self.terms.get(term).is_some_and(|uuids| uuids.contains(entry.meta().uuid.as_str()))
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

    /// What was said for this caller alone, and for many of which it is one.
    pub(super) fn said_for(&self, caller: &Principal) -> (Option<&Said>, Vec<&Said>) {
        let caller = caller.to_string();
        let many =
            self.acceptance.range::<str, _>((Included(MANY), Unbounded)).take_while(|(callers, _)| callers.starts_with(MANY));
        let many = many.filter(|(callers, _)| caller.starts_with(&callers[MANY.len()..]));
        (self.acceptance.get(&caller), many.map(|(_, said)| said).collect())
    }

    /// Adds an entry, in the place of the one with its UUID.
    pub(super) fn put(&mut self, entry: Entry) {
        let uuid: Arc<str> = entry.meta().uuid.as_str().into();
        let maker = self.take(&uuid);
        let owner = &entry.meta().owner;
        match &entry {
            Entry::Key(key) => {
                let keys = self.keys.entry(owner.clone()).or_default();
                keys.entry(key.provider).or_default().insert(key.name.clone(), Arc::clone(key));
                key.grants.keys().for_each(|grantee| self.note_grant(grantee, key, &uuid));
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
        for term in entry.terms() {
            self.terms.entry(term).or_default().insert(Arc::clone(&uuid));
        }
        self.count_key(Some(&entry), 1);
        self.tally.add(&entry, maker);
        self.entries.insert(uuid, entry);
    }

    /// Has an entry count for the user who has made it too.
    pub(super) fn attribute(&mut self, uid: u32, uuid: &str) {
        if let Some(entry) = self.entries.get(uuid) {
            self.tally.remove(entry);
            self.tally.add(entry, (entry.meta().owner != Principal::Uid(uid)).then_some(uid));
        }
    }

    pub(super) fn remove(&mut self, uuid: &str) {
        self.take(uuid);
    }

    /// Removes an entry, and tells who had made it, where that was not its owner.
    fn take(&mut self, uuid: &str) -> Option<u32> {
        let entry = self.entries.remove(uuid)?;
        self.count_key(Some(&entry), -1);
        let maker = self.tally.remove(&entry);
        for term in entry.terms() {
            if let Some(uuids) = self.terms.get_mut(&term) {
                uuids.remove(uuid);
                if uuids.is_empty() {
                    self.terms.remove(&term);
                }
            }
        }
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

    fn note_grant(&mut self, grantee: &Principal, key: &Key, uuid: &Arc<str>) {
        let granters = self.grants.entry(grantee.clone()).or_default();
        granters.entry(key.owner.clone()).or_default().insert(Arc::clone(uuid));
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
            uuids.remove(key.uuid.as_str());
        }
        granters.retain(|_, uuids| !uuids.is_empty());
        if granters.is_empty() {
            self.grants.remove(grantee);
        }
    }

    /// Notes what was said of an owner for a caller, or for many.
    pub(super) fn accept(&mut self, callers: &str, owner: &Principal, verdict: Option<Verdict>) {
        let said = self.acceptance.entry(callers.to_owned()).or_default();
        match verdict {
            Some(verdict) => said.insert(owner.clone(), verdict),
            None => said.remove(owner),
        };
        if said.is_empty() {
            self.acceptance.remove(callers);
        }
    }

    /// Removes some objects of a client, of those in one provider or all, and says whether there were any.
    pub(super) fn remove_objects(&mut self, owner: &Principal, provider: Option<ProviderId>) -> bool {
        let all = self.objects.get(owner).into_iter().flatten();
        let there = all.filter(|((place, _), _)| provider.is_none_or(|here| here == *place));
        let some: Vec<_> = there.flat_map(|(_, named)| named.values()).take(PIECE).map(Arc::clone).collect();
        some.iter().for_each(|object| self.remove(&object.meta.uuid));
        !some.is_empty()
    }

    /// Removes the tokens of a client, what was said of it, and the grants that it holds.
    pub(super) fn forget(&mut self, client: &Principal) {
        self.tokens.forget(client);
        self.acceptance.remove(&client.to_string());
        for owners in self.acceptance.values_mut() {
            owners.remove(client);
        }
        let granted: Vec<_> = self.granters(client).flat_map(|(_, uuids)| self.those(uuids)).cloned().collect();
        for entry in granted {
            if let Entry::Key(mut key) = entry {
                Arc::make_mut(&mut key).grants.remove(client);
                self.put(Entry::Key(key));
            }
        }
    }
}

fn beside(grantee: &Principal, key: &Key) -> Beside {
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
