//! Search.

use cryptoki_sys::*;
use interface::operations::{Find, RecordKind};

use crate::error::Result;
use crate::ffi::{Out, Room, Template};
use crate::module::{self, lock};
use crate::object::{Object, Record};

/// The profiles that the module keeps (PKCS#11 Profiles v3.1 §3).
const PROFILES: [CK_PROFILE_ID; 2] = [CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER];

/// C_FindObjectsInit: one round trip. The service sifts by what its index knows, the module by every other attribute.
pub(crate) fn init(session: CK_SESSION_HANDLE, template: &Template) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let slot = session.slot();
    session.operations().find.check_idle()?;
    let records = match filter(template)? {
        Some(filter) => module.client.find(session.provider, &filter)?,
        None => vec![],
    };
    let sees_private = module.login(slot).sees_private();
    let fits = |object: &Object| (sees_private || !object.private()) && object.matches(template);
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

pub(crate) fn next(session: CK_SESSION_HANDLE, room: &Room<CK_OBJECT_HANDLE>, count: &Out<CK_ULONG>) -> Result<()> {
    let session = module::current()?.session(session)?;
    let mut operations = session.operations();
    let next: Vec<_> = operations.find.current()?.by_ref().take(room.len()).collect();
    count.set(room.fill(0, &next) as CK_ULONG);
    Ok(())
}

pub(crate) fn finish(session: CK_SESSION_HANDLE) -> Result<()> {
    module::current()?.session(session)?.operations().find.take().map(drop)
}
