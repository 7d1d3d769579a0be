//! Objects: their handles, what can be read of them, and their end.

use std::cell::OnceCell;
use std::sync::Arc;

use cryptoki_sys::*;
use interface::algorithm::Cipher;
use interface::attributes::{KeyType, Usage};
use interface::client;
use interface::hash::sha1;
use interface::operations::{CipherEncrypt, ExportKey, Exported};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::ffi::{Mechanism, Out, Query};
use crate::mechanism::Family;
use crate::objects::object::{KeyObject, Object, Points, key_type};
use crate::objects::{attributes, material};
use crate::operations::active::Keyed;
use crate::state::{self, lock, module::Module};

/// The key with this handle, for an operation that wants this half of a pair.
pub(super) fn key(module: &Module, handle: CK_OBJECT_HANDLE, class: CK_OBJECT_CLASS) -> Result<Arc<Object>> {
    let object = lock(&module.objects).find(handle).ok_or(Error::KeyHandleInvalid)?;
    if object.private() {
        module.check_login(object.record.slot)?;
    }
    match (object.class, class) {
        (have, wanted) if have == wanted => Ok(object),
        (CKO_SECRET_KEY, _) => Ok(object),
        // no half has the attribute that permits what the other one does
        (CKO_PRIVATE_KEY | CKO_PUBLIC_KEY, _) => Err(Error::KeyFunctionNotPermitted),
        _ => Err(Error::KeyHandleInvalid),
    }
}

/// As [`key`], for a mechanism: one that the template named, where it named any.
pub(super) fn key_for(
    module: &Module,
    mechanism: &Mechanism,
    handle: CK_OBJECT_HANDLE,
    class: CK_OBJECT_CLASS,
) -> Result<Arc<Object>> {
    let object = key(module, handle, class)?;
    if object.allows(mechanism.kind()) { Ok(object) } else { Err(Error::MechanismInvalid) }
}

/// The operation, if the attribute that permits it is set: some uses are one to the policy of a key. The policy has permitted the
/// operation's mechanism already, and few mechanisms recover.
pub(super) fn permitted<T: Keyed>(operation: T, kind: CK_ATTRIBUTE_TYPE) -> Result<T> {
    let recovers = matches!(kind, CKA_SIGN_RECOVER | CKA_VERIFY_RECOVER);
    let set = operation.object().is_some_and(|key| if recovers { key.is(kind) } else { key.leaves(kind) });
    if set { Ok(operation) } else { Err(Error::KeyFunctionNotPermitted) }
}

pub(super) fn object(module: &Module, handle: CK_OBJECT_HANDLE) -> Result<Arc<Object>> {
    let object = lock(&module.objects).find(handle);
    object.filter(|object| !object.private() || module.login(object.record.slot).sees_private()).ok_or(Error::ObjectHandleInvalid)
}

pub(crate) fn attributes(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE, query: &Query, points: Points) -> Result<()> {
    let module = state::current()?;
    module.session(session)?;
    let object = object(&module, handle)?;
    let exported = OnceCell::new();
    query.answer(|kind| match (object.attribute_for(kind, points), object.key()) {
        (Err(Error::AttributeSensitive), Some(key)) if key.may(Usage::EXPORT) => {
            let exported = exported.get_or_init(|| export(&module, key).ok());
            let exported = exported.as_ref().ok_or(Error::AttributeSensitive)?;
            material::attribute(key_type(key.attributes.key_type), key.public.len(), &exported.data, kind)
        }
        (Err(Error::AttributeTypeInvalid), Some(key)) if object.class == CKO_SECRET_KEY && kind == CKA_CHECK_VALUE => {
            let exported = key.may(Usage::EXPORT).then(|| export(&module, key).ok()).flatten();
            check_value(&module, key, exported.as_ref().map(|exported| &*exported.data)).ok_or(Error::AttributeTypeInvalid)
        }
        (value, _) => value,
    })
}

/// The whole key, which may leave.
pub(super) fn export(module: &Module, key: &KeyObject) -> Result<Exported, client::Error> {
    let export = ExportKey { key_name: key.name.clone(), owner: key.owner() };
    module.call(key.provider, &export)
}

/// The check value of a secret key, where the caller may learn it: what anybody computes who may encrypt a block with the key, or
/// has its value (PKCS#11 v3.1 §4.10.2).
pub(super) fn check_value(module: &Module, key: &KeyObject, value: Option<&[u8]>) -> Option<Zeroizing<Vec<u8>>> {
    let block = Family::of(key.attributes.key_type).map_or(0, Family::block);
    let zeros = CipherEncrypt {
        key_name: key.name.clone(),
        alg: Cipher::EcbNoPadding.into(),
        plaintext: vec![0; block],
        owner: key.owner(),
        iv: None,
    };
    let mut check = match key.attributes.key_type {
        KeyType::Aes | KeyType::Des if key.may(Usage::ENCRYPT) && key.permits(Usage::ENCRYPT, Cipher::EcbNoPadding.into()) => {
            module.call(key.provider, &zeros).ok()?.ciphertext.clone()
        }
        KeyType::Aes | KeyType::Des => return None,
        _ => sha1(value?).to_vec(),
    };
    check.truncate(3);
    Some(check.into())
}

/// C_GetObjectSize: the bytes of all attributes that can be read.
pub(crate) fn size(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE, size: &Out<CK_ULONG>) -> Result<()> {
    let module = state::current()?;
    module.session(session)?;
    let object = object(&module, handle)?;
    let values = attributes::all(object.class).filter_map(|attribute| object.attribute(attribute.kind).ok());
    size.set(values.map(|value| value.len() as CK_ULONG).sum());
    Ok(())
}
