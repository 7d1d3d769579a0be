//! Certificates and data that clients keep beside their keys. They hold nothing secret and are not sealed.

use super::index::{Entry, Term};
use super::key::Meta;
use super::{Store, table};
use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::certificate::Certificate;
use interface::operations::{DestroyObject, LookupObject, PutObject, Record, RecordKind};
use interface::{ProviderId, Status};
use std::sync::Arc;

/// A certificate or data object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) meta: Meta,
    pub(super) kind: RecordKind,
    pub(super) value: Vec<u8>,
}

/// PKCS#11 `CKA_SUBJECT`, `CKA_ISSUER` and `CKA_SERIAL_NUMBER`.
const SUBJECT: u64 = 0x101;
const ISSUER: u64 = 0x81;
const SERIAL: u64 = 0x82;

impl Object {
    /// What a certificate is found by, beside what is kept with it.
    pub(super) fn terms(&self) -> impl Iterator<Item = Term> {
        let certificate = (self.kind == RecordKind::Certificate).then(|| Certificate::parse(&self.value).ok()).flatten();
        certificate.into_iter().flat_map(|parsed| {
            let fields = [(SUBJECT, parsed.subject), (ISSUER, parsed.issuer), (SERIAL, parsed.serial)];
            let fields = fields.map(|(kind, value)| Term::Kept(kind, value.to_vec()));
            fields.into_iter().chain(parsed.key_id().map(Term::Public))
        })
    }

    pub(super) fn record(&self, caller: &Principal) -> Record {
        Record { value: self.value.clone(), ..self.meta.record(self.kind, caller) }
    }
}

impl Store {
    /// Stores an object, in the place of the one that the caller had under this name. A certificate without an id gets that of its
    /// public key, so that it stands with its private key.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidArgument`] for a kind that is no object's.
    pub fn put_object(&self, caller: &Principal, provider: ProviderId, put: &PutObject) -> Result<Record> {
        let kind = object_kind(put.kind)?;
        let mut db = self.db();
        self.index().tokens.epoch(&(provider, caller.clone()))?;
        let old = self.index().object(provider, caller, kind, &put.name);
        let id = put.id.clone().unwrap_or_else(|| match kind {
            RecordKind::Certificate => Certificate::parse(&put.value).ok().and_then(|parsed| parsed.key_id()).unwrap_or_default(),
            _ => Vec::new(),
        });
        let object = Object {
            meta: Meta {
                uuid: match &old {
                    Some(old) => old.meta.uuid.clone(),
                    None => table::uuid()?,
                },
                provider,
                owner: caller.clone(),
                name: put.name.clone(),
                label: put.label.clone().unwrap_or_else(|| put.name.clone()),
                id,
                pkcs11: put.pkcs11.clone(),
                created: table::now(),
            },
            kind,
            value: put.value.clone(),
        };
        let mut change = db.change(&self.keys)?;
        table::put_object(&mut change, &object)?;
        change.commit()?;
        let record = object.record(caller);
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
        let index = self.index();
        let owner = lookup.owner.as_deref().map(str::parse).transpose()?;
        let named = index.object(provider, owner.as_ref().unwrap_or(caller), kind, &lookup.name).map(Entry::Object);
        let named = named.filter(|object| index.visible(caller, object));
        let others = || match index.named(caller, provider, kind, &lookup.name, admins).0.as_slice() {
            [one] if owner.is_none() => Some(one.clone()),
            _ => None,
        };
        named.or_else(others).map(|object| object.record(caller)).ok_or_else(|| none(kind, &lookup.name))
    }

    /// Destroys an object of the caller.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`], [`Status::PsaErrorInvalidArgument`].
    pub fn destroy_object(&self, caller: &Principal, provider: ProviderId, destroy: &DestroyObject) -> Result<()> {
        let kind = object_kind(destroy.kind)?;
        let mut db = self.db();
        let object = self.index().object(provider, caller, kind, &destroy.name).ok_or_else(|| none(kind, &destroy.name))?;
        let mut change = db.change(&self.keys)?;
        table::delete_object(&mut change, &object.meta.uuid)?;
        change.commit()?;
        self.index_mut().remove(&object.meta.uuid);
        Ok(())
    }

    /// Destroys all objects that somebody has in a provider.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn destroy_objects(&self, owner: &Principal, provider: ProviderId) -> Result<()> {
        let mut db = self.db();
        let mut change = db.change(&self.keys)?;
        table::delete_objects(&mut change, owner, provider)?;
        change.commit()?;
        self.index_mut().remove_objects(owner, Some(provider));
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
