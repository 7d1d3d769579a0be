//! C_CreateObject: certificates and data, and keys that the caller has.

use cryptoki_sys::*;
use interface::attributes::{Attributes, KeyType};
use interface::operations::{ImportKey, PutObject, RecordKind};
use interface::spki::PublicKey;
use interface::{Status, client};
use zeroize::Zeroizing;

use super::generate::{check_kind, curve, named, parameter_set};
use super::object::check_private;
use super::policy;
use crate::certificate::Certificate;
use crate::error::{Error, Result};
use crate::ffi::{Out, Template};
use crate::hash::sha1;
use crate::material;
use crate::mechanism::{self, Family};
use crate::module::{self, Module, lock};
use crate::object::Record;
use crate::session::Session;

/// Creates an object and gives its handle.
pub(crate) fn create(session: CK_SESSION_HANDLE, template: &Template, handle: &Out<CK_OBJECT_HANDLE>) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let class = template.number(CKA_CLASS)?.ok_or(Error::TemplateIncomplete)?;
    let new = match class {
        CKO_CERTIFICATE => New::Object(certificate(template)?),
        CKO_DATA => New::Object(data(template)?),
        CKO_SECRET_KEY | CKO_PRIVATE_KEY | CKO_PUBLIC_KEY => New::Key(key(class, template)?),
        _ => return Err(Error::TemplateInconsistent),
    };
    check_token(template)?;
    session.check_writable()?;
    check_private(&module, &session, class, template)?;
    let record = match new {
        New::Object(put) => module.client.call(session.provider, &put)?,
        New::Key(key) => import(&module, &session, key)?,
    };
    let record = Record::try_from(record).map_err(|_| Error::DeviceFailed)?;
    let learned = lock(&module.objects).learn(record);
    let (first, _) = learned.first().ok_or(Error::DeviceFailed)?;
    handle.set(*first);
    Ok(())
}

enum New {
    Object(PutObject),
    Key(ImportKey),
}

fn import(module: &Module, session: &Session, key: ImportKey) -> Result<interface::operations::Record> {
    let name = named(key.label.as_deref(), key.id.as_deref(), |name| {
        let mut key = key.clone();
        key.key_name = name;
        module.client.call(session.provider, &key)
    });
    let name = name.map_err(|error| match &error {
        Error::Service(client::Error::Refused { status, .. }) => match status {
            Status::PsaErrorNotSupported => Error::KeySizeRange,
            Status::PsaErrorInvalidArgument => Error::AttributeValueInvalid,
            _ => error,
        },
        _ => error,
    })?;
    Ok(module.client.lookup(session.provider, None, &name)?)
}

/// The request that stores a key of this class.
fn key(class: CK_OBJECT_CLASS, template: &Template) -> Result<ImportKey> {
    let kind = template.number(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    let (key_type, bits, data) = match (class, kind) {
        (CKO_SECRET_KEY, CKK_AES) => (KeyType::Aes, 0, material::secret(template)?),
        (CKO_SECRET_KEY, kind) if kind == CKK_GENERIC_SECRET || mechanism::hmac_hash(kind).is_some() => {
            (KeyType::Hmac, 0, material::secret(template)?)
        }
        (CKO_SECRET_KEY, CKK_CHACHA20) => (KeyType::ChaCha20, 0, material::secret(template)?),
        (CKO_PRIVATE_KEY, CKK_RSA) => (KeyType::RsaKeyPair, 0, material::rsa_private(template)?),
        (CKO_PUBLIC_KEY, CKK_RSA) => (KeyType::RsaPublicKey, 0, material::rsa_public(template)?),
        (CKO_PRIVATE_KEY | CKO_PUBLIC_KEY, CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY) => on_curve(class, template)?,
        (CKO_PRIVATE_KEY | CKO_PUBLIC_KEY, CKK_ML_DSA) => of_lattice(Family::MlDsa, class, template)?,
        (CKO_PRIVATE_KEY | CKO_PUBLIC_KEY, CKK_ML_KEM) => of_lattice(Family::MlKem, class, template)?,
        _ => return Err(Error::TemplateInconsistent),
    };
    check_kind(template, class, key_type)?;
    let family = Family::of(key_type).ok_or(Error::CurveNotSupported)?;
    let policy = match class {
        CKO_SECRET_KEY => policy::secret(family, template)?,
        CKO_PRIVATE_KEY => policy::pair(family, template, template)?,
        _ => policy::public(family, template)?,
    };
    imported(Attributes { key_type, bits, policy }, &data, template)
}

/// A private key is its seed where that is given, else the expanded key (PKCS#11 v3.2 §6.67.3, §6.68.3).
fn of_lattice(family: Family, class: CK_OBJECT_CLASS, template: &Template) -> Result<(KeyType, u32, Zeroizing<Vec<u8>>)> {
    let (pair, bits) = parameter_set(family, template, template)?;
    Ok(match class {
        CKO_PRIVATE_KEY => (pair, bits, material::seed(template).or_else(|_| material::secret(template))?),
        _ => (pair.public(), bits, material::secret(template)?),
    })
}

fn on_curve(class: CK_OBJECT_CLASS, template: &Template) -> Result<(KeyType, u32, Zeroizing<Vec<u8>>)> {
    let params = template.value(CKA_EC_PARAMS).ok_or(Error::TemplateIncomplete)?;
    let curve = curve(params)?;
    Ok(match class {
        CKO_PRIVATE_KEY => (curve.key_type.pair(), 0, material::ec_private(template, curve)?),
        _ => (curve.key_type, 0, material::ec_public(template)?),
    })
}

/// The size is left to the key's data, where that tells it.
fn imported(attributes: Attributes, data: &[u8], template: &Template) -> Result<ImportKey> {
    let id = template.value(CKA_ID).filter(|id| !id.is_empty());
    Ok(ImportKey {
        key_name: String::new(),
        attributes: Some((&attributes).into()),
        data: data.to_vec(),
        label: Some(template.text(CKA_LABEL)?.unwrap_or_default().to_owned()),
        id: id.map(<[u8]>::to_vec),
        volatile: false,
        pkcs11: vec![],
    })
}

/// Fails for a template that gives the value of a key which comes about otherwise.
pub(super) fn check_valueless(template: &Template) -> Result<()> {
    let values = [CKA_VALUE, CKA_MODULUS, CKA_PRIVATE_EXPONENT, CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE];
    if values.into_iter().any(|kind| template.value(kind).is_some()) { Err(Error::TemplateInconsistent) } else { Ok(()) }
}

/// Has the service make a key of this template, and gives its handle.
pub(super) fn new_key<T>(
    module: &Module,
    session: &Session,
    template: &Template,
    make: impl Fn(String, Option<String>, Option<Vec<u8>>) -> Result<T, client::Error>,
) -> Result<CK_OBJECT_HANDLE> {
    let (label, id) = (template.text(CKA_LABEL)?, template.value(CKA_ID).filter(|id| !id.is_empty()));
    let name = named(label, id, |name| make(name, Some(label.unwrap_or_default().to_owned()), id.map(<[u8]>::to_vec)))?;
    let record = module.client.lookup(session.provider, None, &name)?;
    let record = Record::try_from(record).map_err(|_| Error::DeviceFailed)?;
    let learned = lock(&module.objects).learn(record);
    learned.first().map(|(handle, _)| *handle).ok_or(Error::DeviceFailed)
}

/// Everything is kept by the service: an object for the session alone cannot be had.
pub(super) fn check_token(template: &Template) -> Result<()> {
    match template.flag(CKA_TOKEN)? {
        Some(true) => Ok(()),
        _ => Err(Error::TemplateInconsistent),
    }
}

fn certificate(template: &Template) -> Result<PutObject> {
    if template.number(CKA_CERTIFICATE_TYPE)?.ok_or(Error::TemplateIncomplete)? != CKC_X_509 {
        return Err(Error::AttributeValueInvalid);
    }
    let value = template.value(CKA_VALUE).ok_or(Error::TemplateIncomplete)?;
    let parsed = Certificate::parse(value).map_err(|_| Error::AttributeValueInvalid)?;
    let default_id = || PublicKey::from_spki(parsed.public_key).map(|key| key.id());
    let id = template.value(CKA_ID).filter(|id| !id.is_empty()).map(<[u8]>::to_vec);
    stored(RecordKind::Certificate, "cert", value, template, id.or_else(default_id))
}

fn data(template: &Template) -> Result<PutObject> {
    for kind in [CKA_APPLICATION, CKA_OBJECT_ID] {
        if template.value(kind).is_some_and(|value| !value.is_empty()) {
            return Err(Error::TemplateInconsistent);
        }
    }
    let value = template.value(CKA_VALUE).unwrap_or_default();
    stored(RecordKind::Data, "data", value, template, None)
}

/// The request that stores an object, under a name made from its contents: what is stored twice is there once.
fn stored(kind: RecordKind, prefix: &str, value: &[u8], template: &Template, id: Option<Vec<u8>>) -> Result<PutObject> {
    let label = template.text(CKA_LABEL)?.unwrap_or_default();
    let digest = sha1(&[label.as_bytes(), b"\0", value].concat());
    Ok(PutObject {
        kind: kind.into(),
        name: format!("{prefix}-{}", hex(&digest[..8])),
        value: value.to_vec(),
        label: Some(label.to_owned()),
        id,
        pkcs11: vec![],
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
