//! Rows of any content, for the fuzzer.

use super::change::{Change, Database, Table, columns, install};
use super::head::Head;
use super::seal::Keys;
use super::table::{SCHEMA, load, misfits, pending};
use crate::error::Result;
use interface::ProviderId;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use std::cell::RefCell;
use std::collections::HashMap;

/// Reads a store that has these rows. Every row has a right MAC, as if a service with a flaw, or a thief of the store key, had written it.
///
/// A row is the number of its table, then the value of each column: its type, its length in two little-endian bytes, its bytes.
pub fn rows(data: &[u8]) {
    thread_local! {
        static STORE: RefCell<Option<(Database, Keys)>> = RefCell::new(empty().ok());
    }
    STORE.with_borrow_mut(|store| {
        let Some((db, keys)) = store else { return };
        drop(read(db, keys, data));
    });
}

/// A store in memory.
fn empty() -> Result<(Database, Keys)> {
    let (db, keys) = (Connection::open_in_memory()?, Keys::new(&[7; 32])?);
    install(&db, &keys)?;
    SCHEMA.into_iter().try_for_each(|tables| db.execute_batch(tables))?;
    Ok((Database::new(db, Head::default(), HashMap::new()), keys))
}

/// Puts the rows there, reads all, and takes the rows away.
fn read(db: &mut Database, keys: &Keys, mut data: &[u8]) -> Result<()> {
    let mut change = db.change(keys)?;
    while let Some((table, rest)) = data.split_first() {
        data = rest;
        insert(&change, Table::ALL[usize::from(*table) % Table::ALL.len()], &mut data)?;
    }
    change.sign_all()?;
    let (found, index) = load(&change, keys, 1)?;
    drop(found.check(&change.head));
    drop((misfits(&change, keys)?, pending(&change, keys, ProviderId::SOFTWARE, &index.unfinished)?));
    Ok(())
}

fn insert(change: &Change<'_>, table: Table, data: &mut &[u8]) -> Result<()> {
    let columns = columns(change, table)?;
    let values = columns.iter().map(|_| value(data));
    let places = "?, ".repeat(columns.len());
    let insert = format!("INSERT INTO {} ({}, mac) VALUES ({places}x'')", table.name(), columns.join(", "));
    change.prepare_cached(&insert)?.execute(params_from_iter(values))?;
    Ok(())
}

fn value<'a>(data: &mut &'a [u8]) -> Any<'a> {
    let Some(([kind, len @ ..], rest)) = data.split_first_chunk::<3>() else { return Any(ValueRef::Null) };
    let (bytes, rest) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
    *data = rest;
    Any(match kind {
        0 => ValueRef::Null,
        1 => ValueRef::Integer(bytes.iter().rev().fold(0, |number, byte| number << 8 | i64::from(*byte))),
        2 => ValueRef::Text(bytes),
        _ => ValueRef::Blob(bytes),
    })
}

/// A value of SQLite's, also text that is no UTF-8.
struct Any<'a>(ValueRef<'a>);

impl ToSql for Any<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}
