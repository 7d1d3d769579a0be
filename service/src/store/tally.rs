//! How much each client has of everything that is limited.

use super::entry::Entry;
use crate::auth::Principal;
use crate::key::{Key, Life, Meta, Uuid};
use crate::quotas::Limit;
use interface::Filing;
use interface::message::Pkcs11Attribute;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// The bytes that a grant takes, about.
pub const GRANT: u64 = 128;

/// The use that a client makes of everything that is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage([u64; Limit::ALL.len()]);

impl Usage {
    /// How much it has.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }
}

/// What all clients have. What a user has made under names that its programs gave themselves counts for the user too, as long as the
/// service runs: the store does not know it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) clients: HashMap<Principal, Usage>,
    /// For each limit the clients by how much they have, the greediest first.
    pub(super) ranks: [BTreeSet<(Reverse<u64>, Principal)>; Limit::ALL.len()],
    /// The makers of the entries with these UUIDs, where the maker is not the owner.
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
        for (limit, amount) in weight(entry) {
            let (usage, rank) = (&mut usage.0[limit as usize], &mut self.ranks[limit as usize]);
            let (old, new) = (*usage, by(*usage, amount));
            if old != new {
                let mut place = rank.take(&(Reverse(old), who.clone())).unwrap_or_else(|| (Reverse(old), who.clone()));
                place.0 = Reverse(new);
                if new > 0 {
                    rank.insert(place);
                }
                *usage = new;
            }
        }
        if *usage == Usage::default() {
            self.clients.remove(who);
        }
    }
}

/// The size of an entry.
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
pub(super) fn bytes(entry: &Entry) -> u64 {
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

/// The bytes of the metadata beside a value.
pub(super) fn beside(name: &str, label: Option<&str>, id: Option<&[u8]>) -> u64 {
    (name.len() + label.unwrap_or(name).len() + id.map_or(0, <[u8]>::len)) as u64
}

/// The bytes of the attributes that are kept with an entry.
pub(super) fn values(kept: &[Pkcs11Attribute]) -> u64 {
    kept.iter().map(|kept| kept.value.len() as u64).sum()
}
