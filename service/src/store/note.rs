//! A note outside the store's file. It records that the rows are signed, which change was the last, and how many rows there were.
//! It reveals a file that is gone or an older copy, and a write-ahead log that was damaged, cut or removed.
//!
//! The service writes the note after each durable change, and flushes it with the first row only. So after a power loss it may be
//! behind the store, which does no harm. It is ahead only of a store that has lost something.

use super::disk::{beside, private, sync_folder};
use super::head::Head;
use super::seal::StoreKey;
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How somebody goes on with a store that has lost something.
pub(super) const ACCEPTING: &str = "parsec serve --accept-loss, once";
/// The first lines of the file.
const TEXT: &str = "\
The rows of the key store are signed. While this file is here, the service refuses a store of an older version.
The last changes of the store (number, rows, check), and where it is:
";
/// Hexadecimal digits of a check.
const CHECK: usize = 16;
/// Length of a line: two numbers of 20 digits, and the check.
const LINE: usize = 20 + 1 + 20 + 1 + CHECK + 1;

/// The file: beside the store key, or beside a database whose key systemd keeps.
#[derive(Debug)]
pub(super) struct Note {
    path: PathBuf,
    database: PathBuf,
    /// Open once it was written.
    file: Option<File>,
}

/// The contents of the note.
#[derive(Debug, PartialEq, Eq)]
struct Last {
    generation: u64,
    rows: u64,
}

impl Note {
    pub(super) fn beside(secret: &StoreKey, database: &Path) -> Self {
        let path = beside(secret.file().unwrap_or(database), ".rows-signed");
        Self { path, database: std::path::absolute(database).unwrap_or_else(|_| database.to_owned()), file: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Refuses to begin an empty store where there was one with rows.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub(super) fn check_empty(&self) -> Result<()> {
        match self.read() {
            Some((Last { rows, generation }, place)) if rows > 0 => Err(Error::Corrupt(format!(
                "{} is empty, and there was a store with {rows} rows (last change {generation}) in {}, as {} remembers: it was lost, or lies elsewhere. Put it in its place or restore a backup; to begin with an empty one: {ACCEPTING}. Nothing was changed",
                self.database.display(),
                place.display(),
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a store that is not the newest.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub(super) fn check(&self, head: &Head) -> Result<()> {
        match self.read() {
            Some((last, place)) if place == self.database && last.generation > head.generation => Err(Error::Corrupt(format!(
                "{0} is an older copy, or its write-ahead log {0}-wal was damaged, cut or removed: its last change was number {1} with {2} rows then, as {3} remembers, and here the last is {4} with {5} rows: {6} changes are lost. Restore the newest backup, or go on with what is here: {ACCEPTING}. Nothing was changed",
                self.database.display(),
                last.generation,
                last.rows,
                self.path.display(),
                head.generation,
                head.rows,
                last.generation - head.generation
            ))),
            None if self.exists() => {
                tracing::warn!(
                    "key store: {} cannot be read: whether {} is the newest cannot be told this time",
                    self.path.display(),
                    self.database.display()
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Rewrites the note. An existing note needs no new room on the disk.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn open(&mut self, head: &Head) -> std::io::Result<()> {
        if self.read().is_none_or(|(_, place)| place != self.database) {
            return self.make(head);
        }
        let file = private(&self.path, false)?;
        file.write_all_at(line(head).repeat(2).as_bytes(), TEXT.len() as u64)?;
        file.sync_data()?;
        self.file = Some(file);
        Ok(())
    }

    fn make(&mut self, head: &Head) -> std::io::Result<()> {
        let fresh = beside(&self.path, ".new");
        let mut new = private(&fresh, true)?;
        writeln!(new, "{TEXT}{0}{0}{1}", line(head), self.database.display())?;
        new.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        sync_folder(&self.path)?;
        self.file = Some(new);
        Ok(())
    }

    /// Remembers a change that is durable. Two lines take turns, so that one of them is whole whatever happens.
    ///
    /// # Errors
    /// The kernel's; the note is behind then.
    pub(super) fn record(&self, head: &Head, first: bool) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let turn = if head.generation.is_multiple_of(2) { 0 } else { LINE as u64 };
        file.write_all_at(line(head).as_bytes(), TEXT.len() as u64 + turn)?;
        if first { file.sync_data() } else { Ok(()) }
    }

    /// The last change, and the path of its store; `None` if the note is missing or unreadable.
    fn read(&self) -> Option<(Last, PathBuf)> {
        let text = fs::read_to_string(&self.path).ok()?;
        let lines = text.strip_prefix(TEXT)?;
        let (lines, place) = lines.split_at_checked(2 * LINE)?;
        let last = lines.lines().filter_map(parse).max_by_key(|last| last.generation)?;
        Some((last, place.trim_end_matches('\n').into()))
    }
}

fn line(head: &Head) -> String {
    let numbers = format!("{:020} {:020}", head.generation, head.rows);
    format!("{numbers} {}\n", check(&numbers))
}

fn parse(line: &str) -> Option<Last> {
    let (numbers, told) = line.rsplit_once(' ')?;
    let (generation, rows) = numbers.split_once(' ')?;
    (told == check(numbers)).then_some(Last { generation: generation.parse().ok()?, rows: rows.parse().ok()? })
}

fn check(numbers: &str) -> String {
    let hash = lc::sha256(numbers.as_bytes());
    let mut digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(CHECK);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_torn_leaves_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("keys");
        let mut note = Note::beside(&StoreKey::File(folder.path().join("key")), &database);
        let head = |generation| Head { generation, rows: 3, ..Head::default() };
        note.open(&head(198)).unwrap();
        note.record(&head(199), false).unwrap();
        assert_eq!(note.read(), Some((Last { generation: 199, rows: 3 }, database.clone())));
        let file = note.file.as_ref().unwrap();
        file.write_all_at(&line(&head(200)).as_bytes()[..18], TEXT.len() as u64).unwrap();
        file.write_all_at(b"9", TEXT.len() as u64 + 3).unwrap();
        assert_eq!(note.read().unwrap().0.generation, 199);
        note.check(&head(199)).unwrap();
        assert!(note.check(&head(198)).unwrap_err().to_string().contains("1 changes are lost"));
    }
}
