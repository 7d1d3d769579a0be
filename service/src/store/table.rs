//! The tables of the database, and every statement on them.

mod load;
mod own;
mod reader;
pub(super) mod token;

pub use load::Pending;
pub(super) use load::{load, misfits, pending, row_of};
pub(super) use own::{forget_place, keep};

use super::change::{Change, Table, Values};
use super::entry::{Entry, Object};
use super::seal::MAC_LEN;
use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::{Decision, Key, Meta, Uuid};
use interface::ProviderId;
use interface::attributes::{Attributes, Usage};
use interface::message::{KeyAttributes, Pkcs11Attribute};
use interface::operations::Verdict;
use interface::text::word;
use prost::Message;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::time::{SystemTime, UNIX_EPOCH};

/// The tables of version 4, but for those of tokens.
const TABLES: &str = "
CREATE TABLE seal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    proof BLOB NOT NULL
) STRICT;
CREATE TABLE key (
    uuid TEXT PRIMARY KEY,
    provider INTEGER NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    attributes BLOB NOT NULL,
    label TEXT NOT NULL,
    id BLOB NOT NULL,
    tier INTEGER NOT NULL,
    public BLOB NOT NULL,
    private BLOB NOT NULL,
    created INTEGER NOT NULL,
    local INTEGER NOT NULL DEFAULT 0,
    past INTEGER NOT NULL DEFAULT 0,
    pkcs11 BLOB NOT NULL DEFAULT x'',
    UNIQUE (provider, owner, name)
) STRICT;
CREATE TABLE key_grant (
    key TEXT NOT NULL REFERENCES key (uuid) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    usage INTEGER NOT NULL,
    PRIMARY KEY (key, principal)
) STRICT, WITHOUT ROWID;
CREATE TABLE object (
    uuid TEXT PRIMARY KEY,
    provider INTEGER NOT NULL,
    owner TEXT NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    id BLOB NOT NULL,
    value BLOB NOT NULL,
    created INTEGER NOT NULL,
    pkcs11 BLOB NOT NULL DEFAULT x'',
    UNIQUE (provider, owner, kind, name)
) STRICT;
";

/// What makes tables of version 5 of those of version 4: every row has a MAC and all of them a head. Whoever was granted keys may go
/// on using them without having accepted their owners.
const SIGNED: &str = "
ALTER TABLE seal ADD COLUMN head BLOB NOT NULL DEFAULT x'';
ALTER TABLE key ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE key_grant ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE object ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE token ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE pin ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
CREATE TABLE decision (
    value BLOB PRIMARY KEY,
    role INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE acceptance (
    caller TEXT NOT NULL,
    owner TEXT NOT NULL,
    verdict INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (caller, owner)
) STRICT, WITHOUT ROWID;
INSERT INTO acceptance
    SELECT DISTINCT principal, owner, 2, x'' FROM key_grant JOIN key ON key_grant.key = key.uuid WHERE state = 1;
";

/// The statements that make the tables of a new file.
pub(super) const SCHEMA: [&str; 3] = [TABLES, token::TABLES, SIGNED];

/// What makes tables of version N + 1 from those of version N, beginning with version 1. Of older keys it is not known where they
/// were made, so nothing is claimed.
pub(super) const UPGRADES: [&str; 4] = [
    "ALTER TABLE key ADD COLUMN local INTEGER NOT NULL DEFAULT 0",
    token::TABLES,
    "ALTER TABLE key ADD COLUMN past INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE key ADD COLUMN pkcs11 BLOB NOT NULL DEFAULT x'';
     ALTER TABLE object ADD COLUMN pkcs11 BLOB NOT NULL DEFAULT x'';",
    SIGNED,
];

/// The contents of the column `pkcs11`.
#[derive(Clone, PartialEq, Message)]
struct Pkcs11Column {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Pkcs11Attribute>,
}

/// The states of a key's row.
const INTENT: i64 = 0;
const READY: i64 = 1;
const DELETING: i64 = 2;

/// `false` where the name is taken.
pub(super) fn insert_intent(change: &mut Change<'_>, meta: &Meta, attributes: &Attributes) -> Result<bool> {
    let none: &[u8] = &[];
    let inserted = change.insert(
        Table::Key,
        &[
            ("uuid", &meta.uuid),
            ("provider", &meta.provider.number()),
            ("owner", &meta.owner.to_string()),
            ("name", &meta.name),
            ("state", &INTENT),
            ("attributes", &KeyAttributes::from(attributes).encode_to_vec()),
            ("label", &meta.label),
            ("id", &meta.id),
            ("tier", &0),
            ("public", &none),
            ("private", &none),
            ("created", &stored(meta.created)),
            ("local", &false),
            ("past", &0),
            ("pkcs11", &kept(meta)),
        ],
    );
    match inserted {
        Ok(()) => Ok(true),
        Err(Error::Store(error)) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there is a row of this name, in whatever state.
pub(super) fn named(db: &Connection, meta: &Meta) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM key WHERE provider = ? AND owner = ? AND name = ?")?.exists(params![
        meta.provider.number(),
        meta.owner.to_string(),
        meta.name
    ])?)
}

/// `false` where the intent is gone.
pub(super) fn complete(change: &mut Change<'_>, key: &Key, sealed: &[u8]) -> Result<bool> {
    let set: Values<'_> = &[
        ("state", &READY),
        ("attributes", &KeyAttributes::from(&key.attributes).encode_to_vec()),
        ("id", &key.id),
        ("tier", &i32::from(key.tier)),
        ("public", &key.public_key),
        ("private", &sealed),
        ("local", &key.local),
        ("past", &key.past.bits()),
    ];
    Ok(change.update(Table::Key, set, &[("uuid", &key.uuid), ("state", &INTENT)])? == 1)
}

/// `false` where the key is not ready any more.
pub(super) fn start_deletion(change: &mut Change<'_>, uuid: Uuid) -> Result<bool> {
    let changed = change.update(Table::Key, &[("state", &DELETING)], &[("uuid", &uuid), ("state", &READY)])?;
    change.delete(Table::Grant, &[("key", &uuid)])?;
    Ok(changed == 1)
}

/// Turns every key that is being made into one that is being destroyed.
pub(super) fn cancel_intents(change: &mut Change<'_>, owner: &Principal, provider: ProviderId) -> Result<()> {
    let having: Values<'_> = &[("owner", &owner.to_string()), ("provider", &provider.number()), ("state", &INTENT)];
    change.update(Table::Key, &[("state", &DELETING)], having)?;
    Ok(())
}

/// Removes a key's row that is not ready. One that was never ready has no private blob.
pub(super) fn remove(change: &mut Change<'_>, uuid: Uuid) -> Result<()> {
    let none: &[u8] = &[];
    change.delete(Table::Key, &[("uuid", &uuid), ("state", &INTENT), ("private", &none)])?;
    change.delete(Table::Key, &[("uuid", &uuid), ("state", &DELETING)])?;
    Ok(())
}

/// The sealed private blob of a ready key.
pub(super) fn private(db: &Connection, uuid: Uuid) -> Result<Option<Vec<u8>>> {
    Ok(db
        .prepare_cached("SELECT private FROM key WHERE uuid = ? AND state = ?")?
        .query_row(params![uuid, READY], |row| row.get(0))
        .optional()?)
}

pub(super) fn set_metadata(change: &mut Change<'_>, entry: &Entry) -> Result<()> {
    let meta = match entry {
        Entry::Key(key) => &key.meta,
        Entry::Object(object) => &object.meta,
    };
    let table = if matches!(entry, Entry::Key(_)) { Table::Key } else { Table::Object };
    let set: Values<'_> = &[("label", &meta.label), ("id", &meta.id), ("pkcs11", &kept(meta))];
    change.update(table, set, &[("uuid", &meta.uuid)])?;
    Ok(())
}

pub(super) fn set_policy(change: &mut Change<'_>, key: &Key, sealed: &[u8]) -> Result<()> {
    let attributes = KeyAttributes::from(&key.attributes).encode_to_vec();
    let set: Values<'_> = &[("attributes", &attributes), ("past", &key.past.bits()), ("private", &sealed)];
    change.update(Table::Key, set, &[("uuid", &key.uuid)])?;
    Ok(())
}

/// Gives a key another name, to which its private blob is sealed.
pub(super) fn rename(change: &mut Change<'_>, key: &Key, sealed: &[u8]) -> Result<()> {
    let set: Values<'_> = &[("name", &key.name), ("private", &sealed), ("pkcs11", &kept(&key.meta))];
    change.update(Table::Key, set, &[("uuid", &key.uuid)])?;
    Ok(())
}

/// Gives a key another owner, to which its private blob is sealed.
pub(super) fn chown(change: &mut Change<'_>, key: &Key, sealed: &[u8]) -> Result<()> {
    let set: Values<'_> = &[("owner", &key.owner.to_string()), ("private", &sealed), ("pkcs11", &kept(&key.meta))];
    change.update(Table::Key, set, &[("uuid", &key.uuid)])?;
    Ok(())
}

/// Gives an object another owner.
pub(super) fn chown_object(change: &mut Change<'_>, meta: &Meta) -> Result<()> {
    let set: Values<'_> = &[("owner", &meta.owner.to_string()), ("pkcs11", &kept(meta))];
    change.update(Table::Object, set, &[("uuid", &meta.uuid)])?;
    Ok(())
}

/// Changes the value of an object.
pub(super) fn set_value(change: &mut Change<'_>, uuid: Uuid, value: &[u8]) -> Result<()> {
    change.update(Table::Object, &[("value", &value)], &[("uuid", &uuid)])?;
    Ok(())
}

/// The value of an object.
pub(super) fn value(db: &Connection, uuid: Uuid) -> Result<Option<Vec<u8>>> {
    let mut query = db.prepare_cached("SELECT value FROM object WHERE uuid = ?")?;
    Ok(query.query_row([uuid], |row| row.get(0)).optional()?)
}

pub(super) fn put_object(change: &mut Change<'_>, object: &Object, value: &[u8]) -> Result<()> {
    let meta = &object.meta;
    change.delete(Table::Object, &[("uuid", &meta.uuid)])?;
    change.insert(
        Table::Object,
        &[
            ("uuid", &meta.uuid),
            ("provider", &meta.provider.number()),
            ("owner", &meta.owner.to_string()),
            ("kind", &i32::from(object.kind)),
            ("name", &meta.name),
            ("label", &meta.label),
            ("id", &meta.id),
            ("value", &value),
            ("created", &stored(meta.created)),
            ("pkcs11", &kept(meta)),
        ],
    )
}

pub(super) fn delete_object(change: &mut Change<'_>, uuid: Uuid) -> Result<()> {
    change.delete(Table::Object, &[("uuid", &uuid)])?;
    Ok(())
}

pub(super) fn grant(change: &mut Change<'_>, key: Uuid, to: &Principal, usage: Usage) -> Result<()> {
    revoke(change, key, to)?;
    change.insert(Table::Grant, &[("key", &key), ("principal", &to.to_string()), ("usage", &usage.bits())])
}

pub(super) fn revoke(change: &mut Change<'_>, key: Uuid, from: &Principal) -> Result<()> {
    change.delete(Table::Grant, &[("key", &key), ("principal", &from.to_string())])?;
    Ok(())
}

pub(super) fn forget(change: &mut Change<'_>, client: &Principal) -> Result<()> {
    let client = &client.to_string();
    for (table, column) in [
        (Table::Object, "owner"),
        (Table::Token, "owner"),
        (Table::Pin, "owner"),
        (Table::Grant, "principal"),
        (Table::Acceptance, "owner"),
        (Table::Acceptance, "caller"),
    ] {
        change.delete(table, &[(column, client)])?;
    }
    Ok(())
}

/// Removes the objects of a client in one provider.
pub(super) fn delete_objects(change: &mut Change<'_>, owner: &Principal, provider: ProviderId) -> Result<()> {
    change.delete(Table::Object, &[("owner", &owner.to_string()), ("provider", &provider.number())])?;
    Ok(())
}

pub(super) fn decide(change: &mut Change<'_>, value: &[u8; MAC_LEN], decision: Decision) -> Result<()> {
    change.insert(Table::Decision, &[("value", value), ("role", &i64::from(decision))])
}

/// Names the owners whose keys are listed because they were granted before anybody could be asked, with what ends that.
pub(super) fn tell_standing(db: &Connection) -> Result<()> {
    let mut query = db.prepare("SELECT caller, owner FROM acceptance WHERE verdict = ? ORDER BY caller, owner")?;
    let mut rows = query.query([i32::from(Verdict::Standing)])?;
    while let Some(row) = rows.next()? {
        let (caller, owner): (String, String) = (row.get(0)?, row.get(1)?);
        tracing::warn!(
            "keys that {owner} has granted to {caller} stay listed after its own; it ends that with: parsec key reject {0}, an administrator with: parsec key reject {0} --for {1}",
            word(&owner),
            word(&caller)
        );
    }
    Ok(())
}

/// Puts this verdict in the place of an earlier one, or none.
pub(super) fn accept(change: &mut Change<'_>, caller: &str, owner: &Principal, verdict: Option<Verdict>) -> Result<()> {
    let owner = &owner.to_string();
    change.delete(Table::Acceptance, &[("caller", &caller), ("owner", owner)])?;
    verdict.map_or(Ok(()), |verdict| {
        change.insert(Table::Acceptance, &[("caller", &caller), ("owner", owner), ("verdict", &i64::from(i32::from(verdict)))])
    })
}

/// Unix time in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn stored(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn kept(meta: &Meta) -> Vec<u8> {
    Pkcs11Column { attributes: meta.pkcs11.clone() }.encode_to_vec()
}
