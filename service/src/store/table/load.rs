//! Reads the tables: every row once at the start, and the keys that a crash left unfinished.

use super::reader::{Reader, report};
use super::{DELETING, Pkcs11Column, READY, token};
use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::{Decision, Key, Meta, Uuid};
use crate::store::change::{Table, schema};
use crate::store::entry::{Entry, Object};
use crate::store::head::Found;
use crate::store::index::Index;
use crate::store::own::Own;
use crate::store::rows::{Fields, read};
use crate::store::seal::Keys;
use interface::attributes::{Attributes, Usage};
use interface::message::KeyAttributes;
use interface::operations::{RecordKind, Tier, Verdict};
use interface::{ProviderId, Secret};
use prost::Message;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Entries that are handed over together.
const BATCH: usize = 256;
/// Batches that wait, at most.
const QUEUE: usize = 16;

/// The grants of each key.
type Grants = HashMap<Uuid, BTreeMap<Principal, Usage>>;

/// Reads every row, and files all that is ready. A row that is damaged is reported and left alone.
///
/// Keys and objects are filed on a second thread, because that takes as long as reading them.
///
/// `rows`: how many there are, about.
pub(in crate::store) fn load(db: &Connection, keys: &Keys, rows: u64) -> Result<(Found, Index)> {
    let mut load = Reader { db, keys, found: Found::default(), damaged: Vec::new() };
    load.found.sound.schema = schema(db)?;
    let mut grants = load.grants()?;
    let mut index = Index::default();
    index.reserve(usize::try_from(rows).unwrap_or_default());
    index.tokens = token::load(&mut load)?;
    load.decisions(&mut index)?;
    load.acceptance(&mut index)?;
    let mut index = thread::scope(|scope| {
        let (ready, batches) = sync_channel::<Vec<Entry>>(QUEUE);
        let file = move || {
            batches.into_iter().flatten().for_each(|entry| index.put(entry));
            index
        };
        let filing = thread::Builder::new().spawn_scoped(scope, file).map_err(Error::io("cannot start a thread"))?;
        let mut own = Vec::new();
        let unfinished = load.entries(&mut grants, &mut own, &ready)?;
        drop(ready);
        let mut index = filing.join().unwrap_or_else(|panic| resume_unwind(panic));
        index.unfinished = unfinished;
        for own in own {
            match own {
                Own::User(uid, before, now) => drop(index.users.insert(uid, (before, now))),
                Own::Place(place, uuid) => index.moved.put(place, uuid),
            }
        }
        Ok::<_, Error>(index)
    })?;
    index.damaged = load.damaged;
    Ok((load.found, index))
}

impl Reader<'_> {
    fn grants(&mut self) -> Result<Grants> {
        let mut grants = Grants::new();
        self.table(Table::Grant, |row| {
            let (key, principal) = (row.shown("key")?, row.shown("principal")?);
            let parsed = key.parse::<Uuid>().and_then(|key| Ok((key, principal.parse::<Principal>()?)));
            match parsed {
                Ok((key, principal)) if row.sound() => {
                    let usage = Usage::from_bits(row.get("usage")?);
                    grants.entry(key).or_default().insert(principal, usage);
                    Ok(None)
                }
                parsed => Ok(Some((format!("a grant to {principal} on the key {key}"), parsed.err()))),
            }
        })?;
        Ok(grants)
    }

    fn decisions(&mut self, index: &mut Index) -> Result<()> {
        self.table(Table::Decision, |row| match Decision::try_from(row.get::<i64>("role")?) {
            Ok(role) if row.sound() => {
                index.decisions.insert(row.get("value")?, role);
                Ok(None)
            }
            role => Ok(Some(("what a key was used for first".to_owned(), role.err()))),
        })
    }

    fn acceptance(&mut self, index: &mut Index) -> Result<()> {
        self.table(Table::Acceptance, |row| {
            let (caller, owner) = (row.shown("caller")?, row.shown("owner")?);
            match verdict(row) {
                Ok((owner, verdict)) if row.sound() => {
                    index.accept(&caller, &owner, Some(verdict));
                    Ok(None)
                }
                parsed => Ok(Some((format!("whether {caller} accepts keys of {owner}"), parsed.err()))),
            }
        })
    }

    /// Hands over what is ready of keys and objects, and keeps what is the service's own. Returns the UUIDs of keys that are not.
    fn entries(&mut self, grants: &mut Grants, own: &mut Vec<Own>, ready: &SyncSender<Vec<Entry>>) -> Result<Vec<String>> {
        let mut unfinished = Vec::new();
        let mut batch = Vec::with_capacity(BATCH);
        for table in [Table::Key, Table::Object] {
            self.table(table, |row| {
                let entry = match table {
                    Table::Key if row.get::<i64>("state")? != READY => {
                        unfinished.push(row.shown("uuid")?);
                        return Ok(None);
                    }
                    Table::Key => key(row, grants).map(|key| Some(Entry::Key(Arc::new(key)))),
                    _ if row.sound() && row.get::<u32>("provider")? == ProviderId::CORE.number().into() => {
                        let kept =
                            row.text("owner")?.parse().and_then(|owner| Own::read(owner, row.text("name")?, row.blob("value")?));
                        kept.map(|kept| {
                            own.push(kept);
                            None
                        })
                    }
                    _ => object(row).map(Some),
                };
                match entry {
                    Ok(None) => Ok(None),
                    Ok(Some(entry)) if row.sound() => {
                        batch.push(entry);
                        if batch.len() == BATCH {
                            // Nobody takes it only where filing has panicked, which ends the start.
                            let _ = ready.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                        }
                        Ok(None)
                    }
                    entry => {
                        let (uuid, owner, name) = (row.shown("uuid")?, row.shown("owner")?, row.shown("name")?);
                        Ok(Some((format!("{} ({uuid})", row_of(&name, &owner)), entry.err())))
                    }
                }
            })?;
        }
        let _ = ready.send(batch);
        Ok(unfinished)
    }
}

/// The name of a row in reports.
pub(in crate::store) fn row_of(name: &str, owner: &str) -> String {
    format!("'{name}' of {owner}")
}

/// A key that a crash left half done. The provider finishes it.
#[derive(Debug)]
pub struct Pending {
    /// Also reached as fields; the UUID is the tag of the hardware object, if there is one.
    pub meta: Meta,
    /// What it was to be, or was.
    pub attributes: Attributes,
    /// It was being destroyed, not created.
    pub deleting: bool,
    /// The private blob, where it was being destroyed and the blob can still be opened.
    pub material: Option<Secret>,
}

impl Deref for Pending {
    type Target = Meta;

    fn deref(&self) -> &Meta {
        &self.meta
    }
}

/// The unfinished keys of a provider among these, as far as they are still there.
pub(in crate::store) fn pending(db: &Connection, keys: &Keys, provider: ProviderId, uuids: &[String]) -> Result<Vec<Pending>> {
    let mut all = Vec::new();
    for uuid in uuids {
        let these = params![uuid, READY, provider.number()];
        read(db, keys, Table::Key, "uuid = ? AND state <> ? AND provider = ?", these, |row| {
            match unfinished(row, keys) {
                Ok(pending) if row.sound() => all.push(pending),
                pending => drop(report(&format!("the unfinished key {uuid}"), row.sound(), pending.err())),
            }
            Ok(())
        })?;
    }
    Ok(all)
}

/// The ready keys whose private parts were not sealed with the rest of their rows: these have another public key, name, owner or policy.
pub(in crate::store) fn misfits(db: &Connection, keys: &Keys) -> Result<Vec<Uuid>> {
    let mut misfits = Vec::new();
    read(db, keys, Table::Key, "state = ?", [READY], |row| {
        // A row that cannot be read is reported elsewhere.
        if let Ok(key) = key(row, &mut Grants::new())
            && keys.sealer.open(&key.binding(), row.blob("private")?).is_none()
        {
            misfits.push(key.uuid);
        }
        Ok(())
    })?;
    Ok(misfits)
}

fn unfinished(row: &Fields<'_>, keys: &Keys) -> Result<Pending> {
    let deleting = row.get::<i64>("state")? == DELETING;
    let sealed = row.blob("private")?;
    if !deleting && !sealed.is_empty() {
        return Err(Error::Corrupt("it is called unfinished, and has a private part".into()));
    }
    let material = if deleting { keys.sealer.open(&key(row, &mut Grants::new())?.binding(), sealed) } else { None };
    Ok(Pending { meta: meta(row)?, attributes: attributes(row)?, deleting, material })
}

fn meta(row: &Fields<'_>) -> Result<Meta> {
    let kept = Pkcs11Column::decode(row.blob("pkcs11")?)
        .map_err(|_| Error::Corrupt("PKCS#11 attributes that cannot be decoded".into()))?;
    Ok(Meta {
        uuid: row.text("uuid")?.parse()?,
        provider: row.get::<u32>("provider")?.try_into()?,
        owner: row.text("owner")?.parse()?,
        name: row.get("name")?,
        label: row.get("label")?,
        id: row.get("id")?,
        pkcs11: kept.attributes,
        created: u64::try_from(row.get::<i64>("created")?).unwrap_or(0),
    })
}

fn attributes(row: &Fields<'_>) -> Result<Attributes> {
    let message = KeyAttributes::decode(row.blob("attributes")?);
    Ok(Attributes::try_from(&message.map_err(|_| Error::Corrupt("attributes that cannot be decoded".into()))?)?)
}

fn key(row: &Fields<'_>, grants: &mut Grants) -> Result<Key> {
    let (meta, attributes) = (meta(row)?, attributes(row)?);
    Ok(Key {
        grants: grants.remove(&meta.uuid).unwrap_or_default(),
        public_key: row.get("public")?,
        tier: Tier::try_from(row.get::<i32>("tier")?)?,
        ..Key::new(meta, attributes, row.get("local")?, Usage::from_bits(row.get("past")?))
    })
}

fn object(row: &Fields<'_>) -> Result<Entry> {
    let kind = RecordKind::try_from(row.get::<i32>("kind")?)?;
    Ok(Entry::Object(Arc::new(Object::new(meta(row)?, kind, row.blob("value")?))))
}

fn verdict(row: &Fields<'_>) -> Result<(Principal, Verdict)> {
    Ok((row.text("owner")?.parse()?, Verdict::try_from(row.get::<i32>("verdict")?)?))
}
