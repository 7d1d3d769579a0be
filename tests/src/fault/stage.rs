//! The services that faults come at, what they find, and what they leave.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard};

use interface::ProviderId;
use interface::client::Error;
use interface::operations::ListKeys;
use rusqlite::Connection;
use tempfile::TempDir;

use super::operation::Found;
use super::{Desk, Fault, Traced};
use crate::{CONFIG, Release, Service, Setup, Swtpm, TPM, TPM_SEALED, command};

/// Who may lose nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Software,
    Tpm,
    Sealed,
    /// Upstream's service, which `UPSTREAM_PARSEC` names, with its software provider.
    Upstream,
}

impl Subject {
    /// Each with its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("software", Self::Software), ("tpm", Self::Tpm), ("tpm-sealed", Self::Sealed), ("upstream", Self::Upstream)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, subject)| *subject == self).map_or("", |(name, _)| name)
    }

    pub(super) fn provider(self) -> ProviderId {
        match self {
            Self::Software | Self::Upstream => ProviderId::SOFTWARE,
            Self::Tpm => ProviderId::TPM,
            Self::Sealed => ProviderId::TPM_SEALED,
        }
    }

    /// Whether it has more than upstream's protocol.
    pub fn extended(self) -> bool {
        self != Self::Upstream
    }

    /// The store of a release that has keys of its provider.
    fn released(self) -> &'static str {
        match self {
            Self::Software | Self::Upstream => "software",
            Self::Tpm | Self::Sealed => "tpm",
        }
    }

    fn setup(self) -> Setup {
        let names = CONFIG
            .replace(r#"auth_type = "UnixPeerCredentials""#, r#"auth_types = ["UnixPeerCredentials", "Direct"]"#)
            .replace(r#"name = "0""#, r#"name = "uid:0""#);
        match self {
            // A release may have left what is deprecated.
            Self::Software => Setup::default().config(names).allow_deprecated(),
            Self::Tpm => Setup::default().config(format!("{names}{TPM}")),
            Self::Sealed => Setup::default().config(format!("{names}{TPM_SEALED}")),
            Self::Upstream => {
                let program = std::env::var_os("UPSTREAM_PARSEC").expect("UPSTREAM_PARSEC: interop/peers prints it");
                Setup::program(program).env("RUST_LOG", "warn")
            }
        }
    }
}

/// What operations find, made when the first one needs it: a folder each, with the files of a store and the state of a TPM.
pub struct Shelf {
    pub(super) subject: Subject,
    images: Mutex<HashMap<Found, Arc<TempDir>>>,
}

impl Shelf {
    /// Of this subject.
    pub fn new(subject: Subject) -> Self {
        Self { subject, images: Mutex::default() }
    }

    pub(super) fn image(&self, found: Found) -> Arc<TempDir> {
        let made = self.images().get(&found).cloned();
        made.unwrap_or_else(|| {
            let image = Arc::new(self.make(found));
            Arc::clone(self.images().entry(found).or_insert(image))
        })
    }

    fn images(&self) -> MutexGuard<'_, HashMap<Found, Arc<TempDir>>> {
        self.images.lock().expect("what operations find")
    }

    fn make(&self, found: Found) -> TempDir {
        match found {
            Found::Nothing => folder(),
            Found::Closed => furnish(self.subject, |service| assert!(service.stop().success())),
            Found::Killed => furnish(self.subject, Service::kill9),
            Found::Making => self.cut(INTENT, |desk| desk.make("new")),
            Found::Destroying => self.cut(DELETING, |desk| desk.destroy("doomed")),
            Found::Released => copy(&Release::all().remove(0).path(self.subject.released())),
            Found::ReleasedInTheMidst(store) => copy(&Release::all().remove(0).path(store)),
        }
    }

    /// A store whose service was killed during a request, at the first call after which a key is in this state.
    fn cut(&self, state: i64, request: fn(&Desk) -> Result<(), Error>) -> TempDir {
        let image = self.image(Found::Closed);
        let cut = |at| {
            let service = lay_out(self.subject, image.path());
            let traced = Traced::start(&service, Some((Fault::After, at)), false);
            assert!(traced.ready(), "{}", service.log());
            arm(&traced, &service);
            request(&Desk::new(self.subject, &service)).expect_err("the service is killed before no key is in this state");
            drop(traced.end());
            let image = copy(service.dir());
            has_key(image.path(), state).then_some(image)
        };
        (1..).find_map(cut).expect("an endless search")
    }
}

/// The state of a key in the store that is being made.
const INTENT: i64 = 0;
/// The state of one that is being destroyed.
const DELETING: i64 = 2;

/// Whether a store has a key in this state.
fn has_key(image: &Path, state: i64) -> bool {
    // To look at it changes it.
    let copy = copy(image);
    let store = Connection::open(copy.path().join("keys.sqlite3")).expect("open a store");
    let has = store.query_row("SELECT EXISTS (SELECT 1 FROM key WHERE state = ?)", [state], |row| row.get(0));
    has.expect("a table of keys")
}

/// Lets calls count from here on, when the start has done all that it does. How many events came before.
pub(super) fn arm(traced: &Traced, service: &Service) -> usize {
    service.client().call(ProviderId::CORE, &ListKeys {}).unwrap_or_else(|error| panic!("{error}\n{}", service.log()));
    traced.arm()
}

/// What a service leaves when it was stopped: how it ended, its files, and what is in its TPM.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    ended: ExitStatus,
    files: Vec<String>,
    handles: Vec<Vec<u32>>,
}

pub(super) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("parsec-fault-").tempdir().expect("a temporary directory")
}

/// Whether a file in the folder of a service is something that it keeps.
pub(super) fn stored(name: &str) -> bool {
    let told = |ending: &&str| name.ends_with(*ending);
    !["config.toml", "log"].contains(&name) && ![".requests", ".answers"].iter().any(told)
}

/// The service, not started, on what the operation finds, which is in this folder.
pub(super) fn lay_out(subject: Subject, image: &Path) -> Service {
    let service = bare(subject, image);
    for file in files(image) {
        place(&service, &file, &fs::read(&file).expect("a file of the store"));
    }
    service
}

/// The service, not started, with the TPM of this folder and no store.
pub(super) fn bare(subject: Subject, image: &Path) -> Service {
    let setup = subject.setup().by(Traced::STARTER);
    let chip = Some(image.join("tpm")).filter(|chip| chip.exists());
    chip.into_iter().fold(setup, Setup::chip).prepare()
}

/// Puts a file of this name among those of a service.
pub(super) fn place(service: &Service, name: &Path, bytes: &[u8]) {
    let path = service.dir().join(name.file_name().unwrap_or_default());
    fs::write(&path, bytes).expect("write a file of the store");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("close a file to other users");
}

/// Makes a store with all that operations need, and ends its service so.
fn furnish(subject: Subject, end: fn(&mut Service)) -> TempDir {
    let mut service = lay_out(subject, folder().path());
    service.restart();
    Desk::new(subject, &service).furnish().expect("a furnished service");
    end(&mut service);
    copy(service.dir())
}

/// A copy of what is kept in this folder: the files of a store and the state of a TPM.
fn copy(from: &Path) -> TempDir {
    let image = folder();
    for file in files(from) {
        fs::copy(&file, image.path().join(file.file_name().unwrap_or_default())).expect("copy a file of the store");
    }
    keep(from, image.path());
    image
}

/// Copies the state of a TPM from one folder into another.
pub(super) fn keep(from: &Path, to: &Path) {
    let chip = from.join("tpm");
    if chip.exists() {
        command::run(Command::new("cp").arg("-r").arg(chip).arg(to.join("tpm"))).ok();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let plain = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let kept = plain.filter(|entry| entry.file_name().to_str().is_some_and(stored));
    let mut kept: Vec<_> = kept.map(|entry| entry.path()).collect();
    kept.sort();
    kept
}

/// Stops it, and looks at what it leaves.
pub(super) fn left(service: &mut Service) -> Left {
    let ended = service.stop();
    let names = files(service.dir()).into_iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    // Upstream names a file after each key, and a journal of SQLite's may wait for the next change.
    let files = names.filter(|name| !name.ends_with(".psa_its") && !name.ends_with("-journal")).collect();
    let handles = service.chip().map(handles).unwrap_or_default();
    Left { ended, files, handles }
}

/// What is in a TPM: persistent objects by their handles; indices, of which each store has one under a number of its own, transient
/// objects and sessions by how many there are
/// (TPM 2.0 Part 2 §7.2; Part 3 §30.2).
fn handles(tpm: &Swtpm) -> Vec<Vec<u32>> {
    let kinds: [(u32, bool); 4] = [(0x8100_0000, true), (0x0100_0000, false), (0x8000_0000, false), (0x0200_0000, false)];
    let list = |(kind, named): (u32, bool)| {
        let (code, answer) = tpm.command(0x17a, &[1_u32, kind, 100].map(u32::to_be_bytes).concat());
        assert_eq!(code, 0, "the TPM tells its handles");
        let handles = answer[9..].chunks_exact(4).map(|handle| handle.try_into().map_or(0, u32::from_be_bytes));
        let handles: Vec<_> = handles.collect();
        if named { handles } else { vec![u32::try_from(handles.len()).unwrap_or(u32::MAX)] }
    };
    kinds.map(list).to_vec()
}
