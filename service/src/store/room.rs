//! Keeps room on the disk, so that destroying a key, revoking a grant and counting a wrong PIN never fail for lack of it.
//!
//! - The write-ahead log has all its blocks from the start. After each checkpoint SQLite overwrites it from the beginning, and a
//!   checkpoint comes long before it is full. An orderly stop removes the log; another file then holds the room until the next
//!   start.
//! - A checkpoint needs no new blocks: before each commit, the file has blocks for all its pages.
//! - The file has spare pages. A change that only adds something does not use them. It is refused when nothing else is free.

use crate::error::{Error, Result};
use interface::Status;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;
/// Bytes of the log that are always there: twice what SQLite fills before a checkpoint.
pub(super) const LOG: u64 = 8 << 20;
/// Spare pages that a change that adds something leaves.
const SPARE: u64 = 32;
/// Pages that are added where there are too few.
const MORE: u64 = 64;

/// The file of the database, held beside SQLite's own: closing it while SQLite has it open would end SQLite's lock.
#[derive(Debug)]
pub(super) struct Room {
    file: File,
    path: PathBuf,
    log: PathBuf,
    /// What keeps the room of the log while there is none.
    reserve: PathBuf,
    /// The log has it.
    taken: bool,
}

impl Room {
    pub(super) fn new(file: File, path: PathBuf, log: PathBuf, reserve: PathBuf) -> Self {
        Self { file, path, log, reserve, taken: false }
    }

    /// Takes the blocks of the log, which is there: free ones, or those that were kept for it.
    pub(super) fn take_log(&mut self) {
        let take = || OpenOptions::new().write(true).open(&self.log).and_then(|log| Ok(own(&log, LOG)?));
        let taken = take().or_else(|full| fs::remove_file(&self.reserve).map_or(Err(full), |()| take()));
        self.taken = taken.is_ok();
        match taken {
            Ok(()) => drop(fs::remove_file(&self.reserve)),
            Err(error) => tracing::warn!(
                "key store: taking {} MiB for {} failed: {error}; until there is room and the service starts again, destroying and revoking may fail on a full disk",
                LOG >> 20,
                self.log.display()
            ),
        }
    }

    /// Keeps the room of the log, which is gone.
    fn keep(&self) -> std::io::Result<()> {
        let reserve = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.reserve)?;
        Ok(own(&reserve, LOG)?)
    }

    /// Takes the blocks that a transaction needs before it is committed. `adds`: it leaves the spare pages.
    ///
    /// # Errors
    /// [`Status::PsaErrorInsufficientStorage`] where the disk is full; [`Error::Store`].
    pub(super) fn hold(&self, db: &Connection, adds: bool) -> Result<()> {
        let number = |pragma| -> Result<u64> {
            let number: i64 = db.prepare_cached(pragma)?.query_row([], |row| row.get(0))?;
            Ok(number.cast_unsigned())
        };
        if adds && number("PRAGMA freelist_count")? < SPARE {
            // Pages come one by one from this table, and stay when it is gone.
            db.execute_batch(&format!(
                "CREATE TABLE spare (bytes BLOB); INSERT INTO spare VALUES (zeroblob({})); DROP TABLE spare",
                MORE * PAGE
            ))?;
        }
        let size = number("PRAGMA page_count")? * PAGE;
        let failed = |what: &str| Error::io(format!("{what} {}", self.path.display()));
        if self.file.metadata().map_err(failed("looking at"))?.len() >= size {
            return Ok(());
        }
        own(&self.file, size).map_err(|errno| match errno {
            Errno::ENOSPC | Errno::EDQUOT => self.full(),
            errno => failed("making room in")(errno.into()),
        })
    }

    fn full(&self) -> Error {
        Error::refused(
            Status::PsaErrorInsufficientStorage,
            format!(
                "the disk that {} lies on is full: make room there; what is stored can still be used, destroyed and revoked",
                self.path.display()
            ),
        )
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.taken
            && !self.log.exists()
            && let Err(error) = self.keep()
        {
            tracing::warn!(
                "key store: keeping {} MiB in {} failed: {error}; if the disk is full at the next start, destroying and revoking may fail",
                LOG >> 20,
                self.reserve.display()
            );
        }
    }
}

/// Gives the file all its blocks up to a size. Not every file system can promise that.
fn own(file: &File, size: u64) -> Result<(), Errno> {
    match fallocate(file, FallocateFlags::empty(), 0, size.cast_signed()) {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
        result => result,
    }
}
