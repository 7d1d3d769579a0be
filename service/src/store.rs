//! The key store: which keys and objects exist, who owns them, and the sealed private blobs of providers that keep none.
//!
//! It promises: a key whose creation was answered with success survives kill -9 and power loss. A key whose creation was not
//! answered is either usable or gone after the next start. So every change is committed to SQLite with `synchronous=FULL` before it
//! is answered. A key passes through three states: reserved (`INTENT`), ready, being destroyed (`DELETING`). A provider's recovery
//! looks for the two transient ones. The database keeps names unique, not only the memory.
//!
//! A volatile key exists only in memory. It is found by its name but by no search, and it ends with the process that made it.
//!
//! All public data is also in memory, except the values of certificates and data. So a signature runs no SQL. Keys in memory are
//! immutable: a change replaces the [`Arc`]. The database has one connection, and its lock orders all changes. Everything that can
//! be computed, parsed or sealed in advance is done before the lock is taken.

mod accept;
mod anchor;
mod change;
mod chown;
mod decide;
mod disk;
mod entry;
mod file;
mod find;
pub(crate) mod fuzz;
mod head;
mod index;
mod lifecycle;
mod metadata;
mod moved;
mod note;
mod object;
mod own;
mod pin;
mod refused;
mod rename;
mod room;
mod rows;
mod seal;
mod table;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod usage;
mod users;

pub use accept::{Granted, Granter};
use anchor::Anchor;
pub use anchor::Counter;
pub use lifecycle::{Destruction, Material, Reservation};
pub use pin::Pin;
pub(crate) use seal::Sealer;
pub use seal::{Fingerprint, StoreKey};
pub use table::{Pending, now};
pub use tally::{GRANT, Usage, demand};
pub use token::{Reset, Token};
pub(crate) use users::Known;
pub use users::Renamed;

use crate::auth::Principal;
use crate::client_process::ClientProcess;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::key::{Key, Life, Uuid};
use crate::memory::Forms;
use change::Database;
use entry::{Entry, Term};
use index::{Index, PIECE};
use interface::{ProviderId, Secret};
use rusqlite::Connection;
use seal::Keys;
use std::ops::Bound::{Excluded, Unbounded};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use users::Users;

/// The key store, opened by one process at a time.
#[derive(Debug)]
pub struct Store {
    db: Mutex<Database>,
    keys: Keys,
    /// Seals volatile keys, in memory.
    volatile: Sealer,
    /// The parsed keys in memory.
    pub(crate) forms: Forms,
    index: RwLock<Index>,
    /// Users who have another name than when they got their keys.
    users: Users,
    anchor: OnceLock<Anchor>,
    /// UUIDs of destroyed keys whose rows could not be removed. The next change tries again.
    left: Mutex<Vec<Uuid>>,
    path: PathBuf,
    /// Whether to continue with a store that has lost something.
    accept_loss: bool,
}

impl Store {
    /// Opens the SQLite file, or creates it and its folder (mode 0700).
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file is damaged, belongs to something else or to a newer version, is open in another process, or
    /// was sealed under another store key; where rows were removed or taken from an older copy, unless `accept_loss` says to go on with
    /// those that are sound; [`Error::Io`]. Nothing is changed then. A single damaged row is logged, and kept.
    pub fn open(path: &Path, secret: &StoreKey, accept_loss: bool) -> Result<Self> {
        let named = |error| file::explain(path, error);
        file::look(path, secret, accept_loss)?;
        let (db, keys, index) = file::prepare(file::connect(path)?, path, secret, accept_loss).map_err(named)?;
        let (db, index, volatile, forms) = (Mutex::new(db), RwLock::new(index), Sealer::random()?, Forms::default());
        let (anchor, left, path) = (OnceLock::new(), Mutex::default(), path.to_owned());
        let store = Self { db, keys, volatile, forms, index, users: Users::default(), anchor, left, path, accept_loss };
        store.load_users();
        Ok(store)
    }

    /// The ready key of this name.
    pub fn key(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<Arc<Key>> {
        self.index().key(provider, owner, name).cloned()
    }

    /// The ready key of this name, or else the key that had this name before, of this owner or of a former one. It is one look at the
    /// index, so that a key is found while it is renamed or given away.
    pub fn meant(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<Arc<Key>> {
        let index = self.index();
        let named = index.key(provider, owner, name).cloned();
        let before = || index.renamed(provider, owner, name).or_else(|| index.given(provider, owner, name)).cloned();
        let before = if named.is_some() { None } else { before() };
        drop(index);
        named.or_else(|| before.filter(|_| self.damage(owner, name).is_none()))
    }

    /// Every key of this owner, volatile ones too, in the order of providers and names.
    pub fn keys(&self, owner: &Principal) -> Vec<Arc<Key>> {
        let mut keys: Vec<Arc<Key>> = Vec::new();
        loop {
            let index = self.index();
            let piece: Vec<_> = index.keys_after(owner, keys.last().map(|key| &**key)).take(PIECE).cloned().collect();
            drop(index);
            if piece.is_empty() {
                return keys;
            }
            keys.extend(piece);
        }
    }

    /// The volatile keys of this process.
    pub fn volatile(&self, process: ClientProcess) -> Vec<Arc<Key>> {
        let index = self.index();
        let process = [Term::Process(process)];
        let entries = index.with(&process, None);
        entries.filter_map(|entry| if let Entry::Key(key) = entry { Some(Arc::clone(key)) } else { None }).collect()
    }

    /// Every key that somebody was granted.
    pub fn all_granted(&self) -> Vec<Arc<Key>> {
        self.index().granted().cloned().collect()
    }

    /// Everybody who owns a key or an object that is not volatile.
    pub fn owners(&self) -> Vec<Principal> {
        let mut owners: Vec<Principal> = Vec::new();
        loop {
            let piece: Vec<_> =
                self.index().owners_from(owners.last().map_or(Unbounded, Excluded)).take(PIECE).cloned().collect();
            if piece.is_empty() {
                return owners;
            }
            owners.extend(piece);
        }
    }

    /// How many keys are stored, and how many of them the hardware does not show.
    pub fn count(&self) -> (u64, u64) {
        self.index().stored()
    }

    /// The flaw of the row with this name, if somebody else wrote or changed it.
    pub fn damage(&self, owner: &Principal, name: &str) -> Option<String> {
        let row = table::row_of(name, &owner.to_string());
        self.index().damaged.iter().find(|told| told.starts_with(&row)).cloned()
    }

    /// The rows that are not in use because somebody else wrote or changed them, one text for each.
    pub fn damaged(&self) -> Vec<String> {
        self.index().damaged.clone()
    }

    /// The private blob that was given to [`Reservation::commit`].
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the row was damaged or swapped; [`Error::Refused`] where the key was destroyed meanwhile.
    pub fn material(&self, key: &Key) -> Result<Secret> {
        if let Life::Volatile { private, .. } = &key.life {
            return self.volatile.open(&key.uuid.bytes(), private).ok_or_else(|| key.damaged());
        }
        let db = self.db();
        self.unsealed(&db, &*self.current(key).ok_or_else(|| key.gone())?)
    }

    /// The current version of a key. The caller's may be an older one.
    fn current(&self, key: &Key) -> Option<Arc<Key>> {
        self.index().key_of(key.uuid).cloned()
    }

    /// The same, for its owner to change: not if it was given to another one meanwhile.
    fn owned(&self, key: &Key) -> Option<Arc<Key>> {
        self.current(key).filter(|current| current.owner == key.owner)
    }

    fn unsealed(&self, db: &Connection, key: &Key) -> Result<Secret> {
        let sealed = table::private(db, key.uuid)?.ok_or_else(|| key.gone())?;
        self.keys.sealer.open(&key.binding(), &sealed).ok_or_else(|| key.damaged())
    }

    /// Notes whether the hardware shows the key at present. It is kept either way.
    pub fn mark(&self, key: &Key, missing: bool) {
        self.index_mut().mark(key, missing);
    }

    fn db(&self) -> MutexGuard<'_, Database> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index for changes. Whoever also changes the database takes it while holding the database's lock, so that memory changes in the
    /// order of the commits.
    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}
