//! What of the store lies in memory, by every term that a search may name.

use super::Key;
use super::accept::Verdict;
use super::decide::{Fingerprint, Role};
use super::key::{Life, Meta};
use super::object::Object;
use super::token::Tokens;
use crate::applications::Application;
use crate::auth::Principal;
use interface::ProviderId;
use interface::message::Pkcs11Attribute;
use interface::operations::{Record, RecordKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
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
            Self::Object(object) => object.record(),
        }
    }

    /// A volatile key has no term that a search may name.
    fn terms(&self) -> Vec<Term> {
        let meta = self.meta();
        if let Self::Key(key) = self
            && let Life::Volatile { application, .. } = key.life
        {
            return vec![Term::Application(application), Term::Volatile(meta.owner.clone())];
        }
        let mut terms = vec![
            Term::Owner(meta.owner.clone()),
            Term::Name(meta.name.clone()),
            Term::Label(meta.label.clone()),
            Term::Id(meta.id.clone()),
        ];
        terms.extend(meta.pkcs11.iter().map(Term::kept));
        match self {
            Self::Key(key) => {
                terms.extend(key.grants.keys().cloned().map(Term::Grantee));
                terms.extend(key.public_id().map(Term::Public));
            }
            Self::Object(object) => terms.extend(object.terms()),
        }
        terms
    }
}

/// What an entry is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Term {
    Owner(Principal),
    Grantee(Principal),
    Name(String),
    Label(String),
    Id(Vec<u8>),
    /// An attribute of PKCS#11: its kind and value.
    Kept(u64, Vec<u8>),
    /// SHA-1 of a public value.
    Public(Vec<u8>),
    /// Of volatile keys: the process.
    Application(Application),
    /// Of volatile keys: the owner.
    Volatile(Principal),
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
    /// Keys that are not volatile.
    stored: u64,
    /// Those of them that the hardware does not show.
    missing: u64,
    pub(super) tokens: Tokens,
    /// What the database has that is not in use, for people.
    pub(super) damaged: Vec<String>,
    /// By the value of keys.
    pub(super) decisions: HashMap<Fingerprint, Role>,
    /// By caller or pattern of callers.
    pub(super) acceptance: HashMap<String, BTreeMap<Principal, Verdict>>,
}

impl Index {
    pub(super) fn key(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<&Arc<Key>> {
        self.keys.get(owner)?.get(&provider)?.get(name)
    }

    pub(super) fn keys_of(&self, owner: &Principal) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.get(owner).into_iter().flat_map(HashMap::values).flat_map(HashMap::values)
    }

    pub(super) fn object(&self, provider: ProviderId, owner: &Principal, kind: RecordKind, name: &str) -> Option<Arc<Object>> {
        self.with(&Term::Name(name.to_owned())).find_map(|entry| match entry {
            Entry::Object(object) => (object.kind == kind && object.meta.provider == provider && object.meta.owner == *owner)
                .then(|| Arc::clone(object)),
            Entry::Key(_) => None,
        })
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
        self.tally(entry.as_ref(), -1);
        key.missing.store(missing, Ordering::Relaxed);
        self.tally(entry.as_ref(), 1);
    }

    fn tally(&mut self, entry: Option<&Entry>, by: i64) {
        if let Some(Entry::Key(key)) = entry
            && !key.volatile()
        {
            self.stored = self.stored.saturating_add_signed(by);
            self.missing = self.missing.saturating_add_signed(if key.missing() { by } else { 0 });
        }
    }

    /// The entries with this term, in the order of their UUIDs.
    pub(super) fn with<'a>(&'a self, term: &Term) -> impl Iterator<Item = &'a Entry> + use<'a> {
        self.with_after(term, "")
    }

    /// Those of them that come after this UUID.
    pub(super) fn with_after<'a>(&'a self, term: &Term, after: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let uuids = self.terms.get(term).map(|uuids| uuids.range::<str, _>((Excluded(after), Unbounded)));
        uuids.into_iter().flatten().filter_map(|uuid| self.entries.get(uuid))
    }

    /// Whether an entry has this term.
    pub(super) fn has(&self, term: &Term, entry: &Entry) -> bool {
        self.terms.get(term).is_some_and(|uuids| uuids.contains(entry.meta().uuid.as_str()))
    }

    /// How many entries have this term.
    pub(super) fn count(&self, term: &Term) -> usize {
        self.terms.get(term).map_or(0, BTreeSet::len)
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
                    && self.with(&Term::Id(meta.id.clone())).any(|beside| match beside {
                        Entry::Key(key) => key.owner == meta.owner && key.provider == meta.provider && key.visible(caller),
                        Entry::Object(_) => false,
                    })
            }
        }
    }

    /// Adds an entry, in the place of the one with its UUID.
    pub(super) fn put(&mut self, entry: Entry) {
        let uuid: Arc<str> = entry.meta().uuid.as_str().into();
        self.remove(&uuid);
        if let Entry::Key(key) = &entry {
            let keys = self.keys.entry(key.owner.clone()).or_default();
            let keys = keys.entry(key.provider).or_default();
            keys.insert(key.name.clone(), Arc::clone(key));
        }
        for term in entry.terms() {
            self.terms.entry(term).or_default().insert(Arc::clone(&uuid));
        }
        self.tally(Some(&entry), 1);
        self.entries.insert(uuid, entry);
    }

    pub(super) fn remove(&mut self, uuid: &str) {
        let Some(entry) = self.entries.remove(uuid) else {
            return;
        };
        self.tally(Some(&entry), -1);
        for term in entry.terms() {
            if let Some(uuids) = self.terms.get_mut(&term) {
                uuids.remove(uuid);
                if uuids.is_empty() {
                    self.terms.remove(&term);
                }
            }
        }
        if let Entry::Key(key) = entry
            && let Some(keys) = self.keys.get_mut(&key.owner).and_then(|keys| keys.get_mut(&key.provider))
        {
            keys.remove(&key.name);
        }
    }

    /// Notes what a caller, or callers of a pattern, think of an owner's keys.
    pub(super) fn accept(&mut self, caller: &str, owner: &Principal, verdict: Option<Verdict>) {
        let owners = self.acceptance.entry(caller.to_owned()).or_default();
        match verdict {
            Some(verdict) => owners.insert(owner.clone(), verdict),
            None => owners.remove(owner),
        };
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
        let granted: Vec<_> = self.with(&Term::Grantee(client.clone())).cloned().collect();
        for entry in granted {
            if let Entry::Key(mut key) = entry {
                Arc::make_mut(&mut key).grants.remove(client);
                self.put(Entry::Key(key));
            }
        }
    }
}
