//! Search: one answer for whatever a PKCS#11 or OpenSSL program looks for, without looking at every key.

use super::Store;
use super::index::{Entry, Index, Term};
use crate::auth::Principal;
use interface::ProviderId;
use interface::operations::{Find, Found, RecordKind};
use prost::Message;
use std::collections::BTreeMap;

/// Records in one answer, at most.
const LIMIT: usize = 1000;
/// Bytes in one answer, at most, but for the last record.
const BYTES: usize = 512 * 1024;

impl Store {
    /// The records that the caller owns or was granted and that match every given field, in the order of their UUIDs. A certificate
    /// of somebody else shows with a key that was granted and has the same id.
    pub fn find(&self, caller: &Principal, provider: ProviderId, filter: &Find) -> Found {
        let Ok(owner) = filter.owner.as_deref().map(str::parse::<Principal>).transpose() else {
            return Found::default();
        };
        let index = self.index();
        let wanted = |entry: &&Entry| {
            let meta = entry.meta();
            meta.provider == provider
                && filter.after.as_ref().is_none_or(|after| meta.uuid > *after)
                && filter.kind.is_none_or(|kind| kind == entry.kind().into())
                && owner.as_ref().is_none_or(|owner| meta.owner == *owner)
                && filter.name.as_ref().is_none_or(|name| meta.name == *name)
                && filter.label.as_ref().is_none_or(|label| meta.label == *label)
                && filter.id.as_ref().is_none_or(|id| meta.id == *id)
                && index.visible(caller, entry)
        };
        let matches: BTreeMap<&str, &Entry> =
            candidates(&index, caller, filter).filter(wanted).map(|entry| (entry.meta().uuid.as_str(), entry)).collect();

        let limit = match filter.limit as usize {
            0 => LIMIT,
            limit => limit.min(LIMIT),
        };
        let mut found = Found::default();
        let mut bytes = 0;
        for entry in matches.values() {
            if found.records.len() == limit || bytes >= BYTES {
                found.more = true;
                break;
            }
            let record = entry.record(caller);
            bytes += record.encoded_len();
            found.records.push(record);
        }
        found
    }
}

/// Few entries that hold all that can match, some of them twice.
fn candidates<'a>(index: &'a Index, caller: &Principal, filter: &Find) -> Box<dyn Iterator<Item = &'a Entry> + 'a> {
    let term = None
        .or_else(|| filter.id.clone().map(Term::Id))
        .or_else(|| filter.name.clone().map(Term::Name))
        .or_else(|| filter.label.clone().map(Term::Label));
    if let Some(term) = term {
        return Box::new(index.with(&term));
    }
    let granted = Term::Grantee(caller.clone());
    let beside = index
        .with(&granted)
        .flat_map(|key| index.with(&Term::Id(key.meta().id.clone())))
        .filter(|entry| entry.kind() == RecordKind::Certificate);
    let own = index.with(&Term::Owner(caller.clone()));
    Box::new(own.chain(index.with(&granted)).chain(beside))
}
