//! C_WrapKey and C_UnwrapKey. Whether a key may leave under another is for the service to judge; here its answer gets a name.

use cryptoki_sys::*;
use interface::Filing;
use interface::attributes::{Attributes, EccFamily, KeyType, Usage};
use interface::operations::{UnwrapKey, WrapKey};

use super::destination::Destination;
use super::generate::{bits, check_kind};
use super::{object_management, policy};
use crate::error::{Call, During, Error, Result};
use crate::ffi::{Mechanism, Out, Output, Template};
use crate::mechanism::{self, Family, Work, parameters::Parameters, secret::SecretType};
use crate::objects::attributes::Origin;
use crate::objects::object::{KeyObject, Object, Record};
use crate::state;
use crate::state::end::{is_gone, is_there};

/// C_WrapKey. A length query wraps too: how long a private key's encoding is, only the service knows.
pub(crate) fn wrap(
    session: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    wrapping_key: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    out: &Output<u8>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    module.slots.check(session.provider, mechanism.kind(), CKF_WRAP)?;
    let missing = |error| if matches!(error, Error::KeyHandleInvalid) { Error::WrappingKeyHandleInvalid } else { error };
    let with = object_management::key_for(&module, mechanism, wrapping_key, CKO_PUBLIC_KEY).map_err(missing)?;
    let with = with.key().ok_or(Error::WrappingKeyHandleInvalid)?;
    let parameters = parameters(mechanism, with, Usage::WRAP)?.ok_or(Error::WrappingKeyTypeInconsistent)?;
    let leaving = object_management::key(&module, key, CKO_PRIVATE_KEY).map_err(|error| match error {
        Error::KeyFunctionNotPermitted => Error::KeyNotWrappable,
        error => error,
    })?;
    let key = leaving.key().ok_or(Error::KeyHandleInvalid)?;
    if key.attributes.key_type.is_public() {
        return Err(Error::KeyNotWrappable);
    }
    if !key.may(Usage::COPY) {
        return Err(Error::KeyUnextractable);
    }
    let op = WrapKey {
        key_name: key.name.clone(),
        owner: key.owner(),
        with_name: with.name.clone(),
        with_owner: with.owner(),
        alg: Some(parameters.algorithm.into()),
        iv: Some(parameters.iv.clone()),
        salt: parameters.additional,
    };
    let wrapped = match module.call(session.provider, &op) {
        Err(error) if is_gone(&error) && is_there(&module, with) => return Err(Error::KeyHandleInvalid),
        wrapped => wrapped.during(Call::Wrap)?,
    };
    out.write(wrapped.data.strip_prefix(parameters.iv.as_slice()).ok_or(Error::FunctionFailed)?)
}

/// C_UnwrapKey.
pub(crate) fn unwrap(
    handle: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    template: &Template,
    new: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    module.slots.check(session.provider, mechanism.kind(), CKF_UNWRAP)?;
    let missing = |error| if matches!(error, Error::KeyHandleInvalid) { Error::UnwrappingKeyHandleInvalid } else { error };
    let with = object_management::key_for(&module, mechanism, unwrapping_key, CKO_PRIVATE_KEY).map_err(missing)?;
    let with = with.key().ok_or(Error::UnwrappingKeyHandleInvalid)?;
    let parameters = parameters(mechanism, with, Usage::UNWRAP)?.ok_or(Error::UnwrappingKeyTypeInconsistent)?;
    let attributes = asked(template)?;
    let class = if attributes.key_type.is_pair() { CKO_PRIVATE_KEY } else { CKO_SECRET_KEY };
    let destination = Destination::new(handle, class, template, Origin::Generated)?;
    if !parameters.fit(true, wrapped.len(), with.attributes.bits) {
        return Err(Error::WrappedKeyLenRange);
    }
    let op = UnwrapKey {
        attributes: Some((&attributes).into()),
        data: [&parameters.iv, wrapped].concat(),
        with_name: with.name.clone(),
        with_owner: with.owner(),
        alg: Some(parameters.algorithm.into()),
        salt: parameters.additional,
        ..UnwrapKey::default()
    };
    let make = |filing: Filing| {
        destination.key(Call::Unwrap, &filing, |Filing { name, label, id, volatile, pkcs11 }| {
            module.call(session.provider, &UnwrapKey { key_name: name, label, id, volatile, pkcs11, ..op.clone() })
        })
    };
    let check = |record: &Record| {
        let object = Object { class, record: record.clone().into() };
        if object.is_as(template) { Ok(()) } else { Err(Error::TemplateInconsistent) }
    };
    let made = destination.verified(Call::Unwrap, destination.filing(class, template, None)?, true, make, check);
    let missing = |error| module.slots.unless_missing(&module.client, session.provider, mechanism.kind(), CKF_UNWRAP, error);
    let record = made.map_err(missing)?;
    new.set(destination.learn_one(record)?);
    Ok(())
}

/// The mechanism's parameters, if the key is of the type that it is for.
fn parameters(mechanism: &Mechanism, with: &KeyObject, usage: Usage) -> Result<Option<Parameters>> {
    let mode = mechanism::find(mechanism.kind(), |work| match work {
        Work::Wrap(mode) => Some(mode),
        _ => None,
    })?;
    match with.check_work(Work::Wrap(mode), usage) {
        Err(Error::KeyTypeInconsistent) => return Ok(None),
        checked => checked?,
    }
    let parameters = Parameters::read(mode, mechanism)?;
    with.check(usage, parameters.algorithm)?;
    if usage == Usage::WRAP {
        with.check_nonce(parameters.algorithm)?;
    }
    Ok(Some(parameters))
}

/// What the template asks for. The size of the key and the curve of a private key are what the wrapped key says.
fn asked(template: &Template) -> Result<Attributes> {
    let class = template.number(CKA_CLASS)?.ok_or(Error::TemplateIncomplete)?;
    let kind = template.number(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    let key_type = match (class, kind) {
        (CKO_SECRET_KEY, _) => {
            let bits = SecretType::named(kind).and_then(|own| own.bits).unwrap_or(0);
            return Ok(Attributes { bits, ..secret(template)? });
        }
        (CKO_PRIVATE_KEY, CKK_RSA) => KeyType::RsaKeyPair,
        (CKO_PRIVATE_KEY, CKK_EC) => KeyType::EccKeyPair(EccFamily::SecpR1),
        (CKO_PRIVATE_KEY, CKK_EC_EDWARDS) => KeyType::EccKeyPair(EccFamily::TwistedEdwards),
        (CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY) => KeyType::EccKeyPair(EccFamily::Montgomery),
        _ => return Err(Error::TemplateInconsistent),
    };
    let family = Family::of(key_type).ok_or(Error::CurveNotSupported)?;
    Ok(Attributes { key_type, bits: 0, policy: policy::pair(family, template, template)? })
}

/// What a template asks for whose secret key is not given there; zero bits where it does not say how many.
pub(super) fn secret(template: &Template) -> Result<Attributes> {
    let kind = template.number(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
    let secret = SecretType::named(kind).ok_or(Error::TemplateInconsistent)?;
    let key_type = secret.family.key_type();
    check_kind(template, CKO_SECRET_KEY, key_type)?;
    let bits = bits(template)?.or(secret.bits).unwrap_or(0);
    Ok(Attributes { key_type, bits, policy: policy::secret(secret, template)? })
}
