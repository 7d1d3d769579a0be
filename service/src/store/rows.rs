//! Reads rows: whether each MAC is right, and what the row adds to the head.
//!
//! A start reads every row once. So this module computes MACs itself, from the values that SQLite has just read. SQLite computes
//! the same MAC when [`super::change`] writes.

use super::change::{Table, columns, encode, place};
use super::head::Found;
use super::seal::{Keys, MAC_LEN};
use crate::error::Result;
use interface::text::head;
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, Params, Row};

/// Longest text that is shown, in bytes: more than a row has that was written here.
const SHOWN: usize = 4096;

/// Reads every row of a table, and adds it to what was found.
pub(super) fn audit(
    db: &Connection,
    keys: &Keys,
    table: Table,
    found: &mut Found,
    mut each: impl FnMut(&Fields<'_>) -> Result<()>,
) -> Result<()> {
    read(db, keys, table, "TRUE", [], |row| {
        row.count(found)?;
        each(row)
    })
}

/// Reads the rows of a table that satisfy a condition.
pub(super) fn read(
    db: &Connection,
    keys: &Keys,
    table: Table,
    condition: &str,
    params: impl Params,
    mut each: impl FnMut(&Fields<'_>) -> Result<()>,
) -> Result<()> {
    let seal = Seal::new(db, keys, table)?;
    let mut query = db.prepare(&format!("SELECT {}, mac FROM {} WHERE {condition}", seal.columns.join(", "), table.name()))?;
    let mut rows = query.query(params)?;
    let mut text = Vec::new();
    while let Some(row) = rows.next()? {
        let mac = row.get_ref(seal.columns.len())?;
        let should = seal.mac(row, &mut text)?;
        each(&Fields { seal: &seal, row, mac, should })?;
    }
    Ok(())
}

/// A row of a table.
pub(super) struct Fields<'a> {
    seal: &'a Seal<'a>,
    row: &'a Row<'a>,
    mac: ValueRef<'a>,
    /// The MAC that it should have.
    should: [u8; MAC_LEN],
}

impl Fields<'_> {
    /// Whether it is as it was written.
    pub(super) fn sound(&self) -> bool {
        self.mac == ValueRef::Blob(&self.should)
    }

    pub(super) fn get<T: FromSql>(&self, column: &str) -> Result<T> {
        Ok(self.row.get(self.place(column)?)?)
    }

    /// Text that is not copied.
    pub(super) fn text(&self, column: &str) -> Result<&str> {
        Ok(self.row.get_ref(self.place(column)?)?.as_str().map_err(rusqlite::Error::from)?)
    }

    /// Text for people: what is there, although it may be no text, or more of it than anybody may write.
    pub(super) fn shown(&self, column: &str) -> Result<String> {
        Ok(match self.row.get_ref(self.place(column)?)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => head(&String::from_utf8_lossy(bytes), SHOWN).into_owned(),
            other => format!("{other:?}"),
        })
    }

    /// Bytes that are not copied.
    pub(super) fn blob(&self, column: &str) -> Result<&[u8]> {
        Ok(self.row.get_ref(self.place(column)?)?.as_blob().map_err(rusqlite::Error::from)?)
    }

    fn place(&self, column: &str) -> Result<usize> {
        let place = self.seal.columns.iter().position(|known| known == column);
        Ok(place.ok_or_else(|| rusqlite::Error::InvalidColumnName(column.to_owned()))?)
    }

    fn count(&self, found: &mut Found) -> Result<()> {
        let part = self.seal.part(self.row, self.mac)?;
        if self.sound() {
            found.sound.add(&part);
        } else {
            let should = self.seal.part(self.row, ValueRef::Blob(&self.should))?;
            found.damaged.push([part, should].map(Vec::from));
        }
        Ok(())
    }
}

/// The inputs of the MACs of a table's rows.
struct Seal<'a> {
    keys: &'a Keys,
    /// The columns that a MAC covers. Generated columns are not among them.
    columns: Vec<String>,
    /// Where in them a row's place is, and its parts.
    place: Vec<usize>,
    /// The table's name as in a MAC.
    table: Vec<u8>,
    /// The columns' names as in a MAC.
    names: Vec<Vec<u8>>,
}

impl<'a> Seal<'a> {
    fn new(db: &Connection, keys: &'a Keys, table: Table) -> Result<Self> {
        let columns = columns(db, table)?;
        let place = place(db, table)?;
        let place = place.iter().filter_map(|name| columns.iter().position(|column| column == name)).collect();
        let encoded = |text: &str| {
            let mut all = Vec::new();
            encode(ValueRef::Text(text.as_bytes()), &mut all);
            all
        };
        let names = columns.iter().map(|column| encoded(column)).collect();
        Ok(Self { keys, columns, place, table: encoded(table.name()), names })
    }

    /// The MAC that a row should have.
    fn mac(&self, row: &Row<'_>, text: &mut Vec<u8>) -> Result<[u8; MAC_LEN]> {
        text.clone_from(&self.table);
        for (place, name) in self.names.iter().enumerate() {
            text.extend_from_slice(name);
            encode(row.get_ref(place)?, text);
        }
        Ok(self.keys.rows.sign(text))
    }

    /// The part of the head's digest for a row with this MAC.
    fn part(&self, row: &Row<'_>, has: ValueRef<'_>) -> Result<[u8; MAC_LEN]> {
        let mut text = self.table.clone();
        for place in &self.place {
            encode(row.get_ref(*place)?, &mut text);
        }
        encode(has, &mut text);
        Ok(self.keys.parts.sign(&text))
    }
}
