//! Certificates and data that clients keep beside their keys. They are not secret, so they are not sealed.
//!
//! Their values stay in the database and are read on request. Otherwise one client that stores much would take the memory of all.
//! The search terms of a value are in memory, and so is its digest: nobody gets another value than the one that was stored.

use super::entry::{Entry, Object};
use super::{Store, table};
use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::{Meta, Uuid};
use interface::certificate::Certificate;
use interface::operations::{DestroyObject, LookupObject, PutObject, Record, RecordKind};
use interface::{ProviderId, Status};
use std::sync::Arc;

impl Store {
    /// Stores an object, in the place of the one that the caller had under this name. A certificate without an id gets that of its
    /// public key, so that it stands with its private key.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidArgument`] for a kind that is no object's.
    pub fn put_object(&self, caller: &Principal, provider: ProviderId, put: &PutObject) -> Result<Record> {
        let kind = object_kind(put.kind)?;
        let id = put.id.clone().unwrap_or_else(|| match kind {
            RecordKind::Certificate => Certificate::parse(&put.value).ok().and_then(|parsed| parsed.key_id()).unwrap_or_default(),
            _ => Vec::new(),
        });
        let meta = Meta {
            uuid: Uuid::random()?,
            provider,
            owner: caller.clone(),
            name: put.name.clone(),
            label: put.label.clone().unwrap_or_else(|| put.name.clone()),
            id,
            pkcs11: put.pkcs11.clone(),
            created: table::now(),
        };
        let mut object = Object::new(meta, kind, &put.value);
        let mut db = self.db();
        self.index().tokens.epoch(&(provider, caller.clone()))?;
        if let Some(old) = self.index().object(provider, caller, kind, &put.name) {
            object.meta.uuid = old.meta.uuid;
        }
        let mut change = db.change(&self.keys)?;
        table::put_object(&mut change, &object, &put.value)?;
        change.commit()?;
        let record = Record { value: put.value.clone(), ..object.record(caller) };
        self.index_mut().put(Entry::Object(Arc::new(object)));
        Ok(record)
    }

    /// One object: the caller's own, or a certificate of somebody who granted the caller the key with its id, where one such owner is
    /// listed or the request names it.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`], [`Status::PsaErrorInvalidArgument`].
    pub fn object(
        &self,
        caller: &Principal,
        provider: ProviderId,
        lookup: &LookupObject,
        admins: &[Principal],
    ) -> Result<Record> {
        let kind = object_kind(lookup.kind)?;
        let owner = lookup.owner.as_deref().map(str::parse).transpose()?;
        let index = self.index();
        let named = index.object(provider, owner.as_ref().unwrap_or(caller), kind, &lookup.name).map(Entry::Object);
        let named = named.filter(|object| index.visible(caller, object));
        let others = || match index.named(caller, provider, kind, &lookup.name, admins).0.as_slice() {
            [one] if owner.is_none() => Some(one.clone()),
            _ => None,
        };
        let object = named.or_else(others).ok_or_else(|| none(kind, &lookup.name))?;
        drop(index);
        self.whole(caller, object.meta().uuid)?.ok_or_else(|| none(kind, &lookup.name))
    }

    /// The object as it is now, with its value; `None` where the caller sees none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the value is not the one that was stored.
    pub(super) fn whole(&self, caller: &Principal, uuid: Uuid) -> Result<Option<Record>> {
        let db = self.db();
        let index = self.index();
        let Some(Entry::Object(object)) = index.stored_entry(uuid).filter(|entry| index.visible(caller, entry)).cloned() else {
            return Ok(None);
        };
        drop(index);
        let value = table::value(&db, uuid)?;
        drop(db);
        let value = value.filter(|value| lc::sha256(value) == object.digest).ok_or_else(|| object.damaged())?;
        Ok(Some(Record { value, ..object.record(caller) }))
    }

    /// Destroys an object of the caller.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`], [`Status::PsaErrorInvalidArgument`].
    pub fn destroy_object(&self, caller: &Principal, provider: ProviderId, destroy: &DestroyObject) -> Result<()> {
        let kind = object_kind(destroy.kind)?;
        let mut db = self.db();
        let object = self.index().object(provider, caller, kind, &destroy.name).ok_or_else(|| none(kind, &destroy.name))?;
        let mut change = db.ending(&self.keys)?;
        table::delete_object(&mut change, object.meta.uuid)?;
        change.commit()?;
        self.index_mut().remove(object.meta.uuid);
        Ok(())
    }

    /// Destroys all objects that somebody has in a provider.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn destroy_objects(&self, owner: &Principal, provider: ProviderId) -> Result<()> {
        let mut db = self.db();
        let mut change = db.ending(&self.keys)?;
        table::delete_objects(&mut change, owner, provider)?;
        change.commit()?;
        while self.index_mut().remove_objects(owner, Some(provider)) {}
        Ok(())
    }
}

pub(super) fn none(kind: RecordKind, name: &str) -> Error {
    let what = match kind {
        RecordKind::Key => "key",
        RecordKind::Certificate => "certificate",
        RecordKind::Data => "data object",
    };
    let detail = format!("there is no {what} named '{name}' that you may see");
    Error::refused(Status::PsaErrorDoesNotExist, detail)
}

fn object_kind(number: i32) -> Result<RecordKind> {
    match RecordKind::try_from(number) {
        Ok(kind @ (RecordKind::Certificate | RecordKind::Data)) => Ok(kind),
        _ => Err(Error::refused(
            Status::PsaErrorInvalidArgument,
            format!("kind {number} is neither a certificate (2) nor data (3)"),
        )),
    }
}
