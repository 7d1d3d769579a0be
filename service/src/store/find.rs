//! Search: one answer for whatever a PKCS#11 or OpenSSL program looks for, without looking at every key.

use super::Store;
use super::index::{Entry, Index, Term};
use crate::auth::Principal;
use interface::ProviderId;
use interface::attributes::KeyType;
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
        let key_types: Vec<_> = filter.key_types.iter().filter_map(|key_type| KeyType::try_from(key_type).ok()).collect();
        let index = self.index();
        let terms = terms(filter);
        let fits = |entry: &Entry| match entry {
            Entry::Key(key) => filter.key_types.is_empty() || key_types.contains(&key.attributes.key_type),
            Entry::Object(_) => filter.key_types.is_empty(),
        };
        let wanted = |entry: &&Entry| {
            let meta = entry.meta();
            meta.provider == provider
                && filter.kind.is_none_or(|kind| kind == i32::from(entry.kind()))
                && owner.as_ref().is_none_or(|owner| meta.owner == *owner)
                && fits(entry)
                && terms.iter().all(|term| index.has(term, entry))
                && index.visible(caller, entry)
        };
        let limit = match filter.limit as usize {
            0 => LIMIT,
            limit => limit.min(LIMIT),
        };
        let mut found = Found::default();
        let mut bytes = 0;
        let after = filter.after.as_deref().unwrap_or_default();
        for entry in candidates(&index, caller, &terms, after).filter(wanted) {
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

/// All that an entry must be found by.
fn terms(filter: &Find) -> Vec<Term> {
    let named = [
        filter.id.clone().map(Term::Id),
        filter.name.clone().map(Term::Name),
        filter.label.clone().map(Term::Label),
        filter.public_id.clone().map(Term::Public),
    ];
    named.into_iter().flatten().chain(filter.pkcs11.iter().map(Term::kept)).collect()
}

/// Few entries that hold all that can match, each once, in the order of their UUIDs.
fn candidates<'a>(index: &'a Index, caller: &Principal, terms: &[Term], after: &str) -> Box<dyn Iterator<Item = &'a Entry> + 'a> {
    if let Some(rarest) = terms.iter().min_by_key(|term| index.count(term)) {
        return Box::new(index.with_after(rarest, after));
    }
    let granted = Term::Grantee(caller.clone());
    let beside = index
        .with(&granted)
        .flat_map(|key| index.with_after(&Term::Id(key.meta().id.clone()), after))
        .filter(|entry| entry.kind() == RecordKind::Certificate && entry.meta().owner != *caller);
    let others = index.with_after(&granted, after).chain(beside).map(|entry| (entry.meta().uuid.as_str(), entry));
    let mut others = others.collect::<BTreeMap<_, _>>().into_values().peekable();
    let mut own = index.with_after(&Term::Owner(caller.clone()), after).peekable();
    Box::new(std::iter::from_fn(move || match (own.peek(), others.peek()) {
        (Some(own_next), Some(other)) if other.meta().uuid < own_next.meta().uuid => others.next(),
        (None, _) => others.next(),
        _ => own.next(),
    }))
}
