//! What releases have written and answered, kept in `tests/fixtures`: a folder for each, named after its commit.
//!
//! `tests/fixtures/keep COMMIT` makes such a folder with the programs of that commit. It is never made anew: whoever updates has
//! what that release wrote, mistakes included.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use interface::wire::{HEADER_LEN, Header};

use crate::{Answer, STRANGER, Service, Setup};

/// The user whose tokens have PINs. It has granted one of its keys to [`STRANGER`], as root has.
pub const TENANT: u32 = STRANGER + 1;
/// The PIN of [`TENANT`]'s tokens.
pub const PIN: &str = "1234";
/// The security officer's PIN of [`TENANT`]'s tokens.
pub const OFFICER_PIN: &str = "87654321";
/// A client that is authenticated by its name alone.
pub const APPLICATION: &str = "legacy";

/// One release.
#[derive(Clone, Debug)]
pub struct Release {
    folder: PathBuf,
}

impl Release {
    /// Every release that is kept.
    ///
    /// # Panics
    /// When there is none.
    pub fn all() -> Vec<Self> {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let entries = fs::read_dir(kept).expect("tests/fixtures").map(|entry| entry.expect("an entry of tests/fixtures").path());
        let all: Vec<_> = entries.filter(|path| path.is_dir()).map(|folder| Self { folder }).collect();
        assert!(!all.is_empty(), "tests/fixtures has no release");
        all
    }

    /// Its commit.
    pub fn commit(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A file or folder that it left.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.folder.join(file)
    }

    /// The text of a file that it left.
    ///
    /// # Panics
    /// When there is no such file.
    #[track_caller]
    pub fn text(&self, file: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(file)).expect("a file of the release")
    }

    /// The files of a folder that it left, in the order of their names.
    ///
    /// # Panics
    /// When there is no such folder.
    #[track_caller]
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder of the release");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
        files.sort();
        files
    }

    /// Today's service on a copy of one of its stores, with its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn open(&self, store: &str) -> Service {
        let mut service = self.lay_out(store, Setup::default());
        service.restart();
        service
    }

    /// As [`Self::open`], but any service, and not started.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[track_caller]
    pub fn lay_out(&self, store: &str, setup: Setup) -> Service {
        let chip = self.path(store).join("tpm");
        let setup = if chip.exists() { setup.chip(chip) } else { setup };
        let service = setup.config(self.text(format!("{store}/config.toml"))).prepare();
        for file in self.files(store) {
            let name = file.file_name().expect("the name of a file").to_string_lossy();
            if name.starts_with("keys.sqlite3") || name == "store.key" {
                adopt(&file, &service.dir().join(&*name));
            }
        }
        service
    }

    /// What clients asked the release on one of its stores and how it answered: the user, and whether it said Hello.
    ///
    /// # Panics
    /// When there is nothing.
    #[track_caller]
    pub fn transcripts(&self, store: &str) -> Vec<(u32, Transcript)> {
        let files = self.files(store).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "requests"));
        let read = |file: PathBuf| {
            let name = file.file_name().expect("the name of a file").to_string_lossy().into_owned();
            let uid = name.split(['-', '.']).next().and_then(|uid| uid.parse().ok()).expect("UID-NAME.requests");
            (uid, Transcript::read(&file))
        };
        let all: Vec<_> = files.map(read).collect();
        assert!(!all.is_empty(), "{} has no transcripts of {store}", self.commit());
        all
    }
}

/// Copies what nobody else may read.
fn adopt(from: &Path, to: &Path) {
    fs::copy(from, to).expect("copy a file of the release");
    fs::set_permissions(to, Permissions::from_mode(0o600)).expect("close a copy to other users");
}

/// The requests of one connection, and their answers: two files, each as it went over the socket.
#[derive(Debug, Default)]
pub struct Transcript {
    requests: Vec<u8>,
    answers: Vec<u8>,
}

impl Transcript {
    /// Adds a request and its answer.
    pub fn add(&mut self, request: &[u8], answer: &Answer) {
        self.requests.extend_from_slice(request);
        answer.header.encode(&mut self.answers);
        self.answers.extend_from_slice(&answer.body);
    }

    /// Writes `NAME.requests` and `NAME.answers`.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn write(&self, name: &Path) {
        fs::write(name.with_extension("requests"), &self.requests).expect("write requests");
        fs::write(name.with_extension("answers"), &self.answers).expect("write answers");
    }

    fn read(name: &Path) -> Self {
        let read = |kind| fs::read(name.with_extension(kind)).expect("requests and their answers");
        Self { requests: read("requests"), answers: read("answers") }
    }

    /// Each request with its answer.
    ///
    /// # Panics
    /// When the files are damaged.
    pub fn exchanges(&self) -> Vec<(&[u8], Answer)> {
        let answers =
            frames(&self.answers).into_iter().map(|(header, bytes)| Answer { header, body: bytes[HEADER_LEN..].to_vec() });
        frames(&self.requests).into_iter().map(|(_, bytes)| bytes).zip(answers).collect()
    }
}

fn frames(mut bytes: &[u8]) -> Vec<(Header, &[u8])> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let header = Header::decode(bytes).expect("a sound header").expect("a whole header");
        let (frame, rest) = bytes.split_at(header.request_len());
        frames.push((header, frame));
        bytes = rest;
    }
    frames
}
