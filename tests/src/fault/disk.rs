//! What a disk may hold after the power has gone.
//!
//! A flush keeps all that was written to the file before; of later writes, any of their sectors may have arrived. A new name, a
//! rename or a removal may be lost until the folder is flushed, but only together with all later ones of that folder: file systems
//! keep their order. A flush that failed keeps nothing, nor does a later one that succeeds: Linux has forgotten by then what was
//! not written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::call::{Call, Change};
use super::random::Random;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// Something that happened to the disk, or that a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Write {
        path: PathBuf,
        offset: usize,
        data: Vec<u8>,
    },
    Resize {
        path: PathBuf,
        len: usize,
    },
    Create(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove(PathBuf),
    /// A file or a folder was flushed.
    Sync(PathBuf),
    /// That failed.
    Lost(PathBuf),
    /// What is in the TPM for good has become this.
    Chip(Vec<u8>),
    /// A client was told that it is done.
    Acknowledged,
}

/// All that happened since a start, in its order.
#[derive(Clone, Debug, Default)]
pub struct Journal(Vec<Event>);

impl Journal {
    /// How much has happened.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing has.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In its order.
    pub fn events(&self) -> &[Event] {
        &self.0
    }

    pub(super) fn push(&mut self, event: Event) {
        self.0.push(event);
    }

    /// A call has succeeded with this result.
    pub(super) fn done(&mut self, call: Call, result: usize) {
        let path = call.path;
        match call.change {
            Change::Write { offset, mut data, .. } => {
                data.truncate(result);
                self.push(Event::Write { path, offset: usize::try_from(offset).unwrap_or(0), data });
            }
            Change::Sync => self.push(Event::Sync(path)),
            Change::Resize { len } | Change::Allocate { len, .. } => {
                self.push(Event::Resize { path, len: usize::try_from(len).unwrap_or(0) })
            }
            Change::Open { new, empties } => {
                if new {
                    self.push(Event::Create(path.clone()));
                }
                if empties {
                    self.push(Event::Resize { path, len: 0 });
                }
            }
            Change::Rename { to } => self.push(Event::Rename { from: path, to }),
            Change::Remove => self.push(Event::Remove(path)),
            Change::Other | Change::Chip => {}
        }
    }
}

/// How much of what was not flushed has arrived.
#[derive(Clone, Debug)]
pub enum Keep {
    Nothing,
    Everything,
    Some(Random),
}

impl Keep {
    fn coin(&mut self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Some(random) => random.coin(),
        }
    }

    fn prefix(&mut self, len: usize) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Everything => len,
            Self::Some(random) => random.below(len + 1),
        }
    }
}

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    flushed: Vec<u8>,
    pending: Vec<Pending>,
}

/// Files by their names.
type Names = BTreeMap<PathBuf, usize>;

/// A change of a folder.
#[derive(Clone, Debug)]
enum Move {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Move {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Create(path, _) | Self::Rename(_, path) | Self::Remove(path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Create(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Rename(from, to) => drop(names.remove(from).map(|file| names.insert(to.clone(), file))),
            Self::Remove(path) => drop(names.remove(path)),
        }
    }
}

/// Files with what was flushed of them, and what was not.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<Content>,
    seen: Names,
    flushed: Names,
    moves: Vec<Move>,
}

impl Disk {
    /// The plain files of a folder, all flushed.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn of(folder: &Path, stored: impl Fn(&str) -> bool) -> Self {
        let mut disk = Self::default();
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry of a folder");
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name().to_str().is_some_and(&stored) {
                disk.flushed.insert(entry.path(), disk.files.len());
                let flushed = fs::read(entry.path()).expect("a file");
                disk.files.push(Content { flushed, pending: Vec::new() });
            }
        }
        disk.seen = disk.flushed.clone();
        disk
    }

    /// Goes on by one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(path) => {
                self.rearrange(Move::Create(path.clone(), self.files.len()));
                self.files.push(Content::default());
            }
            Event::Rename { from, to } => self.rearrange(Move::Rename(from.clone(), to.clone())),
            Event::Remove(path) => self.rearrange(Move::Remove(path.clone())),
            Event::Write { path, offset, data } => {
                self.change(path, Pending::Write { offset: *offset, data: data.clone() });
            }
            Event::Resize { path, len } => self.change(path, Pending::Resize(*len)),
            Event::Sync(path) => match self.seen.get(path) {
                Some(&file) => {
                    let Content { flushed, pending } = &mut self.files[file];
                    pending.drain(..).for_each(|change| write(flushed, &change, || true));
                }
                None => self.flush(path),
            },
            Event::Lost(path) => {
                if let Some(&file) = self.seen.get(path) {
                    self.files[file].pending.clear();
                }
            }
            Event::Chip(_) | Event::Acknowledged => {}
        }
    }

    /// What may be found when the power is back.
    pub fn image(&self, mut keep: Keep) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.flushed.clone();
        let moved = keep.prefix(self.moves.len());
        self.moves[..moved].iter().for_each(|change| change.apply(&mut names));
        let contents = names.into_iter().map(|(path, file)| {
            let Content { flushed, pending } = &self.files[file];
            let mut bytes = flushed.clone();
            pending.iter().for_each(|change| write(&mut bytes, change, || keep.coin()));
            (path, bytes)
        });
        contents.collect()
    }

    fn rearrange(&mut self, change: Move) {
        change.apply(&mut self.seen);
        self.moves.push(change);
    }

    fn change(&mut self, path: &Path, change: Pending) {
        if let Some(&file) = self.seen.get(path) {
            self.files[file].pending.push(change);
        }
    }

    fn flush(&mut self, folder: &Path) {
        let (done, rest) = self.moves.drain(..).partition(|change| change.folder() == Some(folder));
        self.moves = rest;
        let done: Vec<Move> = done;
        done.iter().for_each(|change| change.apply(&mut self.flushed));
    }
}

fn write(bytes: &mut Vec<u8>, change: &Pending, mut arrives: impl FnMut() -> bool) {
    match change {
        Pending::Resize(len) => {
            if arrives() {
                bytes.resize(*len, 0);
            }
        }
        Pending::Write { offset, data } => {
            let mut done = 0;
            while done < data.len() {
                let start = offset + done;
                let len = (SECTOR - start % SECTOR).min(data.len() - done);
                if arrives() {
                    bytes.resize(bytes.len().max(start + len), 0);
                    bytes[start..start + len].copy_from_slice(&data[done..done + len]);
                }
                done += len;
            }
        }
    }
}
