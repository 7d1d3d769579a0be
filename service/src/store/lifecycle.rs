//! How keys come and go: intents that outlive a crash, and their recovery.

use super::index::Entry;
use super::key::{Key, Meta};
use super::{Store, table};
use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::attributes::Attributes;
use interface::operations::Tier;
use interface::spki::PublicKey;
use interface::{ProviderId, Secret, Status};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a provider made for a reserved name.
#[derive(Debug)]
pub struct Material {
    /// The final ones: with the true size.
    pub attributes: Attributes,
    /// What the provider needs to use the key again; may be empty. Sealed in the store.
    pub private: Secret,
    /// As on the wire; empty for secret keys.
    pub public_key: Vec<u8>,
    /// Where the key works.
    pub tier: Tier,
    /// The provider made the key itself.
    pub local: bool,
    /// `None`: the name.
    pub label: Option<String>,
    /// `None`: that of the public key; of a secret key its UUID.
    pub id: Option<Vec<u8>>,
}

/// A name held for a key in the making. Dropped without a commit, it is free again.
#[derive(Debug)]
#[must_use]
pub struct Reservation<'a> {
    store: &'a Store,
    /// `None` once it is committed.
    intent: Option<Meta>,
    uuid: String,
}

/// A key on its way out, which nobody can use any more. Dropped without a commit, it is left for recovery to finish.
#[derive(Debug)]
#[must_use]
pub struct Destruction<'a> {
    store: &'a Store,
    key: Arc<Key>,
}

/// What a crash left half done, for the provider to finish.
#[derive(Debug)]
pub struct Pending {
    /// The tag of the hardware object, if there is one.
    pub uuid: String,
    /// Whose key.
    pub owner: Principal,
    /// Its name.
    pub name: String,
    /// What it was to be, or was.
    pub attributes: Attributes,
    /// It was being destroyed, not created.
    pub deleting: bool,
    /// The private blob, where it was being destroyed and the blob can still be opened.
    pub material: Option<Secret>,
    pub(super) provider: ProviderId,
}

impl Store {
    /// Takes a name for a new key, durably, before the provider makes the key.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`] where the name is taken, reserved or being destroyed; [`Error::Store`].
    pub fn reserve(
        &self,
        provider: ProviderId,
        owner: &Principal,
        name: &str,
        attributes: &Attributes,
    ) -> Result<Reservation<'_>> {
        let uuid = table::uuid()?;
        let intent = Meta {
            uuid: uuid.clone(),
            provider,
            owner: owner.clone(),
            name: name.to_owned(),
            label: String::new(),
            id: Vec::new(),
            created: table::now(),
        };
        let taken = self.key(provider, owner, name).is_some() || !table::insert_intent(&self.db(), &intent, attributes)?;
        if taken {
            let detail = format!(
                "{owner} has a key '{name}' in the {provider} provider already, or is just making or destroying it: choose another name or destroy that key"
            );
            return Err(Error::refused(Status::PsaErrorAlreadyExists, detail));
        }
        Ok(Reservation { store: self, intent: Some(intent), uuid })
    }

    /// Makes a key unusable and notes, durably, that it is to be destroyed. Its grants end here.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`] where somebody else was first; [`Error::Store`].
    pub fn destroy(&self, key: &Arc<Key>) -> Result<Destruction<'_>> {
        let mut db = self.db();
        if !table::start_deletion(&mut db, &key.uuid)? {
            return Err(key.gone());
        }
        self.index_mut().remove(&key.uuid);
        Ok(Destruction { store: self, key: Arc::clone(key) })
    }

    /// What a crash left of this provider's keys. To be asked once, at start: later it also shows what is in the making.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`] for a damaged row.
    pub fn pending(&self, provider: ProviderId) -> Result<Vec<Pending>> {
        table::pending(&self.db(), &self.sealer, provider)
    }

    /// Ends what was pending: the key is gone, its name free.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn settle(&self, pending: Pending) -> Result<()> {
        table::remove(&self.db(), &pending.uuid)
    }

    /// Ends a pending creation well: the hardware has the key.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Refused`] for a pending deletion.
    pub fn adopt(&self, pending: Pending, material: Material) -> Result<Arc<Key>> {
        let meta = Meta {
            uuid: pending.uuid,
            provider: pending.provider,
            owner: pending.owner,
            name: pending.name,
            label: String::new(),
            id: Vec::new(),
            created: table::now(),
        };
        self.complete(meta, material)
    }

    fn complete(&self, mut meta: Meta, material: Material) -> Result<Arc<Key>> {
        let Material { attributes, private, public_key, tier, local, label, id } = material;
        meta.label = label.unwrap_or_else(|| meta.name.clone());
        meta.id = id.unwrap_or_else(|| default_id(&meta.uuid, &attributes, &public_key));
        let key = Key {
            meta,
            attributes,
            public_key,
            tier,
            local,
            grants: BTreeMap::new(),
            loaded: Arc::default(),
            missing: Arc::default(),
        };
        let sealed = self.sealer.seal(&key.binding(), &private)?;
        let key = Arc::new(key);
        let db = self.db();
        if !table::complete(&db, &key, &sealed)? {
            return Err(key.gone());
        }
        self.index_mut().put(Entry::Key(Arc::clone(&key)));
        Ok(key)
    }

    /// Removes the row of a key that is no more; what cannot be removed now is left for recovery.
    fn release(&self, uuid: &str) {
        if let Err(error) = table::remove(&self.db(), uuid) {
            tracing::error!("the reservation {uuid} stays until the next start: {error}");
        }
    }
}

impl Reservation<'_> {
    /// The tag for the hardware object.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Makes the key ready, durably.
    ///
    /// # Errors
    /// [`Error::Store`]: the name is free again, and the caller must destroy what it made.
    pub fn commit(mut self, material: Material) -> Result<Arc<Key>> {
        let Some(intent) = self.intent.clone() else {
            return Err(Status::PsaErrorBadState.into());
        };
        let key = self.store.complete(intent, material)?;
        self.intent = None;
        Ok(key)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.intent.is_some() {
            self.store.release(&self.uuid);
        }
    }
}

impl Destruction<'_> {
    /// The key, as it was.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Removes the last trace: to be called when the hardware has destroyed the key.
    ///
    /// # Errors
    /// [`Error::Store`]: recovery will finish it.
    pub fn commit(self) -> Result<()> {
        table::remove(&self.store.db(), &self.key.uuid)
    }
}

fn default_id(uuid: &str, attributes: &Attributes, public_key: &[u8]) -> Vec<u8> {
    if public_key.is_empty() {
        return table::uuid_bytes(uuid);
    }
    PublicKey { key_type: attributes.key_type.public(), bits: attributes.bits, bytes: public_key.to_vec() }.id()
}
