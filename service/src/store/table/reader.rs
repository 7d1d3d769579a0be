//! Reads a table, and reports rows that are not in use.

use crate::error::{Error, Result};
use crate::log::Kind;
use crate::store::change::Table;
use crate::store::head::Found;
use crate::store::rows::{Fields, audit};
use crate::store::seal::Keys;
use rusqlite::Connection;

/// All rows, as they are read.
pub(super) struct Reader<'a> {
    pub(super) db: &'a Connection,
    pub(super) keys: &'a Keys,
    pub(super) found: Found,
    /// The rows that are not in use, for people.
    pub(super) damaged: Vec<String>,
}

impl Reader<'_> {
    /// Reads a table. `each` takes what is sound, and returns what is not in use, and what else is wrong with it.
    pub(super) fn table(
        &mut self,
        table: Table,
        mut each: impl FnMut(&Fields<'_>) -> Result<Option<(String, Option<Error>)>>,
    ) -> Result<()> {
        audit(self.db, self.keys, table, &mut self.found, |row| {
            if let Some((what, why)) = each(row)? {
                self.damaged.push(report(&what, row.sound(), why));
            }
            Ok(())
        })
    }
}

/// Tells of a row that is not in use.
pub(super) fn report(what: &str, sound: bool, why: Option<Error>) -> String {
    let why = match why {
        Some(why) if sound => why.to_string(),
        _ => "this service did not write it so".to_owned(),
    };
    let told = format!("{what} is damaged, not in use, and kept as it is: {why}; restore the store from a backup");
    tracing::error!(event = Kind::Damage.name(), "key store: {told}");
    told
}
