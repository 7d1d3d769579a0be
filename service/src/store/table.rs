//! The database: its tables, and every statement that runs on them.

pub(super) mod token;

use super::index::{Entry, Index};
use super::key::{Key, Meta};
use super::lifecycle::Pending;
use super::object::Object;
use super::seal::{Sealer, StoreKey};
use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::ProviderId;
use interface::attributes::{Attributes, Usage};
use interface::message::{KeyAttributes, Pkcs11Attribute};
use interface::operations::{RecordKind, Tier};
use prost::Message;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, params};
use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Version of the tables.
const VERSION: i64 = 4;
/// Tells our databases from others: "PRSC".
const APPLICATION: i64 = 0x5052_5343;
/// How long to wait for another process to let go of the store, as at a restart.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });

const SCHEMA: &str = "
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

/// What makes tables of version N + 1 from those of version N, beginning with version 1. Of older keys it is not known where they
/// were made, so nothing is claimed.
const UPGRADES: &[&str] = &[
    "ALTER TABLE key ADD COLUMN local INTEGER NOT NULL DEFAULT 0",
    token::SCHEMA,
    "ALTER TABLE key ADD COLUMN past INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE key ADD COLUMN pkcs11 BLOB NOT NULL DEFAULT x'';
     ALTER TABLE object ADD COLUMN pkcs11 BLOB NOT NULL DEFAULT x'';",
];

/// What the column `pkcs11` holds.
#[derive(Clone, PartialEq, Message)]
struct Kept {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Pkcs11Attribute>,
}

/// The states of a key's row.
const INTENT: i64 = 0;
const READY: i64 = 1;
const DELETING: i64 = 2;

/// Opens the file for this process alone.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let shown = path.display();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(Error::io(format!("making {}", folder.display())))?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io(format!("opening the key store {shown}")))?;
    let connect = || {
        let db = Connection::open(path)?;
        db.busy_timeout(PATIENCE)?;
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON;",
        )?;
        let flaw: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        Ok((db, flaw))
    };
    match connect() {
        Ok((db, flaw)) if flaw == "ok" => Ok(db),
        Ok((_, flaw)) => {
            Err(Error::Corrupt(format!("{shown} is damaged ({flaw}); it is left as it is, restore it from a backup")))
        }
        Err(error) => Err(explain(path, error)),
    }
}

fn explain(path: &Path, error: rusqlite::Error) -> Error {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Corrupt(format!(
            "{shown} is in use by another process: stop the other parsec, or give this one a store of its own"
        )),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::Corrupt(format!("{shown} is no intact SQLite file ({error}); it is left as it is, restore it from a backup"))
        }
        _ => Error::Corrupt(format!("opening {shown}: {error}")),
    }
}

/// Makes the tables in a new file, all or none, and checks those of an old one against the store key.
pub(super) fn prepare(db: &mut Connection, path: &Path, secret: StoreKey) -> Result<Sealer> {
    let shown = path.display();
    let number = |pragma: &str| db.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if tables == 0 {
        let sealer = secret.sealer(true)?;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(SCHEMA)?;
        change.execute_batch(token::SCHEMA)?;
        change.execute("INSERT INTO seal VALUES (1, ?)", [sealer.proof()?])?;
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", VERSION)?;
        change.commit()?;
        return Ok(sealer);
    }
    if application != APPLICATION {
        return Err(Error::Corrupt(format!(
            "{shown} is a database of another program (perhaps of another Parsec service): name another file for the store"
        )));
    }
    if !(1..=VERSION).contains(&version) {
        return Err(Error::Corrupt(format!(
            "{shown} has tables of version {version}, this service knows version {VERSION}: run the version that wrote it"
        )));
    }
    let empty = number("SELECT count(*) FROM key")? == 0;
    let sealer = secret.sealer(empty)?;
    let proof: Vec<u8> = db.query_row("SELECT proof FROM seal", [], |row| row.get(0))?;
    if !sealer.proves(&proof) {
        if !empty {
            return Err(Error::Corrupt(format!(
                "the store key is not the one that {shown} was sealed with: restore that one; nothing was changed"
            )));
        }
        db.execute("UPDATE seal SET proof = ?", [sealer.proof()?])?;
    }
    if version < VERSION {
        upgrade(db, version)?;
    }
    Ok(sealer)
}

/// Brings tables of an older version up to date, all or none.
fn upgrade(db: &mut Connection, version: i64) -> Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (from, upgrade) in (1..).zip(UPGRADES) {
        if from >= version {
            change.execute_batch(upgrade)?;
        }
    }
    change.pragma_update(None, "user_version", VERSION)?;
    change.commit()?;
    Ok(())
}

/// Reads all that is ready. A row that makes no sense is logged and left alone.
pub(super) fn load(db: &Connection) -> Result<Index> {
    let mut grants: HashMap<String, BTreeMap<Principal, Usage>> = HashMap::new();
    let mut query = db.prepare("SELECT key, principal, usage FROM key_grant")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        let principal: String = row.get(1)?;
        match principal.parse() {
            Ok(principal) => {
                let usage = Usage::from_bits(row.get(2)?);
                grants.entry(key).or_default().insert(principal, usage);
            }
            Err(error) => tracing::error!("key store: a grant on {key} is damaged: {error}"),
        }
    }

    let mut index = Index::default();
    index.tokens = token::load(db)?;
    let mut put = |row: &Row<'_>, entry: Result<Entry>| -> Result<()> {
        match entry {
            Ok(entry) => index.put(entry),
            Err(error) => {
                let (uuid, owner, name): (String, String, String) = (row.get("uuid")?, row.get("owner")?, row.get("name")?);
                tracing::error!("key store: '{name}' of {owner} ({uuid}) is damaged and not in use: {error}");
            }
        }
        Ok(())
    };
    let mut query = db.prepare("SELECT * FROM key WHERE state = ?")?;
    let mut rows = query.query([READY])?;
    while let Some(row) = rows.next()? {
        put(row, key(row, &mut grants).map(|key| Entry::Key(Arc::new(key))))?;
    }
    let mut query = db.prepare("SELECT * FROM object")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        put(row, object(row))?;
    }
    Ok(index)
}

/// `false` where the name is taken.
pub(super) fn insert_intent(db: &Connection, meta: &Meta, attributes: &Attributes) -> Result<bool> {
    let inserted =
        db.prepare_cached("INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, x'', x'', ?, 0, 0, ?)")?.execute(params![
            meta.uuid,
            meta.provider.number(),
            meta.owner.to_string(),
            meta.name,
            INTENT,
            KeyAttributes::from(attributes).encode_to_vec(),
            meta.label,
            meta.id,
            stored(meta.created),
            kept(meta),
        ]);
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(false),
        Err(error) => Err(error.into()),
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
pub(super) fn complete(db: &Connection, key: &Key, sealed: &[u8]) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE key SET state = ?, attributes = ?, id = ?, tier = ?, public = ?, private = ?, local = ?, past = ?
             WHERE uuid = ? AND state = ?",
        )?
        .execute(params![
            READY,
            KeyAttributes::from(&key.attributes).encode_to_vec(),
            key.id,
            i32::from(key.tier),
            key.public_key,
            sealed,
            key.local,
            key.past.bits(),
            key.uuid,
            INTENT,
        ])?;
    Ok(changed == 1)
}

/// `false` where the key is not ready any more.
pub(super) fn start_deletion(db: &mut Connection, uuid: &str) -> Result<bool> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let changed = change.execute("UPDATE key SET state = ? WHERE uuid = ? AND state = ?", params![DELETING, uuid, READY])?;
    change.execute("DELETE FROM key_grant WHERE key = ?", [uuid])?;
    change.commit()?;
    Ok(changed == 1)
}

/// Removes a key's row that is not ready.
pub(super) fn remove(db: &Connection, uuid: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM key WHERE uuid = ? AND state <> ?")?.execute(params![uuid, READY])?;
    Ok(())
}

pub(super) fn pending(db: &Connection, sealer: &Sealer, provider: ProviderId) -> Result<Vec<Pending>> {
    let mut query = db.prepare("SELECT * FROM key WHERE state <> ? AND provider = ?")?;
    let mut rows = query.query(params![READY, provider.number()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        match unfinished(row, sealer) {
            Ok(pending) => all.push(pending),
            Err(error) => {
                let uuid: String = row.get("uuid")?;
                tracing::error!("key store: the unfinished key {uuid} is damaged and stays: {error}");
            }
        }
    }
    Ok(all)
}

fn unfinished(row: &Row<'_>, sealer: &Sealer) -> Result<Pending> {
    let deleting = row.get::<_, i64>("state")? == DELETING;
    let material = if deleting {
        let sealed: Vec<u8> = row.get("private")?;
        sealer.open(&key(row, &mut HashMap::new())?.binding(), &sealed)
    } else {
        None
    };
    Ok(Pending { meta: meta(row)?, attributes: attributes(row)?, deleting, material })
}

/// The sealed private blob of a ready key.
pub(super) fn private(db: &Connection, uuid: &str) -> Result<Option<Vec<u8>>> {
    Ok(db
        .prepare_cached("SELECT private FROM key WHERE uuid = ? AND state = ?")?
        .query_row(params![uuid, READY], |row| row.get(0))
        .optional()?)
}

pub(super) fn set_metadata(db: &Connection, entry: &Entry) -> Result<()> {
    let meta = match entry {
        Entry::Key(key) => &key.meta,
        Entry::Object(object) => return put_object(db, object),
    };
    let update = "UPDATE key SET label = ?, id = ?, pkcs11 = ? WHERE uuid = ?";
    db.execute(update, params![meta.label, meta.id, kept(meta), meta.uuid])?;
    Ok(())
}

pub(super) fn set_policy(db: &Connection, key: &Key, sealed: &[u8]) -> Result<()> {
    let attributes = KeyAttributes::from(&key.attributes).encode_to_vec();
    db.execute(
        "UPDATE key SET attributes = ?, past = ?, private = ? WHERE uuid = ?",
        params![attributes, key.past.bits(), sealed, key.uuid],
    )?;
    Ok(())
}

pub(super) fn put_object(db: &Connection, object: &Object) -> Result<()> {
    let meta = &object.meta;
    db.execute(
        "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            meta.uuid,
            meta.provider.number(),
            meta.owner.to_string(),
            i32::from(object.kind),
            meta.name,
            meta.label,
            meta.id,
            object.value,
            stored(meta.created),
            kept(meta),
        ],
    )?;
    Ok(())
}

pub(super) fn delete_object(db: &Connection, uuid: &str) -> Result<()> {
    db.execute("DELETE FROM object WHERE uuid = ?", [uuid])?;
    Ok(())
}

pub(super) fn grant(db: &Connection, key: &str, to: &Principal, usage: Usage) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO key_grant VALUES (?, ?, ?)", params![key, to.to_string(), usage.bits()])?;
    Ok(())
}

pub(super) fn revoke(db: &Connection, key: &str, from: &Principal) -> Result<()> {
    db.execute("DELETE FROM key_grant WHERE key = ? AND principal = ?", params![key, from.to_string()])?;
    Ok(())
}

pub(super) fn forget(db: &mut Connection, client: &Principal) -> Result<()> {
    let change = db.transaction()?;
    token::forget(&change, client)?;
    let client = client.to_string();
    change.execute("DELETE FROM object WHERE owner = ?", [&client])?;
    change.execute("DELETE FROM key_grant WHERE principal = ?", [&client])?;
    change.commit()?;
    Ok(())
}

/// Removes the objects of a client in one provider.
pub(super) fn delete_objects(db: &Connection, owner: &Principal, provider: ProviderId) -> Result<()> {
    db.execute("DELETE FROM object WHERE owner = ? AND provider = ?", params![owner.to_string(), provider.number()])?;
    Ok(())
}

/// A fresh UUID: 128 random bits in hexadecimal digits.
pub(super) fn uuid() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::from(interface::Status::PsaErrorInsufficientEntropy))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// The bytes of a UUID.
pub(super) fn uuid_bytes(uuid: &str) -> Vec<u8> {
    u128::from_str_radix(uuid, 16).map_or_else(|_| uuid.as_bytes().to_vec(), |number| number.to_be_bytes().to_vec())
}

/// Unix time in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn stored(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn kept(meta: &Meta) -> Vec<u8> {
    Kept { attributes: meta.pkcs11.clone() }.encode_to_vec()
}

fn meta(row: &Row<'_>) -> Result<Meta> {
    let kept: Vec<u8> = row.get("pkcs11")?;
    let kept = Kept::decode(kept.as_slice()).map_err(|_| Error::Corrupt("PKCS#11 attributes that cannot be decoded".into()))?;
    Ok(Meta {
        uuid: row.get("uuid")?,
        provider: row.get::<_, u32>("provider")?.try_into()?,
        owner: row.get::<_, String>("owner")?.parse()?,
        name: row.get("name")?,
        label: row.get("label")?,
        id: row.get("id")?,
        pkcs11: kept.attributes,
        created: u64::try_from(row.get::<_, i64>("created")?).unwrap_or(0),
    })
}

fn attributes(row: &Row<'_>) -> Result<Attributes> {
    let stored: Vec<u8> = row.get("attributes")?;
    let message =
        KeyAttributes::decode(stored.as_slice()).map_err(|_| Error::Corrupt("attributes that cannot be decoded".into()))?;
    Ok(Attributes::try_from(&message)?)
}

fn key(row: &Row<'_>, grants: &mut HashMap<String, BTreeMap<Principal, Usage>>) -> Result<Key> {
    let (meta, attributes) = (meta(row)?, attributes(row)?);
    Ok(Key {
        grants: grants.remove(&meta.uuid).unwrap_or_default(),
        public_key: row.get("public")?,
        tier: Tier::try_from(row.get::<_, i32>("tier")?)?,
        ..Key::new(meta, attributes, row.get("local")?, Usage::from_bits(row.get("past")?))
    })
}

fn object(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry::Object(Arc::new(Object {
        meta: meta(row)?,
        kind: RecordKind::try_from(row.get::<_, i32>("kind")?)?,
        value: row.get("value")?,
    })))
}
