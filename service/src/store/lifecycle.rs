//! How keys are created and destroyed: intents that survive a crash, and their recovery.

use super::change::Database;
use super::entry::Entry;
use super::table::Pending;
use super::{Store, file, table};
use crate::auth::Principal;
use crate::client_process::ClientProcess;
use crate::error::{Error, Result};
use crate::key::{Key, Life, Meta, Uuid};
use crate::log::{self, Kind};
use interface::attributes::{Attributes, Usage};
use interface::operations::Tier;
use interface::{Filing, ProviderId, Secret, Status};
use rusqlite::Connection;
use std::sync::{Arc, MutexGuard, PoisonError};

/// A key that a provider made for a reserved name.
#[derive(Debug)]
pub struct Material {
    /// The final ones: with the true size.
    pub attributes: Attributes,
    /// The provider's material for using the key again; may be empty. Sealed in the store.
    pub private: Secret,
    /// As on the wire; empty for secret keys.
    pub public_key: Vec<u8>,
    /// Where the key works.
    pub tier: Tier,
    /// The provider made the key itself.
    pub local: bool,
    /// Uses that were permitted to another key of this value before.
    pub past: Usage,
}

/// A name held for a key in the making. Dropped without a commit, it is free again, unless the key may be elsewhere.
#[derive(Debug)]
#[must_use]
pub struct Reservation<'a> {
    store: &'a Store,
    /// `None` once it is committed.
    intent: Option<Meta>,
    uuid: Uuid,
    /// The key has the id that it was given, if only an empty one.
    identified: bool,
    /// The process that a volatile key ends with.
    process: Option<ClientProcess>,
    /// Of its token, when the name was taken.
    epoch: u64,
    /// The user who makes it.
    maker: Option<u32>,
    /// The hardware may have it.
    elsewhere: bool,
}

/// A key on its way out, which nobody can use any more. Dropped without a commit, it is left for recovery to finish.
#[derive(Debug)]
#[must_use]
pub struct Destruction<'a> {
    store: &'a Store,
    key: Arc<Key>,
}

impl Store {
    /// Takes a name for a new key before the provider makes the key; durably, unless the key is volatile.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`] where the name is taken, reserved or being destroyed; of volatile keys
    /// [`Status::PsaErrorInvalidArgument`] without a process to end with; [`Error::Store`].
    pub fn reserve(
        &self,
        provider: ProviderId,
        owner: &Principal,
        filing: &Filing,
        attributes: &Attributes,
        process: Option<ClientProcess>,
    ) -> Result<Reservation<'_>> {
        let process = if filing.volatile { Some(process.ok_or_else(nameless)?) } else { None };
        let uuid = Uuid::random()?;
        let intent = Meta {
            uuid,
            provider,
            owner: owner.clone(),
            name: filing.name.clone(),
            label: filing.label.clone().unwrap_or_else(|| filing.name.clone()),
            id: filing.id.clone().unwrap_or_default(),
            pkcs11: filing.pkcs11.clone(),
            created: table::now(),
        };
        let mut db = self.db();
        let epoch = self.index().tokens.epoch(&(provider, owner.clone()))?;
        let free = match process {
            Some(_) => self.free(&db, &intent)?,
            None if self.key(provider, owner, &intent.name).is_some() => false,
            None => {
                self.remove_left(&mut db);
                let mut change = db.change(&self.keys)?;
                let inserted = table::insert_intent(&mut change, &intent, attributes)?;
                change.commit()?;
                inserted
            }
        };
        if !free {
            return Err(taken(&intent));
        }
        let identified = filing.volatile || filing.id.is_some();
        Ok(Reservation { store: self, intent: Some(intent), uuid, identified, process, epoch, maker: None, elsewhere: false })
    }

    /// Refuses the name of a ready key.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`].
    pub fn check_name(&self, provider: ProviderId, owner: &Principal, name: &str) -> Result<()> {
        self.key(provider, owner, name).map_or(Ok(()), |key| Err(taken(&key)))
    }

    /// Whether no key, ready or not, has the name. The lock of the database keeps it so.
    pub(super) fn free(&self, db: &Connection, meta: &Meta) -> Result<bool> {
        Ok(self.key(meta.provider, &meta.owner, &meta.name).is_none() && !table::named(db, meta)?)
    }

    /// Makes a key unusable and notes, durably, that it is to be destroyed. Its grants end here.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`] where somebody else was first; [`Error::Store`].
    pub fn destroy(&self, key: &Arc<Key>) -> Result<Destruction<'_>> {
        let mut count = None;
        let mut db = self.db();
        let found = match key.life {
            Life::Stored => {
                let mut change = db.ending(&self.keys)?;
                // Who gave it away meanwhile has no say any more.
                let found = self.owned(key).is_some() && table::start_deletion(&mut change, key.uuid)?;
                let places = if found { self.index().moved.places(key.uuid) } else { Vec::new() };
                places.iter().try_for_each(|place| table::forget_place(&mut change, place))?;
                count = self.advance(&mut change);
                change.commit()?;
                found
            }
            Life::Volatile { .. } => self.current(key).is_some(),
        };
        if !found {
            return Err(key.gone());
        }
        self.index_mut().remove(key.uuid);
        drop(db);
        self.users.look();
        self.raise(count);
        Ok(Destruction { store: self, key: Arc::clone(key) })
    }

    /// The unfinished keys of this provider, as far as they are still there: those that a crash had left when the store was opened, and
    /// those that were left to recovery since.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file cannot be read.
    pub fn pending(&self, provider: ProviderId) -> Result<Vec<Pending>> {
        let db = self.db();
        let unfinished = self.index().unfinished.clone();
        table::pending(&db, &self.keys, provider, &unfinished).map_err(|error| file::explain(&self.path, error))
    }

    /// Ends what was pending: the key is gone, its name free. Where the row cannot be removed now, the next change tries again: the key
    /// is not to be seen, and others are to be served.
    pub fn settle(&self, pending: &Pending) {
        self.remove(pending.uuid);
        log::cut_off(Kind::Settle, &pending.meta);
    }

    /// Settles all that a crash left of the keys of a provider that leaves nothing elsewhere.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file cannot be read.
    pub fn recover(&self, provider: ProviderId) -> Result<()> {
        self.pending(provider)?.iter().for_each(|pending| self.settle(pending));
        Ok(())
    }

    /// Ends a pending creation well: the hardware has the key.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Refused`] for a pending deletion.
    pub fn adopt(&self, pending: Pending, material: Material) -> Result<Arc<Key>> {
        let epoch = self.index().tokens.epoch(&(pending.provider, pending.owner.clone()))?;
        let key = self.complete(pending.meta, false, material, None, epoch)?;
        log::cut_off(Kind::Adopt, &key.meta);
        Ok(key)
    }

    fn complete(
        &self,
        meta: Meta,
        identified: bool,
        material: Material,
        process: Option<ClientProcess>,
        epoch: u64,
    ) -> Result<Arc<Key>> {
        let Material { attributes, private, public_key, tier, local, past } = material;
        let mut key = Key { public_key, tier, ..Key::new(meta, attributes, local, past) };
        if key.meta.id.is_empty() && !identified {
            key.meta.id = key.public_id().unwrap_or_else(|| key.uuid.bytes().to_vec());
        }
        let sealed = match process {
            None => self.keys.sealer.seal(&key.binding(), &private)?,
            Some(_) => self.volatile.seal(&key.uuid.bytes(), &private)?,
        };
        let mut db = self.db();
        if self.index().tokens.epoch(&(key.provider, key.owner.clone()))? != epoch {
            return Err(key.gone());
        }
        match process {
            None => {
                let mut change = db.change(&self.keys)?;
                if !table::complete(&mut change, &key, &sealed)? {
                    return Err(key.gone());
                }
                change.commit()?;
            }
            Some(process) => {
                if !self.free(&db, &key.meta)? {
                    return Err(taken(&key.meta));
                }
                key.life = Life::Volatile { process, private: sealed.into() };
            }
        }
        let key = Arc::new(key);
        self.index_mut().put(Entry::Key(Arc::clone(&key)));
        drop(db);
        if process.is_none() {
            self.users.look();
        }
        Ok(key)
    }

    /// Removes the row of a key that is not ready, or notes that it is to be removed.
    pub(super) fn remove(&self, uuid: Uuid) {
        self.left().push(uuid);
        self.remove_left(&mut self.db());
    }

    /// Removes the rows of keys that are no more, as far as the disk lets it.
    fn remove_left(&self, db: &mut Database) {
        let mut left = self.left();
        let mut remove = || {
            let mut change = db.ending(&self.keys)?;
            left.iter().try_for_each(|uuid| table::remove(&mut change, *uuid))?;
            change.commit()
        };
        match if left.is_empty() { Ok(()) } else { remove() } {
            Ok(()) => left.clear(),
            Err(error) => tracing::error!(
                "key store: {}: the rows of {} keys that are no more stay until the next change or start, and their names are not free: {error}",
                self.path.display(),
                left.len()
            ),
        }
    }

    /// Leaves a key that is not ready to recovery: what its hardware has of it could not be removed.
    fn leave(&self, uuid: Uuid) {
        self.index_mut().unfinished.push(uuid.to_string());
    }

    fn left(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation<'_> {
    /// The tag for the hardware object.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Whether the key may be kept where it does not survive a restart of the hardware.
    pub fn volatile(&self) -> bool {
        self.process.is_some()
    }

    /// The same for a request that began earlier: where its token was reset since, the key never becomes ready.
    pub(crate) fn since(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// The same for a user, for whom the key counts as well as for its owner.
    pub(crate) fn by(mut self, uid: u32) -> Self {
        self.maker = Some(uid);
        self
    }

    /// The same from when the hardware is told to make the key: dropped without a commit, it is left to recovery, as the hardware may
    /// have the key.
    pub fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// Makes the key ready; durably, unless it is volatile.
    ///
    /// # Errors
    /// [`Error::Store`], [`Status::PsaErrorAlreadyExists`] for the name of a volatile key that somebody else was faster to take: the
    /// caller must destroy what it made.
    pub fn commit(mut self, material: Material) -> Result<Arc<Key>> {
        let Some(intent) = self.intent.clone() else {
            return Err(Status::PsaErrorBadState.into());
        };
        let key = self.store.complete(intent, self.identified, material, self.process, self.epoch)?;
        self.intent = None;
        if let Some(maker) = self.maker {
            self.store.made_by(maker, key.uuid);
        }
        Ok(key)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.intent.is_none() || self.volatile() {
            return;
        }
        if self.elsewhere {
            self.store.leave(self.uuid);
        } else {
            self.store.remove(self.uuid);
        }
    }
}

impl Destruction<'_> {
    /// The key, as it was.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Removes the last trace: to be called when the hardware has destroyed the key. Nobody can use it any more, so this does not fail.
    pub fn commit(self) {
        if !self.key.volatile() {
            self.store.remove(self.key.uuid);
        }
    }

    /// Leaves the key to recovery: the hardware may still have it.
    pub fn leave(self) {
        if !self.key.volatile() {
            self.store.leave(self.key.uuid);
        }
    }
}

fn nameless() -> Error {
    let detail = "a volatile key ends with the process that makes it, and the Hello of this connection named none";
    Error::refused(Status::PsaErrorInvalidArgument, detail)
}

pub(super) fn taken(meta: &Meta) -> Error {
    let Meta { owner, name, provider, .. } = meta;
    let detail = format!(
        "{owner} has a key '{name}' in the {provider} provider already, or is just making or destroying it: choose another name, or destroy that key: parsec key rm '{name}'"
    );
    Error::refused(Status::PsaErrorAlreadyExists, detail)
}
