//! The database file: opened for one process, checked against the store key, and brought up to date.
//!
//! Since version 5 all rows are signed. The upgrade signs the rows of older versions, once. Two places remember that it happened:
//! the proof of the store key, and a note beside that key. Otherwise somebody could lower the version, change rows, and have the
//! service sign them.
//!
//! At the start the service moves the write-ahead log of a crash into the file, durably, before it answers anything. The last flush
//! of that log may have failed, so nobody knows what the disk has of it.

use super::change::{self, Database, Table};
use super::disk::{beside, private, sync_folder};
use super::head::Head;
use super::index::Index;
use super::note::{ACCEPTING, Note};
use super::room::{LOG, Room};
use super::seal::{Keys, StoreKey};
use super::table;
use crate::error::{Error, Result};
use crate::log::Kind;
use crate::privileges;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of the tables.
const VERSION: i64 = 5;
/// The first version whose rows are signed.
const SIGNED: i64 = 5;
/// Tells our databases from others: "PRSC".
const APPLICATION: i64 = 0x5052_5343;
/// How long to wait for another process to let go of the store, as at a restart.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });
/// Statements that are kept ready.
const STATEMENTS: usize = 64;

/// Refuses to make a new file where there was one: SQLite would also remove its log.
pub(super) fn look(path: &Path, secret: &StoreKey, accept_loss: bool) -> Result<()> {
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    if !accept_loss {
        Note::beside(secret, path).check_empty()?;
    }
    let log = log(path);
    let witness = if fs::metadata(&log).is_ok_and(|file| file.len() > 0) {
        Some(format!("its write-ahead log {} is there", log.display()))
    } else {
        let key = secret.file().filter(|key| key.exists());
        key.map(|key| format!("the store key {} is there", key.display()))
    };
    let Some(witness) = witness else { return Ok(()) };
    let told = format!("{} is missing or empty, and {witness}: the store was lost, or lies elsewhere", path.display());
    if accept_loss {
        tracing::error!("key store: {told}; beginning with an empty one, as it was asked for");
        return Ok(());
    }
    Err(Error::Corrupt(format!(
        "{told}. Put it in its place or restore a backup; to begin with an empty one: {ACCEPTING}. Nothing was changed"
    )))
}

/// Opens the file for this process alone. Its log stays as it is, until all was checked.
pub(super) fn connect(path: &Path) -> Result<(Connection, Room)> {
    let shown = path.display();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        privileges::make_private(folder).map_err(Error::io(format!("making {}", folder.display())))?;
    }
    let file = private(path, false).map_err(Error::io(format!("opening the key store {shown}")))?;
    let connect = || -> Result<_> {
        let db = Connection::open(path)?;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        // Somebody else's trigger could change what is written, before it is signed.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // Only a commit writes, so that there is one place where it can fail.
        db.execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA journal_size_limit = {LOG};
             PRAGMA cache_spill = OFF;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY;"
        ))?;
        let flaw: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((db, flaw))
    };
    match connect() {
        Ok((db, flaw)) if flaw == "ok" => {
            // SQLite passes over a folder that cannot be flushed, and then a loss of power takes the log of the first changes.
            sync_folder(&log(path)).map_err(Error::io(format!("flushing the folder of {shown}")))?;
            Ok((db, Room::new(file, path.to_owned(), log(path), real(path, "-room"))))
        }
        Ok((_, flaw)) => {
            Err(Error::Corrupt(format!("{shown} is damaged ({flaw}); it is left as it is, restore it from a backup")))
        }
        Err(error) => Err(explain(path, error)),
    }
}

/// Names the file, and what mends it.
pub(super) fn explain(path: &Path, error: Error) -> Error {
    let Error::Store(error) = error else { return error };
    let shown = path.display();
    let failed = |mend: &str| Error::Corrupt(format!("{shown} or its write-ahead log {shown}-wal: {error}: {mend}"));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Corrupt(format!(
            "{shown} is in use by another process: stop the other parsec, or give this one a store of its own"
        )),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::Corrupt(format!("{shown} is no intact SQLite file ({error}); it is left as it is, restore it from a backup"))
        }
        Some(ErrorCode::DiskFull) => failed("the disk is full, make room there"),
        Some(ErrorCode::SystemIoFailure) => {
            failed("the disk or its file system failed, see dmesg; when it is sound again start the service, or restore a backup")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            failed("the service's user must be able to read and write both, and their folder")
        }
        _ => failed("its tables are not those that were written; it is left as it is, restore it from a backup"),
    }
}

/// Makes the tables in a new file, all or none, checks those of an old one against the store key and the head, and reads all rows.
pub(super) fn prepare(
    (db, mut room): (Connection, Room),
    path: &Path,
    secret: &StoreKey,
    accept_loss: bool,
) -> Result<(Database, Keys, Index)> {
    let shown = path.display();
    let number = |statement: &str| db.query_row(statement, [], |row| row.get::<_, i64>(0));
    let process = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let fresh = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if !fresh && process != APPLICATION {
        return Err(Error::Corrupt(format!(
            "{shown} is a database of another program (perhaps of another Parsec service): name another file for the store"
        )));
    }
    if !fresh && !(1..=VERSION).contains(&version) {
        return Err(Error::Corrupt(format!(
            "{shown} has tables of version {version}, this service knows version {VERSION}: run the version that wrote it"
        )));
    }
    let mut note = Note::beside(secret, path);
    if fresh && !accept_loss {
        note.check_empty()?;
    }
    let empty = fresh || number("SELECT EXISTS (SELECT 1 FROM key)")? == 0;
    let keys = secret.keys(empty)?;
    change::install(&db, &keys)?;
    let (mut db, index) = if fresh {
        (create(db, &keys)?, Index::default())
    } else {
        let proof: Vec<u8> = db.query_row("SELECT proof FROM seal", [], |row| row.get(0))?;
        let lowered = version < SIGNED && (note.exists() || keys.proves(&proof));
        if lowered && !accept_loss {
            return Err(Error::Corrupt(format!(
                "{shown} has tables of version {version}, whose rows are not signed, and there was one whose rows were: somebody put an older copy in its place or lowered the version; restore the newer one, or trust this one: {ACCEPTING} ({} remembers it)",
                note.path().display()
            )));
        }
        if lowered {
            tracing::error!("key store: {shown}: going on with its older version {version}, as it was asked for");
        }
        let proved = keys.proves(&proof) || version < SIGNED && keys.proves_unsigned(&proof);
        if !proved && !empty {
            return Err(Error::Corrupt(format!(
                "the store key is not the one that {shown} was sealed with: restore that one; nothing was changed"
            )));
        }
        // Where only the number was lowered, the rows are signed, and show what they are.
        let signed = number("SELECT EXISTS (SELECT 1 FROM pragma_table_info('seal') WHERE name = 'head')")? == 1;
        let (db, index) = if version < VERSION && !signed {
            let db = upgrade(db, path, version, &keys)?;
            let (_, index) = table::load(&db, &keys, db.head().rows)?;
            (db, index)
        } else {
            let (db, index) = current(db, path, &keys, accept_loss || !proved)?;
            match note.check(db.head()) {
                Err(error) if accept_loss => tracing::error!("{error}; going on, as it was asked for"),
                checked => checked?,
            }
            (db, index)
        };
        if !proved {
            db.execute("UPDATE seal SET proof = ?", [keys.proof()?])?;
        }
        if version < VERSION && signed {
            db.pragma_update(None, "user_version", VERSION)?;
        }
        (db, index)
    };
    // Before the note is ahead of what the disk has.
    db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    room.take_log();
    note.open(db.head()).map_err(Error::io(format!("making {}", note.path().display())))?;
    db.keep(room, note);
    Ok((db, keys, index))
}

fn create(db: Connection, keys: &Keys) -> Result<Database> {
    let mut db = Database::new(db, Head::default(), HashMap::new());
    let mut change = db.change(keys)?;
    for tables in table::SCHEMA {
        change.execute_batch(tables)?;
    }
    change.execute("INSERT INTO seal VALUES (1, ?, x'')", [keys.proof()?])?;
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", VERSION)?;
    change.sign_all()?;
    change.commit()?;
    Ok(db)
}

/// Brings tables of an older version up to date, all or none, and signs their rows, but for keys that are not what was sealed with
/// their private parts. A copy of the file as it was stays beside it.
fn upgrade(db: Connection, path: &Path, version: i64, keys: &Keys) -> Result<Database> {
    let copy = beside(path, &format!(".v{version}"));
    let copied = copy_into(&db, &copy);
    copied.map_err(|error| {
        let (shown, copy) = (path.display(), copy.display());
        Error::Corrupt(format!(
            "{shown} must be brought up to date, and copying it to {copy} first failed: {error}; make room there"
        ))
    })?;
    let mut db = Database::new(db, Head::default(), HashMap::new());
    let mut change = db.change(keys)?;
    for (from, upgrade) in (1..).zip(table::UPGRADES) {
        if from >= version {
            change.execute_batch(upgrade)?;
        }
    }
    change.sign_all()?;
    for uuid in table::misfits(&change, keys)? {
        change.disown(Table::Key, &[("uuid", &uuid)])?;
    }
    table::tell_standing(&change)?;
    change.execute("UPDATE seal SET proof = ?", [keys.proof()?])?;
    change.pragma_update(None, "user_version", VERSION)?;
    change.commit()?;
    tracing::info!(
        "key store: {} was brought from version {version} to {VERSION}; as it was, it is in {}: remove that copy when you need it no more",
        path.display(),
        copy.display()
    );
    Ok(db)
}

/// Reads the rows of an up-to-date file, and checks them against its head.
fn current(db: Connection, path: &Path, keys: &Keys, accept_loss: bool) -> Result<(Database, Index)> {
    let shown = path.display();
    let sealed: Vec<u8> = db.query_row("SELECT head FROM seal", [], |row| row.get(0))?;
    let head = Head::open(keys, &sealed);
    let (found, index) = table::load(&db, keys, head.as_ref().map_or(0, |head| head.rows))?;
    let checked = head.as_ref().ok_or_else(|| "the head is not what was written".to_owned()).and_then(|head| found.check(head));
    let head = head.unwrap_or_default();
    let error = match checked {
        Ok(damaged) => return Ok((Database::new(db, head, damaged), index)),
        Err(error) => error,
    };
    if !accept_loss {
        return Err(Error::Corrupt(format!(
            "{shown}: {error}. Restore the newest backup, or go on with the rows that are sound: {ACCEPTING}. Nothing was changed"
        )));
    }
    tracing::error!(
        event = Kind::Damage.name(),
        "key store: {shown}: {error}; going on with the {} rows that are sound, as it was asked for",
        found.sound.rows
    );
    let mut db = Database::new(db, head.clone(), HashMap::new());
    let mut change = db.change(keys)?;
    change.head = Head { generation: head.generation, counter: head.counter, count: head.count, ..found.sound };
    change.commit()?;
    Ok((db, index))
}

/// Copies the database, so that after a crash the copy is there whole or not at all.
fn copy_into(db: &Connection, copy: &Path) -> Result<()> {
    let partial = beside(copy, ".partial");
    let failed = |what: &str, path: &Path| Error::io(format!("{what} {}", path.display()));
    let file = private(&partial, true).map_err(failed("making", &partial))?;
    db.execute("VACUUM INTO ?", [partial.to_string_lossy()])?;
    file.sync_all().map_err(failed("writing", &partial))?;
    fs::rename(&partial, copy).map_err(failed("making", copy))?;
    sync_folder(copy).map_err(failed("making", copy))
}

/// Where SQLite has the log: beside what a symbolic link leads to.
fn log(path: &Path) -> PathBuf {
    real(path, "-wal")
}

/// What has this after its name, beside what a symbolic link leads to.
fn real(path: &Path, ending: &str) -> PathBuf {
    beside(&path.canonicalize().unwrap_or_else(|_| path.to_owned()), ending)
}
