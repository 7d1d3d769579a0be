//! Changes to a key's metadata: label, id, attributes and grants. They can also narrow its policy.

use super::change::{Change, Database};
use super::entry::{Entry, Object};
use super::object::none;
use super::{Store, table};
use crate::auth::Principal;
use crate::bounds;
use crate::error::{Error, Result};
use crate::key::Key;
use interface::attributes::Usage;
use interface::operations::{RecordKind, SetMetadata};
use interface::{ProviderId, Status};
use std::sync::{Arc, MutexGuard};

impl Store {
    /// Changes what stands beside a record of the caller, and narrows the policy of a key; all or nothing.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`]; [`Status::PsaErrorInvalidArgument`] for an unknown kind; [`Error::Corrupt`] where the policy is
    /// bound to a private blob that is damaged.
    pub fn set_metadata(&self, caller: &Principal, provider: ProviderId, set: &SetMetadata) -> Result<()> {
        let kind = RecordKind::try_from(set.kind)?;
        let value = set.value.as_deref().filter(|_| kind == RecordKind::Data);
        let mut db = self.db();
        let mut entry = match kind {
            RecordKind::Key => self.key(provider, caller, &set.name).map(Entry::Key),
            _ => self.index().object(provider, caller, kind, &set.name).map(Entry::Object),
        }
        .ok_or_else(|| none(kind, &set.name))?;
        let meta = match &mut entry {
            Entry::Key(key) => &mut Arc::make_mut(key).meta,
            Entry::Object(object) => {
                let object = Arc::make_mut(object);
                if let Some(value) = value {
                    *object = Object::new(object.meta.clone(), kind, value);
                }
                &mut object.meta
            }
        };
        if let Some(label) = &set.label {
            meta.label.clone_from(label);
        }
        if let Some(id) = &set.id {
            meta.id.clone_from(id);
        }
        for attribute in &set.pkcs11 {
            meta.pkcs11.retain(|have| have.kind != attribute.kind);
            meta.pkcs11.push(attribute.clone());
        }
        bounds::attributes(&meta.pkcs11)?;
        let mut change = db.change(&self.keys)?;
        table::set_metadata(&mut change, &entry)?;
        if let Some(value) = value {
            table::set_value(&mut change, entry.meta().uuid, value)?;
        }
        if let (Entry::Key(key), Some(usage)) = (&mut entry, &set.usage) {
            self.narrow(&mut change, Arc::make_mut(key), usage.into())?;
        }
        change.commit()?;
        self.index_mut().put(entry);
        Ok(())
    }

    /// Takes all but these uses from the policy, to which the private blob is bound.
    fn narrow(&self, change: &mut Change<'_>, key: &mut Key, usage: Usage) -> Result<()> {
        if key.volatile() {
            key.narrow(usage);
            return Ok(());
        }
        let private = self.unsealed(change, key)?;
        key.narrow(usage);
        table::set_policy(change, key, &self.keys.sealer.seal(&key.binding(), &private)?)
    }

    /// Lets somebody use a key for exactly this, in the place of an earlier grant.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidArgument`] for a grant of nothing or to the owner; [`Status::PsaErrorDoesNotExist`] where the key was
    /// destroyed meanwhile.
    pub fn grant(&self, key: &Key, to: &Principal, usage: Usage) -> Result<()> {
        let refuse = |why: String| Err(Error::refused(Status::PsaErrorInvalidArgument, why));
        if usage.is_empty() {
            return refuse("a grant must name at least one use; to take one back, revoke it".into());
        }
        if *to == key.owner {
            return refuse(format!("{to} owns the key '{}' and needs no grant", key.name));
        }
        key.check_stored("grants")?;
        self.change_grants(key, |db, key| {
            table::grant(db, key.uuid, to, usage)?;
            key.grants.insert(to.clone(), usage);
            Ok(())
        })
    }

    /// Takes a grant back.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`] where there is none.
    pub fn revoke(&self, key: &Key, from: &Principal) -> Result<()> {
        let mut count = None;
        self.change_grants(key, |change, key| {
            count = self.advance(change);
            if key.grants.remove(from).is_none() {
                let detail = format!("{from} holds no grant on the key '{}'", key.name);
                return Err(Error::refused(Status::PsaErrorDoesNotExist, detail));
            }
            change.adds = false;
            table::revoke(change, key.uuid, from)
        })?;
        self.raise(count);
        Ok(())
    }

    /// Removes the objects and tokens of a client and the grants that others gave it; its keys are destroyed by their providers.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn forget(&self, client: &Principal) -> Result<()> {
        self.forget_in(self.db(), client)
    }

    /// The same for a user who has nothing any more, and whose number somebody else has now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) fn forget_former(&self, uid: u32) -> Result<()> {
        let (db, client) = (self.db(), Principal::Uid(uid));
        if self.index().holds(&client) { Ok(()) } else { self.forget_in(db, &client) }
    }

    fn forget_in(&self, mut db: MutexGuard<'_, Database>, client: &Principal) -> Result<()> {
        let mut change = db.ending(&self.keys)?;
        table::forget(&mut change, client)?;
        let count = self.advance(&mut change);
        change.commit()?;
        self.index_mut().tokens.forget(client);
        self.index_mut().moved.forget_owner(client);
        if let Principal::Uid(uid) = client {
            self.index_mut().users.remove(uid);
            self.users.set(*uid, None);
        }
        while self.index_mut().remove_objects(client, None) {}
        while self.index_mut().forget(client) {}
        drop(db);
        self.raise(count);
        Ok(())
    }

    fn change_grants(&self, key: &Key, apply: impl FnOnce(&mut Change<'_>, &mut Key) -> Result<()>) -> Result<()> {
        let mut db = self.db();
        let mut current = self.owned(key).ok_or_else(|| key.gone())?;
        let mut change = db.change(&self.keys)?;
        apply(&mut change, Arc::make_mut(&mut current))?;
        change.commit()?;
        self.index_mut().put(Entry::Key(current));
        self.users.look();
        Ok(())
    }
}
