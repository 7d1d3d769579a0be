//! Search: the caller's own records first, then those of others that are listed for it, each in the order of their UUIDs.

use super::Store;
use super::accept::Listed;
use super::entry::{Entry, Term};
use super::index::{Index, PIECE};
use crate::auth::Principal;
use crate::key::{Uuid, is_owners};
use interface::ProviderId;
use interface::attributes::KeyType;
use interface::operations::{Find, Found, Record, RecordKind};
use prost::Message;
use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};

/// Records in one answer, at most.
const LIMIT: usize = 1000;
/// Bytes in one answer, at most, but for the last record.
const BYTES: usize = 512 * 1024;
/// In a cursor, before the UUID: the search is among the caller's own records.
const OWN: &str = "own:";
/// In a cursor, before the UUID: the caller's own records are done.
const OTHERS: &str = "others:";
/// In a cursor of a search among everybody's keys, before the UUID and the owner.
const EVERYONE: &str = "everyone:";

impl Store {
    /// The records that match every given field: the caller's own, then those that it was granted and that are listed for it, or whose
    /// owner or UUID the search names. A certificate of somebody else shows with a key that was granted and has the same id.
    ///
    /// It goes in pieces, between which others get the lock of the index. A piece ends a page that has something; no page is empty while
    /// there is more, because older clients take an empty page for the last one.
    pub fn find(&self, caller: &Principal, provider: ProviderId, filter: &Find, admins: &[Principal]) -> Found {
        self.find_by(caller, provider, filter, admins, PIECE)
    }

    /// `steps`: so many entries are a piece.
    pub(super) fn find_by(
        &self,
        caller: &Principal,
        provider: ProviderId,
        filter: &Find,
        admins: &[Principal],
        steps: usize,
    ) -> Found {
        let mut filter = filter.clone();
        loop {
            let mut page = self.piece(caller, provider, &filter, admins, steps);
            page.records = page.records.into_iter().filter_map(|record| self.filled(caller, record)).collect();
            if !page.more || !page.records.is_empty() {
                return page;
            }
            filter.after = page.next;
        }
    }

    /// The record with its value, as it is now; none where it is not there any more, or is damaged.
    fn filled(&self, caller: &Principal, record: Record) -> Option<Record> {
        if record.kind == i32::from(RecordKind::Key) {
            return Some(record);
        }
        let whole = record.uuid.parse().and_then(|uuid| self.whole(caller, uuid));
        whole.inspect_err(|error| tracing::error!("key store: {error}")).ok().flatten()
    }

    /// The matches among so many entries, without the values of objects.
    fn piece(&self, caller: &Principal, provider: ProviderId, filter: &Find, admins: &[Principal], steps: usize) -> Found {
        let index = self.index();
        let mut found = Found { public_halves: true, ..Found::default() };
        let ways: Vec<_> = filter.ways().collect();
        let Some(search) = Search::new(&index, caller, filter, &ways) else {
            return found;
        };
        let key_types: Vec<_> = filter.key_types.iter().filter_map(|key_type| KeyType::try_from(key_type).ok()).collect();
        let fits = |entry: &Entry| match entry {
            Entry::Key(key) => filter.key_types.is_empty() || key_types.contains(&key.attributes.key_type),
            Entry::Object(_) => filter.key_types.is_empty(),
        };
        let wanted = |entry: &Entry| {
            entry.meta().provider == provider
                && filter.kind.is_none_or(|kind| kind == i32::from(entry.kind()))
                && fits(entry)
                && search.ways.iter().any(|terms| terms.iter().all(|term| entry.has(*term)))
                && (filter.everyone || index.visible(caller, entry))
        };
        // What only an owner sees is no answer to another user.
        let own = filter.pkcs11.iter().any(is_owners);
        let told = |entry: &Entry| !own || entry.meta().owner == *caller;
        let limit = match filter.limit as usize {
            0 => LIMIT,
            limit => limit.min(LIMIT),
        };
        let mut bytes = 0;
        let mut last = None;
        for (step, Candidate { part, meant, entry }) in search.entries(admins).enumerate() {
            let fitting = meant && told(entry) && wanted(entry);
            if step == steps || fitting && (found.records.len() == limit || bytes >= BYTES) {
                found.more = true;
                found.next = last;
                break;
            }
            let meta = entry.meta();
            last = Some(match part {
                EVERYONE => format!("{EVERYONE}{}:{}", meta.uuid, meta.owner),
                part => format!("{part}{}", meta.uuid),
            });
            if fitting {
                let record = entry.record(caller);
                bytes += record.encoded_len() + entry.size();
                found.records.push(record);
            }
        }
        found
    }
}

/// The terms of a search.
fn terms(filter: &Find) -> Vec<Term<'_>> {
    let named = [
        filter.id.as_deref().map(Term::Id),
        filter.name.as_deref().map(Term::Name),
        filter.label.as_deref().map(Term::Label),
        filter.public_id.as_deref().map(Term::Public),
    ];
    named.into_iter().flatten().chain(filter.pkcs11.iter().map(Term::kept)).collect()
}

/// An entry that a search comes by.
pub(super) struct Candidate<'a> {
    /// In a cursor, before the UUID.
    part: &'static str,
    /// It belongs to this part.
    meant: bool,
    entry: &'a Entry,
}

/// A search and its caller.
pub(super) struct Search<'a> {
    index: &'a Index,
    caller: &'a Principal,
    filter: &'a Find,
    owner: Option<Principal>,
    /// What must be found by one of them.
    ways: Vec<Vec<Term<'a>>>,
}

impl<'a> Search<'a> {
    /// `None` where the owner that is named can be nobody.
    pub(super) fn new(index: &'a Index, caller: &'a Principal, filter: &'a Find, ways: &'a [Find]) -> Option<Self> {
        let owner = filter.owner.as_deref().map(str::parse).transpose().ok()?;
        Some(Self { index, caller, filter, owner, ways: ways.iter().map(terms).collect() })
    }

    /// Few entries that hold all that can match, each once, in the order of the answer.
    pub(super) fn entries(&self, admins: &'a [Principal]) -> Box<dyn Iterator<Item = Candidate<'a>> + 'a> {
        if let Some(uuid) = &self.filter.uuid {
            let uuid = uuid.parse().ok();
            let named = |entry: &&Entry| self.owner.as_ref().is_none_or(|owner| entry.meta().owner == *owner);
            return Box::new(
                uuid.and_then(|uuid| self.index.stored_entry(uuid))
                    .filter(named)
                    .map(|entry| Candidate { part: "", meant: true, entry })
                    .into_iter(),
            );
        }
        if self.filter.everyone {
            return Box::new(self.everyones());
        }
        let (own, others) = match &self.owner {
            Some(owner) => (owner == self.caller, owner != self.caller),
            None => (true, true),
        };
        let (after_own, after_others) = self.cursor();
        let own = after_own.filter(|_| own).map(|after| self.own(after));
        let others = others.then(|| self.others(after_others, admins));
        Box::new(own.into_iter().flatten().chain(others.into_iter().flatten()))
    }

    /// Behind which UUIDs to go on; `None`: the caller's own records are done. Older clients give the UUID of the last record, which
    /// tells whose it is as long as there is one.
    fn cursor(&self) -> (Option<Option<Uuid>>, Option<Uuid>) {
        let after = self.filter.after.as_deref().unwrap_or_default();
        let uuid = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap_or(Uuid::LAST));
        if let Some(own) = after.strip_prefix(OWN) {
            return (Some(uuid(own)), None);
        }
        if let Some(others) = after.strip_prefix(OTHERS) {
            return (None, uuid(others));
        }
        let last = uuid(after).and_then(|uuid| self.index.stored_entry(uuid));
        if last.is_some_and(|last| last.meta().owner != *self.caller) { (None, uuid(after)) } else { (Some(uuid(after)), None) }
    }

    /// The entries of one owner after the other.
    fn everyones(&self) -> impl Iterator<Item = Candidate<'a>> + use<'a> {
        let (index, ways, named) = (self.index, self.ways.clone(), self.owner.clone());
        let after = self.filter.after.as_deref().unwrap_or_default().strip_prefix(EVERYONE);
        let after = after.and_then(|after| after.split_once(':'));
        let begun: Option<(Uuid, Principal)> = after.and_then(|(uuid, owner)| Some((uuid.parse().ok()?, owner.parse().ok()?)));
        let owners = index.owners_from(begun.as_ref().map_or(Unbounded, |(_, owner)| Included(owner)));
        let wanted = owners.filter(move |owner| named.as_ref().is_none_or(|named| named == *owner));
        wanted.flat_map(move |owner| {
            let after = begun.as_ref().filter(|(_, begun)| begun == owner).map(|(uuid, _)| *uuid);
            let theirs = |terms: &Vec<Term<'a>>| terms.iter().copied().chain([Term::Owner(owner)]).collect::<Vec<_>>();
            let all = ways.iter().map(|terms| index.among(&theirs(terms), after));
            merged(all.collect()).map(move |entry| Candidate { part: EVERYONE, meant: entry.meta().owner == *owner, entry })
        })
    }

    fn own(&self, after: Option<Uuid>) -> impl Iterator<Item = Candidate<'a>> + use<'a> {
        let caller = self.caller;
        let own = |terms: &Vec<Term<'a>>| terms.iter().copied().chain([Term::Owner(caller)]).collect::<Vec<_>>();
        let all = self.ways.iter().map(|terms| self.index.among(&own(terms), after));
        merged(all.collect()).map(move |entry| Candidate { part: OWN, meant: entry.meta().owner == *caller, entry })
    }

    /// The entries with the rarest term, or the granted ones, whichever are fewer.
    fn others(&self, after: Option<Uuid>, admins: &'a [Principal]) -> Box<dyn Iterator<Item = Candidate<'a>> + 'a> {
        let Self { index, caller, .. } = *self;
        let listed = Listed::of(index, caller, admins);
        let named = self.owner.clone();
        let shown = move |owner: &Principal| owner != caller && named.as_ref().map_or_else(|| listed.has(owner), |o| o == owner);
        let granted = index.granters(caller).filter(|(owner, _)| shown(owner)).map(|(_, uuids)| uuids.len()).sum();
        let named: Option<usize> = self.ways.iter().map(|terms| index.rarity(terms)).sum();
        if named.is_some_and(|count| count <= granted) {
            let all = self.ways.iter().map(|terms| index.among(terms, after));
            return Box::new(merged(all.collect()).map(move |entry| Candidate {
                part: OTHERS,
                meant: shown(&entry.meta().owner),
                entry,
            }));
        }
        let mut entries = BTreeMap::new();
        for key in index.granters(caller).filter(|(owner, _)| shown(owner)).flat_map(|(_, uuids)| index.those(uuids)) {
            let meta = key.meta();
            if Some(meta.uuid) > after {
                entries.insert(meta.uuid, key);
            }
            let beside = [Term::Id(&meta.id), Term::Owner(&meta.owner)];
            let certificates = index.with(&beside, after).filter(|entry| entry.kind() == RecordKind::Certificate);
            entries.extend(certificates.map(|entry| (entry.meta().uuid, entry)));
        }
        Box::new(entries.into_values().map(|entry| Candidate { part: OTHERS, meant: true, entry }))
    }
}

/// Entries that come in the order of their UUIDs from each of these, each once.
fn merged<'a>(from: Vec<impl Iterator<Item = &'a Entry>>) -> impl Iterator<Item = &'a Entry> {
    let mut from: Vec<_> = from.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let next = from.iter_mut().filter_map(|entries| entries.peek().map(|entry| entry.meta().uuid)).min()?;
        let is_next = |entry: &&'a Entry| entry.meta().uuid == next;
        from.iter_mut().filter_map(|entries| entries.next_if(is_next)).fold(None, |_, entry| Some(entry))
    })
}
