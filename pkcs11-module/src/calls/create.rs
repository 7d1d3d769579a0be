//! C_CreateObject: certificates and data, and keys that the caller has.

use cryptoki_sys::*;
use der::Decode;
use der::asn1::{IntRef, SequenceRef};
use interface::attributes::{Attributes, EccFamily, KeyType};
use interface::certificate::Certificate;
use interface::operations::{PutObject, RecordKind};
use zeroize::Zeroizing;

use super::destination::{Destination, content_name, is_the_one_of};
use super::generate::{check_kind, parameter_set};
use super::object_management::check_value;
use super::policy;
use crate::error::{Call, Error, Result};
use crate::ffi::{Out, Template};
use crate::mechanism::{Family, Form, secret::SecretType};
use crate::objects::object::{Record, UnnamedCurveKey, kept};
use crate::objects::{attributes::Origin, material};
use crate::state;
use interface::hash::sha1;

/// What a template may say of a key beside what makes it up, by its class: whether that is so the service finds out.
const DOUBTFUL: [(CK_OBJECT_CLASS, CK_ATTRIBUTE_TYPE); 5] = [
    (CKO_SECRET_KEY, CKA_CHECK_VALUE),
    (CKO_PUBLIC_KEY, CKA_MODULUS_BITS),
    (CKO_PUBLIC_KEY, CKA_PUBLIC_KEY_INFO),
    (CKO_PRIVATE_KEY, CKA_PUBLIC_KEY_INFO),
    (CKO_PRIVATE_KEY, CKA_EC_POINT),
];

/// Creates an object and gives its handle.
pub(crate) fn create(session: CK_SESSION_HANDLE, template: &Template, handle: &Out<CK_OBJECT_HANDLE>) -> Result<()> {
    state::current()?.session(session)?;
    let class = template.number(CKA_CLASS)?.ok_or(Error::TemplateIncomplete)?;
    let storable =
        [CKO_CERTIFICATE, CKO_DATA, CKO_SECRET_KEY, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_DOMAIN_PARAMETERS].contains(&class);
    if !storable {
        return Err(Error::TemplateInconsistent);
    }
    let destination = Destination::new(session, class, template, Origin::Brought)?;
    let record = match class {
        CKO_CERTIFICATE => destination.put(certificate(template)?)?,
        CKO_DATA => destination.put(data(template)?)?,
        CKO_DOMAIN_PARAMETERS => domain(&destination, template)?,
        CKO_PUBLIC_KEY if is_nameless(template) => nameless(&destination, template)?,
        _ => brought(&destination, class, template)?,
    };
    handle.set(destination.learn_one(record)?);
    Ok(())
}

/// Whether a template describes the curve of a key instead of naming it (PKCS#11 v3.1 §6.3.3).
fn is_nameless(template: &Template) -> bool {
    template.value(CKA_EC_PARAMS).is_some_and(|params| <&SequenceRef>::from_der(params).is_ok())
}

/// The service takes no such key, so it is in a session or nowhere.
fn nameless(destination: &Destination, template: &Template) -> Result<Record> {
    check_kind(template, CKO_PUBLIC_KEY, KeyType::EccPublicKey(EccFamily::SecpR1))?;
    if destination.token {
        return Err(Error::CurveNotSupported);
    }
    let given =
        |kind| template.value(kind).filter(|value| !value.is_empty()).map(<[u8]>::to_vec).ok_or(Error::TemplateIncomplete);
    let key = UnnamedCurveKey { params: given(CKA_EC_PARAMS)?, point: given(CKA_EC_POINT)? };
    destination.nameless(destination.filing(CKO_PUBLIC_KEY, template, None)?, key)
}

/// Domain parameters, which the service does not take, so that they are in a session or nowhere.
fn domain(destination: &Destination, template: &Template) -> Result<Record> {
    let kind = template.number(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    if destination.token || ![CKK_DSA, CKK_DH].contains(&kind) {
        return Err(Error::TemplateInconsistent);
    }
    let group = material::group(template, kind)?;
    let group = destination.group(destination.filing(CKO_DOMAIN_PARAMETERS, template, None)?, group)?;
    is_the_one_of(CKO_DOMAIN_PARAMETERS, &group, template)?;
    Ok(group)
}

/// A key that is brought must be all that its template says, and have the check value that comes with it.
fn brought(destination: &Destination, class: CK_OBJECT_CLASS, template: &Template) -> Result<Record> {
    let (attributes, data) = key(class, template)?;
    let given = |kind| template.value(kind).filter(|value| !value.is_empty());
    let twice = [CKA_SEED, CKA_VALUE].into_iter().all(|kind| given(kind).is_some());
    let call = if twice { Call::CreateTwice } else { Call::Create };
    let make = |filing| destination.import(call, filing, &attributes, &data);
    let check = |record: &Record| {
        is_the_one_of(class, record, template)?;
        let own = || check_value(&destination.module, record.key()?, Some(&data));
        match given(CKA_CHECK_VALUE).map(|given| own().map(|own| *own == *given)) {
            None | Some(Some(true)) => Ok(()),
            Some(Some(false)) => Err(Error::AttributeValueInvalid),
            Some(None) => Err(Error::TemplateInconsistent),
        }
    };
    if class == CKO_SECRET_KEY {
        let len = u32::try_from(8 * data.len()).map_err(|_| Error::AttributeValueInvalid)?;
        let bits = if attributes.bits == 0 { len } else { attributes.bits };
        destination.check_asked(&Attributes { bits, ..attributes.clone() }, vec![], &[(class, template)])?;
    }
    let doubtful = DOUBTFUL.into_iter().any(|(of, kind)| of == class && given(kind).is_some());
    destination.verified(call, destination.filing(class, template, None)?, doubtful, make, check)
}

/// What a key of this class shall be; its size is left to the key's data, where that tells it.
fn key(class: CK_OBJECT_CLASS, template: &Template) -> Result<(Attributes, Zeroizing<Vec<u8>>)> {
    let kind = template.number(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    let secret = || SecretType::named(kind).ok_or(Error::TemplateInconsistent);
    let (key_type, bits, data) = match (class, Family::named(kind)) {
        (CKO_SECRET_KEY, _) => {
            let secret = secret()?;
            (secret.family.key_type(), secret.bits.unwrap_or(0), material::secret(template)?)
        }
        (CKO_PRIVATE_KEY | CKO_PUBLIC_KEY, Some(family)) => match (family.form(), class) {
            (Form::Rsa, CKO_PRIVATE_KEY) => (KeyType::RsaKeyPair, 0, material::rsa_private(template)?),
            (Form::Rsa, _) => (KeyType::RsaPublicKey, 0, material::rsa_public(template)?),
            (Form::Curve, _) => on_curve(class, template)?,
            (Form::Group, _) => with_group(class, kind, template)?,
            (Form::Set, _) => of_set(family, class, template)?,
            (Form::Secret, _) => return Err(Error::TemplateInconsistent),
        },
        _ => return Err(Error::TemplateInconsistent),
    };
    check_kind(template, class, key_type)?;
    let family = Family::of(key_type).ok_or(Error::CurveNotSupported)?;
    let policy = match class {
        CKO_SECRET_KEY => policy::secret(secret()?, template)?,
        CKO_PRIVATE_KEY => policy::pair(family, template, template)?,
        _ => policy::public(family, template)?,
    };
    Ok((Attributes { key_type, bits, policy }, data))
}

fn of_set(family: Family, class: CK_OBJECT_CLASS, template: &Template) -> Result<(KeyType, u32, Zeroizing<Vec<u8>>)> {
    let (pair, bits) = parameter_set(family, template, template)?;
    Ok(match class {
        CKO_PRIVATE_KEY => (pair, bits, material::seed_or_expanded(template)?),
        _ => (pair.public(), bits, material::secret(template)?),
    })
}

fn with_group(class: CK_OBJECT_CLASS, kind: CK_KEY_TYPE, template: &Template) -> Result<(KeyType, u32, Zeroizing<Vec<u8>>)> {
    let key = material::group_key(template, kind)?;
    let key_type = key.group.key_type();
    let (key_type, der) = match class {
        CKO_PRIVATE_KEY => (key_type.pair(), key.to_pkcs8()),
        _ => (key_type, key.to_spki().map(Zeroizing::new)),
    };
    Ok((key_type, 0, der.ok_or(Error::AttributeValueInvalid)?))
}

fn on_curve(class: CK_OBJECT_CLASS, template: &Template) -> Result<(KeyType, u32, Zeroizing<Vec<u8>>)> {
    let params = template.value(CKA_EC_PARAMS).ok_or(Error::TemplateIncomplete)?;
    let curve = material::curve(params)?;
    Ok(match class {
        CKO_PRIVATE_KEY => (curve.key_type.pair(), 0, material::ec_private(template, curve)?),
        _ => (curve.key_type, 0, material::ec_public(template, curve)?),
    })
}

fn certificate(template: &Template) -> Result<PutObject> {
    if template.number(CKA_CERTIFICATE_TYPE)?.ok_or(Error::TemplateIncomplete)? != CKC_X_509 {
        return Err(Error::AttributeValueInvalid);
    }
    let value = template.value(CKA_VALUE).ok_or(Error::TemplateIncomplete)?;
    let parsed = Certificate::parse(value).map_err(|_| Error::AttributeValueInvalid)?;
    for (kind, own) in [
        (CKA_SUBJECT, parsed.subject),
        (CKA_ISSUER, parsed.issuer),
        (CKA_PUBLIC_KEY_INFO, parsed.public_key),
        (CKA_CHECK_VALUE, &sha1(value)[..3]),
    ] {
        if template.value(kind).is_some_and(|given| !given.is_empty() && given != own) {
            return Err(Error::TemplateInconsistent);
        }
    }
    // some programs give the number without its header
    let serial = |given: &[u8]| {
        given.is_empty() || given == parsed.serial || IntRef::from_der(parsed.serial).is_ok_and(|own| own.as_bytes() == given)
    };
    if template.value(CKA_SERIAL_NUMBER).is_some_and(|given| !serial(given)) {
        return Err(Error::TemplateInconsistent);
    }
    let id = template.value(CKA_ID).filter(|id| !id.is_empty()).map(<[u8]>::to_vec);
    stored(RecordKind::Certificate, template, value, id.or_else(|| parsed.key_id()))
}

fn data(template: &Template) -> Result<PutObject> {
    stored(RecordKind::Data, template, template.value(CKA_VALUE).unwrap_or_default(), None)
}

/// The request that stores an object.
pub(super) fn stored(kind: RecordKind, template: &Template, value: &[u8], id: Option<Vec<u8>>) -> Result<PutObject> {
    let (class, prefix) = match kind {
        RecordKind::Certificate => (CKO_CERTIFICATE, "cert"),
        _ => (CKO_DATA, "data"),
    };
    let put = PutObject {
        kind: kind.into(),
        name: String::new(),
        value: value.to_vec(),
        label: Some(template.text(CKA_LABEL)?.unwrap_or_default().to_owned()),
        id,
        pkcs11: kept(class, template, None),
    };
    Ok(PutObject { name: content_name(prefix, &put), ..put })
}
