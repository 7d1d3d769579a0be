//! Changes to what stands beside a key: label, id and grants.

use super::index::Entry;
use super::object::none;
use super::{Key, Store, table};
use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::attributes::Usage;
use interface::operations::{RecordKind, SetMetadata};
use interface::{ProviderId, Status};
use std::sync::Arc;

impl Store {
    /// Changes the label or id of a record of the caller.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`]; [`Status::PsaErrorInvalidArgument`] for an unknown kind.
    pub fn set_metadata(&self, caller: &Principal, provider: ProviderId, set: &SetMetadata) -> Result<()> {
        let kind = RecordKind::try_from(set.kind)?;
        let db = self.db();
        let mut entry = match kind {
            RecordKind::Key => self.key(provider, caller, &set.name).map(Entry::Key),
            _ => self.index().object(provider, caller, kind, &set.name).map(Entry::Object),
        }
        .ok_or_else(|| none(kind, &set.name))?;
        let meta = match &mut entry {
            Entry::Key(key) => &mut Arc::make_mut(key).meta,
            Entry::Object(object) => &mut Arc::make_mut(object).meta,
        };
        if let Some(label) = &set.label {
            meta.label.clone_from(label);
        }
        if let Some(id) = &set.id {
            meta.id.clone_from(id);
        }
        table::set_metadata(&db, kind, meta)?;
        self.index_mut().put(entry);
        Ok(())
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
        self.change_grants(key, |db, key| {
            table::grant(db, &key.uuid, to, usage)?;
            key.grants.insert(to.clone(), usage);
            Ok(())
        })
    }

    /// Takes a grant back.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`] where there is none.
    pub fn revoke(&self, key: &Key, from: &Principal) -> Result<()> {
        self.change_grants(key, |db, key| {
            if key.grants.remove(from).is_none() {
                let detail = format!("{from} holds no grant on the key '{}'", key.name);
                return Err(Error::refused(Status::PsaErrorDoesNotExist, detail));
            }
            table::revoke(db, &key.uuid, from)
        })
    }

    /// Removes the objects and tokens of a client and the grants that others gave it; its keys are destroyed by their providers.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn forget(&self, client: &Principal) -> Result<()> {
        let mut db = self.db();
        table::forget(&mut db, client)?;
        self.index_mut().forget(client);
        Ok(())
    }

    fn change_grants(&self, key: &Key, change: impl FnOnce(&rusqlite::Connection, &mut Key) -> Result<()>) -> Result<()> {
        let db = self.db();
        let mut current =
            self.key(key.provider, &key.owner, &key.name).filter(|current| current.uuid == key.uuid).ok_or_else(|| key.gone())?;
        change(&db, Arc::make_mut(&mut current))?;
        self.index_mut().put(Entry::Key(current));
        Ok(())
    }
}
