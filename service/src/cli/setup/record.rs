//! What was changed for each program, kept in a file for each, so that it can be undone. A place that two programs need is in both
//! files, and goes with the last one.

use super::super::error::{Error, Result};
use super::super::openssl::below;
use super::change::{Change, Desk, Place, text};
use std::fs;
use std::path::{Path, PathBuf};

/// The files.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Records {
    folder: PathBuf,
    program: String,
    mine: Vec<Change>,
    others: Vec<Change>,
}

impl Records {
    /// Loads the records of a folder. One of them is the program's.
    pub(super) fn load(desk: &Desk<'_>, folder: &Path, program: &str) -> Result<Self> {
        let mut records = Self { folder: folder.to_owned(), program: program.to_owned(), mine: Vec::new(), others: Vec::new() };
        let own = records.path();
        for entry in fs::read_dir(below(desk.root, folder)).into_iter().flatten().filter_map(Result::ok) {
            let path = folder.join(entry.file_name());
            if path.extension().is_some_and(|extension| extension == "json") {
                let failed = |error: &dyn std::fmt::Display| Error::Failed(format!("{}: {error}", path.display()));
                let text = text(&desk.file(&path)?)?.unwrap_or_default();
                let changes: Vec<Change> = serde_json::from_str(&text).map_err(|error| failed(&error))?;
                if !changes.iter().all(|change| change.sound(desk)) {
                    return Err(failed(&"these are no changes of parsec setup"));
                }
                if path == own { &mut records.mine } else { &mut records.others }.extend(changes);
            }
        }
        Ok(records)
    }

    /// The program's file.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.program))
    }

    /// What has been changed for the program.
    pub(super) fn mine(&self) -> &[Change] {
        &self.mine
    }

    /// How a place was before anything was changed there, if it was.
    pub(super) fn changed(&self, place: &Place) -> Option<&Change> {
        self.mine.iter().chain(&self.others).find(|change| change.place == *place)
    }

    /// Whether another program needs it.
    pub(super) fn shared(&self, place: &Place) -> bool {
        self.others.iter().any(|change| change.place == *place)
    }

    /// Adds a change. If the same place was changed before, the state before the first change is kept.
    pub(super) fn add(&mut self, mut change: Change) {
        if let Some(before) = self.changed(&change.place) {
            change.old.clone_from(&before.old);
        }
        match self.mine.iter_mut().find(|mine| mine.place == change.place) {
            Some(mine) => *mine = change,
            None => self.mine.push(change),
        }
    }

    /// The program's file as a step.
    pub(super) fn step(&self, desk: &Desk<'_>, new: Option<String>) -> Result<Change> {
        let place = Place::File { path: self.path() };
        Ok(Change { old: place.read(desk)?, place, new })
    }

    /// The content of the program's record file.
    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string_pretty(&self.mine).map_err(|error| Error::Failed(error.to_string()))
    }
}
