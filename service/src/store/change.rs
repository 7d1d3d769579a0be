//! The only way to write to the database. It gives every row its MAC and every transaction its head.
//!
//! A MAC covers the table's name, and the name and value of every column, as the file has them. SQLite itself computes it with the
//! function `row_mac`, so there is no second list of columns. The function `row_part` computes what a row adds to the head. The
//! head also has a digest of the tables' definitions. Statements touch only rows with a valid MAC, so changing a row that somebody
//! else wrote does not sign it.

use super::head::Head;
use super::note::Note;
use super::room::Room;
use super::seal::Keys;
use crate::error::Result;
use rusqlite::ffi;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ToSql, Transaction, TransactionBehavior, params_from_iter};
use std::collections::HashMap;
use std::ops::Deref;

/// The tables whose rows are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Key,
    Grant,
    Object,
    Token,
    Pin,
    Decision,
    Acceptance,
}

impl Table {
    pub(super) const ALL: [Self; 7] =
        [Self::Key, Self::Grant, Self::Object, Self::Token, Self::Pin, Self::Decision, Self::Acceptance];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Grant => "key_grant",
            Self::Object => "object",
            Self::Token => "token",
            Self::Pin => "pin",
            Self::Decision => "decision",
            Self::Acceptance => "acceptance",
        }
    }
}

/// Some columns and their values.
pub(super) type Values<'a> = &'a [(&'static str, &'a dyn ToSql)];

/// The database, and the head of what is committed.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    head: Head,
    /// For each damaged row, by its part with the MAC that it has: the part that the head counts.
    damaged: HashMap<Vec<u8>, Vec<u8>>,
    /// Files beside the database, once it is open. Dropped after the connection.
    kept: Option<(Room, Note)>,
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Database {
    pub(super) fn new(connection: Connection, head: Head, damaged: HashMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { connection, head, damaged, kept: None }
    }

    /// The head of all rows.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Makes each change take its room on the disk first, and be noted.
    pub(super) fn keep(&mut self, room: Room, note: Note) {
        self.kept = Some((room, note));
    }

    /// Begins a transaction. Dropped without a commit, it changes nothing.
    pub(super) fn change<'a>(&'a mut self, keys: &'a Keys) -> Result<Change<'a>> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (head, committed) = (self.head.clone(), &mut self.head);
        Ok(Change { transaction, keys, head, committed, damaged: &self.damaged, kept: self.kept.as_ref(), adds: true })
    }

    /// Begins a transaction that ends something, or adds nothing: it may use the room that others leave.
    pub(super) fn ending<'a>(&'a mut self, keys: &'a Keys) -> Result<Change<'a>> {
        Ok(Change { adds: false, ..self.change(keys)? })
    }
}

/// A transaction.
pub(super) struct Change<'a> {
    transaction: Transaction<'a>,
    keys: &'a Keys,
    /// The head after the commit.
    pub(super) head: Head,
    committed: &'a mut Head,
    damaged: &'a HashMap<Vec<u8>, Vec<u8>>,
    kept: Option<&'a (Room, Note)>,
    /// It leaves the room that ending something needs.
    pub(super) adds: bool,
}

impl Deref for Change<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

impl Change<'_> {
    /// Adds a row, all of whose columns are given.
    pub(super) fn insert(&mut self, table: Table, row: Values<'_>) -> Result<()> {
        let columns: Vec<_> = row.iter().map(|(column, _)| *column).collect();
        let places: Vec<_> = (1..=row.len()).map(|place| format!("?{place}")).collect();
        let signed = sign(&self.transaction, table, |column| {
            columns.iter().position(|given| *given == column).map_or_else(|| column.to_owned(), |place| places[place].clone())
        })?;
        let statement = format!(
            "INSERT INTO {} ({}, mac) VALUES ({}, {signed}) RETURNING {}",
            table.name(),
            columns.join(", "),
            places.join(", "),
            part(&self.transaction, table, "mac")?
        );
        let added: Vec<u8> = self
            .transaction
            .prepare_cached(&statement)?
            .query_row(params_from_iter(row.iter().map(|(_, value)| value)), |row| row.get(0))?;
        self.head.add(&added);
        Ok(())
    }

    /// Changes the sound rows that have these values, and says how many there were.
    pub(super) fn update(&mut self, table: Table, set: Values<'_>, having: Values<'_>) -> Result<usize> {
        let sound = sound(&self.transaction, table)?;
        let part = part(&self.transaction, table, "mac")?;
        let old = format!("SELECT {part} FROM {} WHERE {} AND {sound}", table.name(), matching(having, 1));
        let removed = self.parts(&old, having.iter())?;
        let place = |column: &str| set.iter().position(|(given, _)| *given == column).map(|place| format!("?{}", place + 1));
        let signed = sign(&self.transaction, table, |column| place(column).unwrap_or_else(|| column.to_owned()))?;
        let assigned: Vec<_> = (1..).zip(set).map(|(place, (column, _))| format!("{column} = ?{place}")).collect();
        let new = format!(
            "UPDATE {} SET {}, mac = {signed} WHERE {} AND {sound} RETURNING {part}",
            table.name(),
            assigned.join(", "),
            matching(having, set.len() + 1)
        );
        let added = self.parts(&new, set.iter().chain(having))?;
        removed.iter().for_each(|part| self.head.remove(part));
        added.iter().for_each(|part| self.head.add(part));
        Ok(added.len())
    }

    /// Removes the sound rows that have these values, and says how many there were.
    pub(super) fn delete(&mut self, table: Table, having: Values<'_>) -> Result<usize> {
        let sound = sound(&self.transaction, table)?;
        let part = part(&self.transaction, table, "mac")?;
        let statement = format!("DELETE FROM {} WHERE {} AND {sound} RETURNING {part}", table.name(), matching(having, 1));
        let removed = self.parts(&statement, having.iter())?;
        removed.iter().for_each(|part| self.head.remove(part));
        Ok(removed.len())
    }

    /// Removes the rows that have these values, also those that are damaged.
    pub(super) fn discard(&mut self, table: Table, having: Values<'_>) -> Result<()> {
        self.delete(table, having)?;
        let part = part(&self.transaction, table, "mac")?;
        let statement = format!("DELETE FROM {} WHERE {} RETURNING {part}", table.name(), matching(having, 1));
        for part in self.parts(&statement, having.iter())? {
            if let Some(counted) = self.damaged.get(&part) {
                self.head.remove(counted);
            }
        }
        Ok(())
    }

    /// Takes the MACs from the rows that have these values: they are kept, and not in use.
    pub(super) fn disown(&mut self, table: Table, having: Values<'_>) -> Result<()> {
        let (part, these) = (part(&self.transaction, table, "mac")?, matching(having, 1));
        let removed = self.parts(&format!("SELECT {part} FROM {} WHERE {these}", table.name()), having.iter())?;
        self.parts(&format!("UPDATE {} SET mac = x'' WHERE {these} RETURNING {part}", table.name()), having.iter())?;
        removed.iter().for_each(|part| self.head.remove(part));
        Ok(())
    }

    /// Signs the tables' definitions and every row as they are, for a file that is new or of a version that had no MACs.
    pub(super) fn sign_all(&mut self) -> Result<()> {
        self.head = Head { generation: self.head.generation, schema: schema(&self.transaction)?, ..Head::default() };
        for table in Table::ALL {
            let (signed, part) = (sign(&self.transaction, table, str::to_owned)?, part(&self.transaction, table, "mac")?);
            let added = self.parts(&format!("UPDATE {} SET mac = {signed} RETURNING {part}", table.name()), [].iter())?;
            added.iter().for_each(|part| self.head.add(part));
        }
        Ok(())
    }

    /// Makes it durable. If that may have failed, the process ends. The client then learns that the change may have happened, and the next
    /// start reads what the disk has.
    pub(super) fn commit(mut self) -> Result<()> {
        self.head.generation += 1;
        self.transaction.prepare_cached("UPDATE seal SET head = ?")?.execute([self.head.seal(self.keys)?])?;
        if let Some((room, _)) = self.kept {
            room.hold(&self.transaction, self.adds)?;
        }
        self.transaction.commit().map_err(certain)?;
        if let Some((_, note)) = self.kept {
            let first = self.committed.rows == 0 && self.head.rows > 0;
            if let Err(error) = note.record(&self.head, first) {
                tracing::warn!(
                    "key store: a loss of the last changes could not be told: writing {}: {error}",
                    note.path().display()
                );
            }
        }
        *self.committed = self.head;
        Ok(())
    }

    /// The results of a statement, one for each row.
    fn parts<'v>(
        &self,
        statement: &str,
        values: impl Iterator<Item = &'v (&'static str, &'v dyn ToSql)>,
    ) -> Result<Vec<Vec<u8>>> {
        let mut statement = self.transaction.prepare_cached(statement)?;
        let parts = statement.query_map(params_from_iter(values.map(|(_, value)| value)), |row| row.get(0))?;
        Ok(parts.collect::<rusqlite::Result<_>>()?)
    }
}

/// Ends the process after a flush that failed: the kernel may have forgotten what it could not write, and says so once only.
fn certain(error: rusqlite::Error) -> rusqlite::Error {
    let code = error.sqlite_error().map(|error| error.extended_code);
    if let Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) = code {
        tracing::error!(
            "key store: the disk failed to keep a change ({error}), see dmesg: the service ends, answers nothing more, and looks at its next start what was kept"
        );
        panic!("the disk failed to keep a change of the key store");
    }
    error
}

/// A digest of the definitions of all tables, indexes and whatever else there is.
pub(super) fn schema(db: &Connection) -> Result<Vec<u8>> {
    let mut query = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let mut rows = query.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        (0..4).try_for_each(|column| row.get_ref(column).map(|value| encode(value, &mut all)))?;
    }
    Ok(lc::sha256(&all).to_vec())
}

/// Lets the database compute the MACs of rows.
pub(super) fn install(db: &Connection, keys: &Keys) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    for (name, key) in [("row_mac", keys.rows.clone()), ("row_part", keys.parts.clone())] {
        db.create_scalar_function(name, -1, flags, move |row| Ok(key.sign(&encoded(row))))?;
    }
    Ok(())
}

/// The values, each with its type and length.
fn encoded(row: &Context<'_>) -> Vec<u8> {
    let mut all = Vec::new();
    (0..row.len()).for_each(|place| encode(row.get_raw(place), &mut all));
    all
}

pub(super) fn encode(value: ValueRef<'_>, all: &mut Vec<u8>) {
    let number;
    let (kind, bytes) = match value {
        ValueRef::Null => (0, &[][..]),
        ValueRef::Integer(value) => {
            number = value.to_be_bytes();
            (1, &number[..])
        }
        ValueRef::Real(value) => {
            number = value.to_be_bytes();
            (2, &number[..])
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(blob) => (4, blob),
    };
    all.push(kind);
    all.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    all.extend_from_slice(bytes);
}

/// The expression for the MAC of a row, with these expressions in the places of its columns.
fn sign(db: &Connection, table: Table, value: impl Fn(&str) -> String) -> Result<String> {
    let values: Vec<_> = columns(db, table)?.iter().map(|column| format!("'{column}', {}", value(column))).collect();
    Ok(format!("row_mac('{}', {})", table.name(), values.join(", ")))
}

/// The columns that a MAC covers, in their order.
pub(super) fn columns(db: &Connection, table: Table) -> Result<Vec<String>> {
    let mut query = db.prepare_cached("SELECT name FROM pragma_table_info(?) WHERE name <> 'mac' ORDER BY cid")?;
    let columns = query.query_map([table.name()], |row| row.get(0))?;
    Ok(columns.collect::<rusqlite::Result<_>>()?)
}

/// The columns that are the place of a row, in their order.
pub(super) fn place(db: &Connection, table: Table) -> Result<Vec<String>> {
    let mut query = db.prepare_cached("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk")?;
    let place = query.query_map([table.name()], |row| row.get(0))?;
    Ok(place.collect::<rusqlite::Result<_>>()?)
}

/// The expression for what a row with this MAC adds to the head.
fn part(db: &Connection, table: Table, mac: &str) -> Result<String> {
    Ok(format!("row_part('{}', {}, {mac})", table.name(), place(db, table)?.join(", ")))
}

/// The condition that a row is as it was written.
fn sound(db: &Connection, table: Table) -> Result<String> {
    Ok(format!("mac = {}", sign(db, table, str::to_owned)?))
}

/// The condition that columns have values. The values are parameters, numbered from `first`.
fn matching(having: Values<'_>, first: usize) -> String {
    let each: Vec<_> = (first..).zip(having).map(|(place, (column, _))| format!("{column} = ?{place}")).collect();
    each.join(" AND ")
}
