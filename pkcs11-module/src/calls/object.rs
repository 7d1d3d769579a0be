//! Objects: search, attributes, storing and destroying.

use std::cell::OnceCell;
use std::sync::Arc;

use cryptoki_sys::*;
use interface::attributes::Usage;
use interface::client;
use interface::operations::{DestroyKey, DestroyObject, ExportKey, Exported, Find, RecordKind, SetMetadata};
use interface::{ProviderId, Status};

use crate::error::{Error, Result};
use crate::ffi::{Out, Query, Room, Template};
use crate::material;
use crate::module::{self, Module, lock};
use crate::object::{Key, Object, Record, key_type, private_by_default};
use crate::session::Session;

/// The key with this handle, for an operation that wants this half of a pair.
pub(super) fn key(module: &Module, handle: CK_OBJECT_HANDLE, class: CK_OBJECT_CLASS) -> Result<Arc<Object>> {
    let object = lock(&module.objects).find(handle).ok_or(Error::KeyHandleInvalid)?;
    if object.private() {
        module.check_login(object.record.slot)?;
    }
    match (object.class, class) {
        (have, wanted) if have == wanted => Ok(object),
        // A private key knows its public half, and a secret key has no halves.
        (CKO_PRIVATE_KEY, CKO_PUBLIC_KEY) | (CKO_SECRET_KEY, _) => Ok(object),
        (CKO_PUBLIC_KEY, _) => Err(Error::KeyFunctionNotPermitted),
        _ => Err(Error::KeyHandleInvalid),
    }
}

fn object(module: &Module, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
    let object = lock(&module.objects).find(handle);
    object.filter(|object| !object.private() || module.login(object.record.slot).sees_private()).ok_or(Error::ObjectHandleInvalid)
}

/// Fails for a template of an object that only the user may make.
pub(super) fn check_private(module: &Module, session: &Session, class: CK_OBJECT_CLASS, template: &Template) -> Result<()> {
    match template.flag(CKA_PRIVATE)? {
        Some(false) => Ok(()),
        None if !private_by_default(class) => Ok(()),
        _ => module.check_login(session.slot()),
    }
}

/// C_FindObjectsInit: one round trip. The service sifts by what its index knows, the module by every other attribute.
pub(crate) fn find_init(session: CK_SESSION_HANDLE, template: &Template) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let records = match filter(template)? {
        Some(filter) => module.client.find(session.provider, &filter)?,
        None => vec![],
    };
    let mut found = Vec::new();
    let sees_private = module.login(session.slot()).sees_private();
    let mut objects = lock(&module.objects);
    for record in records {
        let here = record.provider_id == u32::from(session.provider.number());
        // A newer service may keep what this module has no name for.
        let Ok(record) = Record::try_from(record) else {
            continue;
        };
        if here || record.kind != RecordKind::Key {
            let learned = objects.learn(record).into_iter();
            let matching = learned.filter(|(_, object)| (sees_private || !object.private()) && object.matches(template));
            found.extend(matching.map(|(handle, _)| handle));
        }
    }
    drop(objects);
    session.operations().find.start(Some(found.into_iter()))
}

/// The service's part of a search; none when no object can match.
fn filter(template: &Template) -> Result<Option<Find>> {
    let kind = match template.number(CKA_CLASS)? {
        None => None,
        Some(CKO_PRIVATE_KEY | CKO_PUBLIC_KEY | CKO_SECRET_KEY) => Some(RecordKind::Key),
        Some(CKO_CERTIFICATE) => Some(RecordKind::Certificate),
        Some(CKO_DATA) => Some(RecordKind::Data),
        Some(_) => return Ok(None),
    };
    if template.flag(CKA_TOKEN)? == Some(false) {
        return Ok(None);
    }
    let Ok(label) = template.text(CKA_LABEL) else {
        return Ok(None);
    };
    Ok(Some(Find {
        kind: kind.map(i32::from),
        label: label.map(str::to_owned),
        id: template.value(CKA_ID).map(<[u8]>::to_vec),
        ..Find::default()
    }))
}

pub(crate) fn find(session: CK_SESSION_HANDLE, room: &Room<CK_OBJECT_HANDLE>, count: &Out<CK_ULONG>) -> Result<()> {
    let session = module::current()?.session(session)?;
    let mut operations = session.operations();
    let next: Vec<_> = operations.find.current()?.by_ref().take(room.len()).collect();
    count.set(room.fill(0, &next) as CK_ULONG);
    Ok(())
}

pub(crate) fn find_final(session: CK_SESSION_HANDLE) -> Result<()> {
    module::current()?.session(session)?.operations().find.take().map(drop)
}

pub(crate) fn attributes(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE, query: &Query) -> Result<()> {
    let module = module::current()?;
    module.session(session)?;
    let object = object(&module, handle)?;
    let exported = OnceCell::new();
    query.answer(|kind| match (object.attribute(kind), object.key()) {
        (Err(Error::AttributeSensitive), Some(key)) if key.may(Usage::EXPORT) => {
            let exported = exported.get_or_init(|| export(&module, key).ok());
            let exported = exported.as_ref().ok_or(Error::AttributeSensitive)?;
            material::attribute(key_type(key.attributes.key_type), &exported.data, kind)
        }
        (value, _) => value,
    })
}

/// The whole key, which may leave.
pub(super) fn export(module: &Module, key: &Key) -> Result<Exported> {
    let export = ExportKey { key_name: key.name.clone(), owner: key.owner() };
    Ok(module.client.call(key.provider, &export)?)
}

/// C_SetAttributeValue: label and id can be changed, for both halves of a pair at once; everything else is as it is.
pub(crate) fn set_attributes(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE, template: &Template) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let object = object(&module, handle)?;
    session.check_writable()?;
    for (kind, value) in template.iter() {
        let same = object.attribute(kind)?.as_slice() == value;
        if !same && !matches!(kind, CKA_LABEL | CKA_ID) {
            return Err(Error::AttributeReadOnly);
        }
    }
    let label = template.text(CKA_LABEL)?.map(str::to_owned);
    let id = template.value(CKA_ID).map(<[u8]>::to_vec);
    let record = &object.record;
    check_own(&module, session.provider, &object)?;
    let change = SetMetadata {
        kind: record.kind.into(),
        name: record.name.clone(),
        label: label.clone(),
        id: id.clone(),
        ..SetMetadata::default()
    };
    module.client.call(session.provider, &change).map_err(prohibited)?;
    lock(&module.objects).learn(record.with(label, id));
    Ok(())
}

/// Fails for a key that somebody else has granted: requests that name no owner would reach another key.
fn check_own(module: &Module, provider: ProviderId, object: &Object) -> Result<()> {
    let Some(key) = object.key() else {
        return Ok(());
    };
    match module.client.lookup(provider, None, &key.name) {
        Ok(own) => match Record::try_from(own) {
            Ok(own) if own.uuid == object.record.uuid => Ok(()),
            _ => Err(Error::ActionProhibited),
        },
        Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => Err(Error::ActionProhibited),
        Err(error) => Err(error.into()),
    }
}

/// A refusal of the service to change an object.
fn prohibited(error: client::Error) -> Error {
    match error.status() {
        Some(Status::PsaErrorNotPermitted) => Error::ActionProhibited,
        _ => error.into(),
    }
}

/// C_DestroyObject. The public half of a pair is a view of it, of which only the handle goes; the pair goes with its private
/// half.
pub(crate) fn destroy(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let object = object(&module, handle)?;
    session.check_writable()?;
    let record = &object.record;
    let name = record.name.clone();
    let destroyed = match object.key() {
        Some(_) if object.is_view() => Ok(()),
        Some(key) => {
            let destroy = DestroyKey { key_name: name, owner: key.owner() };
            module.client.call(key.provider, &destroy).map(drop)
        }
        None => {
            let destroy = DestroyObject { kind: record.kind.into(), name };
            module.client.call(session.provider, &destroy).map(drop)
        }
    };
    let gone = |error: &client::Error| error.status() == Some(Status::PsaErrorDoesNotExist);
    if destroyed.as_ref().map_or_else(gone, |()| true) {
        lock(&module.objects).forget(handle);
    }
    destroyed.map_err(prohibited)
}
