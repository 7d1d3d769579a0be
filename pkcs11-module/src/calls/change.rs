//! C_SetAttributeValue, C_CopyObject and C_DestroyObject.

use cryptoki_sys::*;
use interface::Filing;
use interface::attributes::Usage;
use interface::message::Pkcs11Attribute;
use interface::operations::{CopyKey, DestroyObject, LookupObject, PutObject, RecordKind, SetMetadata};

use super::destination::{Destination, hex};
use super::object_management::object;
use crate::error::{Call, During, Error, Result};
use crate::ffi::{Out, Template};
use crate::objects::attributes::{self, Source, flag};
use crate::objects::object::{KeyObject, NAMES, Object, Record, without_public_half};
use crate::random;
use crate::state::end::{destroy_key, end, is_gone};
use crate::state::{self, lock, module::Module, session::Session};

/// C_SetAttributeValue: what the standard lets change. Each half of a pair has its own label and id; a flag that only goes one way narrows
/// the key's policy for good.
pub(crate) fn set_attributes(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE, template: &Template) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let object = object(&module, handle)?;
    check_session(&session, &object)?;
    let change = change(&object, template, module.officer(session.slot()), Occasion::Set)?;
    if change == object.record.change() {
        return Ok(());
    }
    if !object.is(CKA_MODIFIABLE) {
        return Err(Error::ActionProhibited);
    }
    let record = store_change(Call::Change, &module, &session, &object, change)?;
    lock(&module.objects).learn(record);
    Ok(())
}

/// C_CopyObject. The copy is no weaker than the original; it may be in another place.
pub(crate) fn copy(
    handle: CK_SESSION_HANDLE,
    original: CK_OBJECT_HANDLE,
    template: &Template,
    copy: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    let object = object(&module, original)?;
    let officer = module.officer(session.slot());
    let change = change(&object, template, officer, Occasion::Copy)?;
    if !object.is(CKA_COPYABLE) {
        return Err(Error::ActionProhibited);
    }
    let record = object.record.with(change);
    let object = Object { class: object.class, record: record.into() };
    let token = template.flag(CKA_TOKEN)?.unwrap_or_else(|| object.record.session.is_none());
    let destination = Destination::of(handle, token)?;
    if object.private() {
        module.check_login(session.slot())?;
    }
    let (record, mut pkcs11) = (&object.record, object.all_kept());
    // What the officer says of a key holds for no copy that somebody else makes.
    pkcs11.retain(|kept| officer || kept.kind != CKA_TRUSTED);
    let (label, id) = (Some(object.label()), Some(object.attribute(CKA_ID).map(|id| id.to_vec()).unwrap_or_default()));
    let made = match (object.value(), object.key()) {
        (Some(value), _) => {
            let prefix = if record.kind == RecordKind::Certificate { "cert" } else { "data" };
            let name = format!("{prefix}-{}", hex(&random::bytes::<8>()?));
            destination.put(PutObject { kind: record.kind.into(), name, value: value.to_vec(), label, id, pkcs11 })?
        }
        (None, Some(key)) if object.class == CKO_PUBLIC_KEY => {
            destination.import_public(Filing { name: String::new(), label, id, volatile: !token, pkcs11 }, key)?
        }
        (None, Some(key)) => {
            check_own(Call::Copy, &module, &session, &object)?;
            copy_key(&destination, record, key, pkcs11)?
        }
        (None, None) => return Err(Error::ActionProhibited),
    };
    copy.set(destination.learn_one(made)?);
    Ok(())
}

/// The copy of a private key has no public half: a program that wants one copies that too.
fn copy_key(destination: &Destination, record: &Record, key: &KeyObject, mut pkcs11: Vec<Pkcs11Attribute>) -> Result<Record> {
    if key.attributes.key_type.is_pair() {
        pkcs11.push(without_public_half());
    }
    let filing = Filing { name: String::new(), volatile: !destination.token, pkcs11, ..record.filing() };
    let of_uuid = if record.session.is_none() { record.uuid.clone() } else { String::new() };
    let made = destination.key(Call::Copy, &filing, |Filing { name, label, id, volatile, pkcs11 }| {
        let (attributes, of) = (Some((&key.attributes).into()), key.name.clone());
        let copy = CopyKey { key_name: name, attributes, of, of_uuid: of_uuid.clone(), label, id, volatile, pkcs11 };
        destination.module.call(key.provider, &copy)
    });
    let made = made?;
    Ok(if destination.token { made } else { made.copy_of(record) })
}

/// C_DestroyObject. A pair goes with its private half; its public half can go alone, and is not shown any more.
pub(crate) fn destroy(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    if lock(&module.objects).bury(handle) {
        return Ok(());
    }
    let object = object(&module, handle)?;
    check_session(&session, &object)?;
    if !object.is(CKA_DESTROYABLE) {
        return Err(Error::ActionProhibited);
    }
    let record = &object.record;
    if object.is_view() {
        let change = SetMetadata { pkcs11: vec![without_public_half()], ..record.change() };
        let record = store_change(Call::Destroy, &module, &session, &object, change)?;
        let mut objects = lock(&module.objects);
        objects.forget(handle);
        objects.learn(record);
        return Ok(());
    }
    let destroyed = match object.value() {
        Some(_) if record.session.is_some() => Ok(()),
        Some(_) => {
            let (kind, name) = (record.kind.into(), record.name.clone());
            let destroy = DestroyObject { kind, name: name.clone() };
            let look = LookupObject { kind, name, owner: None };
            end(&module, session.provider, &destroy, &look, record)
        }
        None => destroy_key(&module, record),
    };
    if destroyed.as_ref().map_or_else(is_gone, |()| true) {
        lock(&module.objects).forget_record(record);
    }
    match destroyed {
        // the service has lost it before
        Err(error) if is_gone(&error) && record.session.is_some() => Ok(()),
        destroyed => destroyed.during(Call::Destroy),
    }
}

/// Fails in a read-only session, which may not change what the token keeps.
fn check_session(session: &Session, object: &Object) -> Result<()> {
    if object.record.session.is_some() { Ok(()) } else { session.check_writable() }
}

/// When attributes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    Set,
    Copy,
}

/// What a template asks to change.
fn change(object: &Object, template: &Template, officer: bool, occasion: Occasion) -> Result<SetMetadata> {
    let mut change = object.record.change();
    let mut lost = Usage::NONE;
    for (kind, value) in template.iter() {
        let attribute = attributes::find(object.class, kind)?;
        if object.attribute(kind).is_ok_and(|have| *have == value) {
            continue;
        }
        match occasion {
            // A public object may become private, not the other way round.
            Occasion::Copy if kind == CKA_PRIVATE && value != flag(true) => return Err(Error::TemplateInconsistent),
            Occasion::Copy if matches!(kind, CKA_TOKEN | CKA_PRIVATE | CKA_MODIFIABLE | CKA_DESTROYABLE) => {
                attribute.check(value)?
            }
            _ => attribute.check_change(value, officer)?,
        }
        if NAMES.contains(&kind) {
            change.pkcs11.extend(object.pin_other(kind));
        }
        match (attribute.source, kind) {
            (Source::Kept(_) | Source::Given, _) => change.pkcs11.push(object.keep(kind, value)),
            (Source::Forbidden(usage) | Source::Policy(usage), _) => {
                let had = kind == CKA_SENSITIVE || object.key().is_some_and(|key| key.suits(kind));
                lost = if had && !object.keeps_twin(attribute) { lost | usage } else { lost };
                change.pkcs11.push(object.keep(kind, value));
            }
            (Source::Object, CKA_LABEL | CKA_ID) if object.is_view() => change.pkcs11.push(object.keep(kind, value)),
            (Source::Object, CKA_LABEL) => change.label = template.text(CKA_LABEL)?.map(str::to_owned),
            (Source::Object, CKA_ID) => change.id = Some(value.to_vec()),
            (Source::Object, CKA_VALUE) if object.class == CKO_DATA => change.value = Some(value.to_vec()),
            (Source::Object, CKA_TOKEN) => {}
            (Source::Object, _) => return Err(Error::AttributeReadOnly),
        }
    }
    change.usage = (!lost.is_empty()).then(|| Usage::ALL.without(lost).into());
    Ok(change)
}

/// Has the service keep a change, unless the object is nowhere but here. Returns the record as it is then.
fn store_change(call: Call, module: &Module, session: &Session, object: &Object, change: SetMetadata) -> Result<Record> {
    if object.record.session.is_none() || object.key().is_some() {
        check_own(call, module, session, object)?;
        module.call(session.provider, &change).during(call)?;
    }
    Ok(object.record.with(change))
}

/// Fails for a key that somebody else has granted: requests that name no owner would reach another key.
fn check_own(call: Call, module: &Module, session: &Session, object: &Object) -> Result<()> {
    let Some(key) = object.key().filter(|_| object.record.session.is_none()) else {
        return Ok(());
    };
    match module.client.lookup(session.provider, None, &key.name) {
        // without a key of its own, the name may mean somebody else's
        Ok(found) if found.foreign => Err(Error::ActionProhibited),
        Ok(own) => match Record::try_from(own) {
            Ok(own) if own.uuid == object.record.uuid => Ok(()),
            _ => Err(Error::ActionProhibited),
        },
        Err(error) if is_gone(&error) => Err(Error::ActionProhibited),
        Err(error) => Err(Error::Service(call, error)),
    }
}
