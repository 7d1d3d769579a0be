//! How much of the store each client has.

use super::Store;
use super::entry::Entry;
use super::tally::{Usage, beside, bytes, values};
use crate::auth::Principal;
use crate::key::Uuid;
use crate::quotas::Limit;
use interface::ProviderId;
use interface::operations::{PutObject, RecordKind, SetMetadata};
use std::cmp::Reverse;

impl Store {
    /// The use that a client makes of the store.
    pub fn usage(&self, who: &Principal) -> Usage {
        self.index().tally.clients.get(who).copied().unwrap_or_default()
    }

    /// The `count` clients that have most of what this limit counts.
    pub fn greediest(&self, limit: Limit, count: usize) -> Vec<(Principal, u64)> {
        let index = self.index();
        index.tally.ranks[limit as usize].iter().take(count).map(|(Reverse(amount), who)| (who.clone(), *amount)).collect()
    }

    /// How much the caller's use grows by this object.
    pub fn growth_by_object(&self, caller: &Principal, provider: ProviderId, put: &PutObject) -> [(Limit, u64); 2] {
        let then = beside(&put.name, put.label.as_deref(), put.id.as_deref()) + values(&put.pkcs11) + put.value.len() as u64;
        let old = self.entry(caller, provider, put.kind, &put.name).map(|old| bytes(&old));
        [(Limit::Objects, old.is_none().into()), (Limit::Bytes, then.saturating_sub(old.unwrap_or_default()))]
    }

    /// How much the caller's use grows by this change of metadata.
    pub fn growth_by_metadata(&self, caller: &Principal, provider: ProviderId, set: &SetMetadata) -> [(Limit, u64); 1] {
        let Some(entry) = self.entry(caller, provider, set.kind, &set.name) else { return [(Limit::Bytes, 0)] };
        let meta = entry.meta();
        // the former name is kept, and nothing else changes with the name
        if let Some(new) = &set.rename {
            return [(Limit::Bytes, new.len() as u64)];
        }
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
