//! How much of the store each client has.

use super::Store;
use super::index::Entry;
use crate::auth::Principal;
use crate::key::{Key, Life, Meta, Uuid};
use crate::quotas::Limit;
use interface::message::Pkcs11Attribute;
use interface::operations::{PutObject, RecordKind, SetMetadata};
use interface::{Filing, ProviderId};
use std::collections::HashMap;

/// What a grant takes, about.
pub const GRANT: u64 = 128;

/// What a client has of all that is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage([u64; Limit::ALL.len()]);

impl Usage {
    /// How much it has.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    fn change(&mut self, entry: &Entry, by: impl Fn(u64, u64) -> u64) {
        for (limit, amount) in weight(entry) {
            self.0[limit as usize] = by(self.0[limit as usize], amount);
        }
    }
}

/// What all clients have. What a user has made under names that its programs gave themselves counts for the user too, as long as the
/// service runs: the store does not know it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    clients: HashMap<Principal, Usage>,
    /// Who has made the entries with these UUIDs, where that is not their owner.
    makers: HashMap<Uuid, u32>,
}

impl Tally {
    pub(super) fn add(&mut self, entry: &Entry, maker: Option<u32>) {
        self.change(&entry.meta().owner, entry, u64::saturating_add);
        if let Some(maker) = maker {
            self.change(&Principal::Uid(maker), entry, u64::saturating_add);
            self.makers.insert(entry.meta().uuid, maker);
        }
    }

    /// Tells who had made it, where that was not its owner.
    pub(super) fn remove(&mut self, entry: &Entry) -> Option<u32> {
        self.change(&entry.meta().owner, entry, u64::saturating_sub);
        let maker = self.makers.remove(&entry.meta().uuid)?;
        self.change(&Principal::Uid(maker), entry, u64::saturating_sub);
        Some(maker)
    }

    fn change(&mut self, who: &Principal, entry: &Entry, by: impl Fn(u64, u64) -> u64) {
        let usage = match self.clients.get_mut(who) {
            Some(usage) => usage,
            None => self.clients.entry(who.clone()).or_default(),
        };
        usage.change(entry, by);
        if *usage == Usage::default() {
            self.clients.remove(who);
        }
    }
}

/// What an entry takes.
fn weight(entry: &Entry) -> [(Limit, u64); 2] {
    match entry {
        Entry::Key(key) => match &key.life {
            Life::Stored => [(Limit::Keys, 1), (Limit::Bytes, bytes(entry))],
            Life::Volatile { .. } => [(Limit::VolatileKeys, 1), (Limit::VolatileBytes, bytes(entry))],
        },
        Entry::Object(_) => [(Limit::Objects, 1), (Limit::Bytes, bytes(entry))],
    }
}

/// The bytes of an entry, but for what each has.
fn bytes(entry: &Entry) -> u64 {
    let Meta { name, label, id, pkcs11, .. } = entry.meta();
    let beside = beside(name, Some(label), Some(id)) + values(pkcs11);
    let value = match entry {
        Entry::Key(key) => value(key),
        Entry::Object(object) => object.size as u64,
    };
    beside + value
}

fn value(key: &Key) -> u64 {
    key.public_key.len() as u64 + u64::from(key.attributes.bits / 8) + GRANT * key.grants.len() as u64
}

impl Store {
    /// What a client has.
    pub fn usage(&self, who: &Principal) -> Usage {
        self.index().tally.clients.get(who).copied().unwrap_or_default()
    }

    /// Everybody who has anything that is limited so, who has most first.
    pub fn greediest(&self, limit: Limit) -> Vec<(Principal, u64)> {
        let index = self.index();
        let all = index.tally.clients.iter().map(|(who, usage)| (who, usage.of(limit))).filter(|(_, amount)| *amount > 0);
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|(who, amount)| (std::cmp::Reverse(*amount), *who));
        all.into_iter().map(|(who, amount)| (who.clone(), amount)).collect()
    }

    /// What it takes to put an object where the caller has this one or none.
    pub fn growth_by_object(&self, caller: &Principal, provider: ProviderId, put: &PutObject) -> [(Limit, u64); 2] {
        let then = beside(&put.name, put.label.as_deref(), put.id.as_deref()) + values(&put.pkcs11) + put.value.len() as u64;
        let old = self.entry(caller, provider, put.kind, &put.name).map(|old| bytes(&old));
        [(Limit::Objects, old.is_none().into()), (Limit::Bytes, then.saturating_sub(old.unwrap_or_default()))]
    }

    /// What it takes to change what stands beside a record of the caller.
    pub fn growth_by_metadata(&self, caller: &Principal, provider: ProviderId, set: &SetMetadata) -> [(Limit, u64); 1] {
        let Some(entry) = self.entry(caller, provider, set.kind, &set.name) else { return [(Limit::Bytes, 0)] };
        let meta = entry.meta();
        let mut old = set.pkcs11.iter().flat_map(|new| meta.pkcs11.iter().filter(|kept| kept.kind == new.kind));
        let (mut then, mut now) = (values(&set.pkcs11), old.by_ref().map(|kept| kept.value.len() as u64).sum::<u64>());
        let mut replace = |new: Option<usize>, old: usize| {
            if let Some(new) = new {
                then += new as u64;
                now += old as u64;
            }
        };
        replace(set.label.as_ref().map(String::len), meta.label.len());
        replace(set.id.as_ref().map(Vec::len), meta.id.len());
        if let Entry::Object(object) = &entry {
            replace(set.value.as_ref().map(Vec::len), object.size);
        }
        let limit = if matches!(&entry, Entry::Key(key) if key.volatile()) { Limit::VolatileBytes } else { Limit::Bytes };
        [(limit, then.saturating_sub(now))]
    }

    fn entry(&self, caller: &Principal, provider: ProviderId, kind: i32, name: &str) -> Option<Entry> {
        let index = self.index();
        match RecordKind::try_from(kind).ok()? {
            RecordKind::Key => index.key(provider, caller, name).cloned().map(Entry::Key),
            kind => index.object(provider, caller, kind, name).map(Entry::Object),
        }
    }

    /// Notes which user has made an entry under another name than its own.
    pub(crate) fn made_by(&self, uid: u32, uuid: Uuid) {
        self.index_mut().attribute(uid, uuid);
    }
}

/// What a new key takes, as far as that is known before it is made: not its value.
pub fn demand(filing: &Filing) -> [(Limit, u64); 2] {
    let beside = beside(&filing.name, filing.label.as_deref(), filing.id.as_deref());
    let bytes = beside + values(&filing.pkcs11);
    if filing.volatile {
        [(Limit::VolatileKeys, 1), (Limit::VolatileBytes, bytes)]
    } else {
        [(Limit::Keys, 1), (Limit::Bytes, bytes)]
    }
}

fn beside(name: &str, label: Option<&str>, id: Option<&[u8]>) -> u64 {
    (name.len() + label.unwrap_or(name).len() + id.map_or(0, <[u8]>::len)) as u64
}

fn values(kept: &[Pkcs11Attribute]) -> u64 {
    kept.iter().map(|kept| kept.value.len() as u64).sum()
}
