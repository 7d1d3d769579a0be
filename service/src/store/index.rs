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
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
            Self::Object(object) => terms.extend(object.terms()),
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

/// Every ready key and object.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: HashMap<Principal, HashMap<ProviderId, HashMap<String, Arc<Key>>>>,
    entries: HashMap<Arc<str>, Entry>,
    terms: HashMap<Term, BTreeSet<Arc<str>>>,
    /// The keys that somebody was granted, by their owners.
    grants: HashMap<Principal, BTreeMap<Principal, BTreeSet<Arc<str>>>>,
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

    pub(super) fn keys_of(&self, owner: &Principal) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.get(owner).into_iter().flat_map(HashMap::values).flat_map(HashMap::values)
    }

    pub(super) fn object(&self, provider: ProviderId, owner: &Principal, kind: RecordKind, name: &str) -> Option<Arc<Object>> {
        let named = self.with_all(&[&Term::Name(name.to_owned()), &Term::Owner(owner.clone())], "");
        let mut objects = named.filter_map(|entry| if let Entry::Object(object) = entry { Some(object) } else { None });
        objects.find(|object| object.kind == kind && object.meta.provider == provider).cloned()
    }

    pub(super) fn owners(&self) -> Vec<Principal> {
        let owners: BTreeSet<_> = self
            .terms
            .keys()
            .filter_map(|term| match term {
                Term::Owner(owner) => Some(owner),
                _ => None,
            })
            .collect();
        owners.into_iter().cloned().collect()
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
        let sets: Option<Vec<_>> = terms.iter().map(|term| self.terms.get(term)).collect();
        let mut sets = sets.unwrap_or_default();
        sets.sort_unstable_by_key(|uuids| uuids.len());
        let rarest = sets.first().map(|uuids| uuids.range::<str, _>((Excluded(after), Unbounded)));
        let all = rarest.into_iter().flatten().filter(move |uuid| sets.iter().all(|uuids| uuids.contains(*uuid)));
        all.filter_map(|uuid| self.entries.get(uuid))
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
        self.entries.get(uuid).filter(|entry| !matches!(entry, Entry::Key(key) if key.volatile()))
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
                    && self
                        .with_all(&[&Term::Id(meta.id.clone()), &Term::Owner(meta.owner.clone())], "")
                        .any(|beside| matches!(beside, Entry::Key(key) if key.provider == meta.provider && key.visible(caller)))
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
        if let Entry::Key(key) = &entry {
            let keys = self.keys.entry(key.owner.clone()).or_default();
            let keys = keys.entry(key.provider).or_default();
            keys.insert(key.name.clone(), Arc::clone(key));
            for grantee in key.grants.keys() {
                let granters = self.grants.entry(grantee.clone()).or_default();
                granters.entry(key.owner.clone()).or_default().insert(Arc::clone(&uuid));
            }
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
        if let Entry::Key(key) = entry {
            if let Some(keys) = self.keys.get_mut(&key.owner).and_then(|keys| keys.get_mut(&key.provider)) {
                keys.remove(&key.name);
            }
            key.grants.keys().for_each(|grantee| self.ungrant(grantee, &key));
        }
        maker
    }

    fn ungrant(&mut self, grantee: &Principal, key: &Key) {
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

    /// Removes the objects of a client, those in one provider or all.
    pub(super) fn remove_objects(&mut self, owner: &Principal, provider: Option<ProviderId>) {
        let owned: Vec<_> = self
            .with(&Term::Owner(owner.clone()))
            .filter(|entry| entry.kind() != RecordKind::Key && provider.is_none_or(|here| here == entry.meta().provider))
            .map(|entry| entry.meta().uuid.clone())
            .collect();
        for uuid in owned {
            self.remove(&uuid);
        }
    }

    /// Removes the objects and tokens of a client and the grants that it holds.
    pub(super) fn forget(&mut self, client: &Principal) {
        self.remove_objects(client, None);
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
