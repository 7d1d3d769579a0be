//! Search.

use std::collections::BTreeSet;

use cryptoki_sys::*;
use interface::attributes::KeyType;
use interface::message::Pkcs11Attribute;
use interface::operations::{Find, RecordKind};
use interface::spki::PublicKey;

use super::ssh;
use crate::error::{Call, During, Result};
use crate::ffi::{Out, Room, Template};
use crate::objects::object::{self, Object, Record, classes};
use crate::objects::{attributes, material};
use crate::state::{self, lock};
use interface::hash::sha1;

/// The profiles that the module keeps (PKCS#11 Profiles v3.1 §3).
const PROFILES: [CK_PROFILE_ID; 2] = [CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER];

/// C_FindObjectsInit: one round trip, and one more where session keys match, which a restart of the service has ended, and for
/// certificates in OpenSSH. The service sifts by what its index knows, the module by every other attribute.
pub(crate) fn init(session: CK_SESSION_HANDLE, template: &Template) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let slot = session.slot();
    session.operations().find.check_idle()?;
    let found = filter(template)?.map(|filter| module.client.find(session.provider, &filter).during(Call::Ask));
    let mut records = found.transpose()?.unwrap_or_default();
    let mut seen = BTreeSet::new();
    records.retain(|record| seen.insert((record.uuid.clone(), record.name.clone())));
    if ssh::looks_around(template) {
        let keys = Find { kind: Some(RecordKind::Key.into()), ..Find::default() };
        ssh::arrange(&mut records, || module.client.find(session.provider, &keys).during(Call::Ask))?;
    }
    let sees_private = module.login(slot).sees_private();
    let fits = |object: &Object| (sees_private || !object.private()) && object.matches(template);
    module.forget_lost(session.provider, fits);
    let mut objects = lock(&module.objects);
    let here = objects.in_sessions(slot).filter(|(_, object)| fits(object));
    let mut found: Vec<_> = here.map(|(handle, _)| handle).collect();
    // A newer service may keep what this module has no name for.
    let records = records.into_iter().filter_map(|record| Record::try_from(record).ok());
    for record in records.chain(profiles(slot, template)?) {
        let learned = objects.learn(record).into_iter();
        found.extend(learned.filter(|(_, object)| fits(object)).map(|(handle, _)| handle));
    }
    drop(objects);
    session.operations().find.start(Some(found.into_iter()))
}

/// Profile objects, for those who look for them: many programs stumble over classes that are newer than they.
fn profiles(slot: CK_SLOT_ID, template: &Template) -> Result<impl Iterator<Item = Record>> {
    let wanted = template.number(CKA_CLASS)? == Some(CKO_PROFILE);
    let profiles = PROFILES.into_iter().filter(move |_| wanted);
    Ok(profiles.map(move |id| Record::profile(slot, id)))
}

/// The service's part of a search; none when no object can match.
fn filter(template: &Template) -> Result<Option<Find>> {
    let (class, kind) = (template.number(CKA_CLASS)?, template.number(CKA_KEY_TYPE)?);
    let record = match class {
        None => kind.map(|_| RecordKind::Key),
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
    let fits = |key_type: &KeyType| {
        class.is_none_or(|class| classes(*key_type).contains(&class)) && kind.is_none_or(|kind| object::may_be(*key_type, kind))
    };
    let Ok(unique) = template.text(CKA_UNIQUE_ID) else {
        return Ok(None);
    };
    let keys = record == Some(RecordKind::Key);
    Ok(Some(Find {
        uuid: unique.map(|unique| object::uuid(unique).to_owned()),
        kind: record.map(i32::from),
        label: label.map(str::to_owned),
        id: template.value(CKA_ID).map(<[u8]>::to_vec),
        key_types: KeyType::all().filter(|key_type| keys && fits(key_type)).map(Into::into).collect(),
        public_id: public_id(template),
        pkcs11: template.iter().filter(|(kind, value)| attributes::indexed(class, *kind, value)).map(kept).collect(),
        public_halves: matches!(class, None | Some(CKO_PUBLIC_KEY)),
        ..Find::default()
    }))
}

fn kept((kind, value): (CK_ATTRIBUTE_TYPE, &[u8])) -> Pkcs11Attribute {
    Pkcs11Attribute { kind, value: value.to_vec() }
}

/// What the service finds a key and its certificates by whose public value is given.
fn public_id(template: &Template) -> Option<Vec<u8>> {
    let modulus = template.value(CKA_MODULUS).map(|modulus| {
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        sha1(&modulus[zeros..]).to_vec()
    });
    let point = || Some(sha1(material::any_point(template.value(CKA_EC_POINT)?)).to_vec());
    let info = || PublicKey::from_spki(template.value(CKA_PUBLIC_KEY_INFO)?).map(|key| key.id());
    modulus.or_else(point).or_else(info)
}

pub(crate) fn next(session: CK_SESSION_HANDLE, room: &Room<CK_OBJECT_HANDLE>, count: &Out<CK_ULONG>) -> Result<()> {
    let session = state::current()?.session(session)?;
    let mut operations = session.operations();
    let next: Vec<_> = operations.find.current()?.by_ref().take(room.len()).collect();
    count.set(room.fill(0, &next) as CK_ULONG);
    Ok(())
}

pub(crate) fn finish(session: CK_SESSION_HANDLE) -> Result<()> {
    state::current()?.session(session)?.operations().find.take().map(drop)
}
