//! C_DeriveKey, which by one mechanism gives data and no key.

use cryptoki_sys::*;
use interface::Filing;
use interface::algorithm::{Agreement, Algorithm, Derivation, Hash, KeyAgreement};
use interface::attributes::{Attributes, KeyType, Usage};
use interface::client;
use interface::group::GroupKey;
use interface::message::Empty;
use interface::operations::{DeriveKey, HkdfStep, RecordKind};
use zeroize::Zeroizing;

use super::create::stored;
use super::destination::Destination;
use super::generate::bits;
use super::object_management;
use super::wrap::secret;
use crate::error::{Call, During, Error, Result};
use crate::ffi::{Mechanism, Out, Template};
use crate::mechanism::{self, Family, Kdf, Work};
use crate::objects::{attributes::Origin, material, object::KeyObject};
use crate::state::{self, end::destroy_key, module::Module};

/// What CK_EC_KDF_TYPE says.
const KDFS: &[(CK_EC_KDF_TYPE, Option<Hash>)] = &[
    (CKD_NULL, None),
    (CKD_SHA1_KDF, Some(Hash::Sha1)),
    (CKD_SHA224_KDF, Some(Hash::Sha224)),
    (CKD_SHA256_KDF, Some(Hash::Sha256)),
    (CKD_SHA384_KDF, Some(Hash::Sha384)),
    (CKD_SHA512_KDF, Some(Hash::Sha512)),
];

/// C_DeriveKey.
pub(crate) fn derive(
    handle: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    base: CK_OBJECT_HANDLE,
    template: &Template,
    new: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    module.slots.check(session.provider, mechanism.kind(), CKF_DERIVE)?;
    let base = object_management::key_for(&module, mechanism, base, CKO_PRIVATE_KEY)?;
    let base = base.key().ok_or(Error::KeyHandleInvalid)?;
    let family = Family::of(base.attributes.key_type);
    find(mechanism, |_| true)?;
    let kdf = find(mechanism, |kdf| Some(kdf.family()) == family).map_err(|_| Error::KeyTypeInconsistent)?;
    base.check_work(Work::Derive(kdf), Usage::DERIVE)?;
    let (algorithm, op) = parameters(&module, kdf, mechanism, base)?;
    base.check(Usage::DERIVE, algorithm)?;
    let gives_data = mechanism.kind() == CKM_HKDF_DATA;
    let class = if gives_data { CKO_DATA } else { CKO_SECRET_KEY };
    let (of_data, len) = template.split(CKA_VALUE_LEN);
    let destination = Destination::new(handle, class, if gives_data { &of_data } else { template }, Origin::Generated)?;
    let attributes = if gives_data { readable(&len)? } else { secret(template)? };
    if most(algorithm, base, &op).is_some_and(|most| attributes.bits as usize > 8 * most) {
        return Err(Error::KeySizeRange);
    }
    if attributes.bits == 0 && endless(&attributes, algorithm, &op) {
        return Err(Error::TemplateIncomplete);
    }
    let op = DeriveKey {
        attributes: Some((&attributes).into()),
        with_name: base.name.clone(),
        with_owner: base.owner(),
        alg: Some(algorithm.into()),
        ..op
    };
    let make = |Filing { name, label, id, volatile, pkcs11 }| {
        module.call(session.provider, &DeriveKey { key_name: name, label, id, volatile, pkcs11, ..op.clone() })
    };
    let made = if gives_data {
        data(&destination, &of_data, make)
    } else {
        destination.new_key(Call::Derive, CKO_SECRET_KEY, template, &attributes, make)
    };
    let missing = |error| module.slots.unless_missing(&module.client, session.provider, mechanism.kind(), CKF_DERIVE, error);
    new.set(made.map_err(missing)?);
    Ok(())
}

/// What a key shall be that is there only to be read.
fn readable(len: &Template) -> Result<Attributes> {
    Ok(Attributes {
        key_type: KeyType::Hmac,
        bits: bits(len)?.unwrap_or(0),
        policy: mechanism::policy(Usage::EXPORT | Usage::COPY, []),
    })
}

/// Makes a key, for a moment, and stores its value as data (CKM_HKDF_DATA).
fn data(
    destination: &Destination,
    template: &Template,
    make: impl Fn(Filing) -> Result<Empty, client::Error>,
) -> Result<CK_OBJECT_HANDLE> {
    if template.value(CKA_VALUE).is_some() {
        return Err(Error::TemplateInconsistent);
    }
    let key = destination.key(Call::Derive, &Filing { volatile: true, ..Filing::default() }, make)?;
    let value = key
        .key()
        .ok_or(Error::DeviceFailed)
        .and_then(|key| object_management::export(&destination.module, key).during(Call::Derive));
    destroy_key(&destination.module, &key).during(Call::Derive)?;
    destination.learn_one(destination.put(stored(RecordKind::Data, template, &value?.data, None)?)?)
}

/// The derivation of a mechanism that is for the right keys.
fn find(mechanism: &Mechanism, fits: impl Fn(Kdf) -> bool) -> Result<Kdf> {
    mechanism::find(mechanism.kind(), |work| match work {
        Work::Derive(kdf) if fits(kdf) => Some(kdf),
        _ => None,
    })
}

/// Whether the template must say how long the key is: no length is special to the derivation, or to the type of key.
fn endless(attributes: &Attributes, algorithm: Algorithm, op: &DeriveKey) -> bool {
    match algorithm {
        Algorithm::Agreement(KeyAgreement::WithKeyDerivation(..)) => true,
        Algorithm::Derivation(Derivation::Concatenate) => false,
        Algorithm::Derivation(Derivation::Hkdf { .. }) => op.step != Some(HkdfStep::Extract.into()),
        _ => attributes.key_type == KeyType::Aes,
    }
}

/// How many bytes the derivation yields, where that is known here. Data to encrypt that is too short is the parameter's fault.
fn most(algorithm: Algorithm, base: &KeyObject, op: &DeriveKey) -> Option<usize> {
    match algorithm {
        Algorithm::Agreement(KeyAgreement::Raw(Agreement::Ecdh)) => Some(base.attributes.bits.div_ceil(8) as usize),
        Algorithm::Agreement(KeyAgreement::Raw(Agreement::Ffdh)) => base.group().map(|group| group.prime.len()),
        Algorithm::Derivation(Derivation::Digest { hash }) => Some(hash.len()),
        Algorithm::Derivation(Derivation::Hkdf { hash }) if op.step == Some(HkdfStep::Extract.into()) => Some(hash.len()),
        Algorithm::Derivation(Derivation::Hkdf { hash }) => Some(255 * hash.len()),
        Algorithm::Derivation(Derivation::Concatenate) if op.other_name.is_none() => {
            Some(base.attributes.bits as usize / 8 + op.data.len())
        }
        _ => None,
    }
}

/// The algorithm, and the fields of the request that the mechanism's parameter says.
fn parameters(module: &Module, kdf: Kdf, mechanism: &Mechanism, base: &KeyObject) -> Result<(Algorithm, DeriveKey)> {
    let op = DeriveKey::default();
    Ok(match kdf {
        Kdf::Ecdh(_) => return ecdh(mechanism, base),
        Kdf::Dh => (Agreement::Ffdh.into(), DeriveKey { peer_key: in_group(mechanism.bytes()?, base)?, ..op }),
        Kdf::Hkdf(_) => return hkdf(module, kdf, mechanism),
        Kdf::Digest(_) if mechanism.has_parameter() => return Err(Error::MechanismParamInvalid),
        Kdf::Digest(hash) => (Derivation::Digest { hash }.into(), op),
        Kdf::BaseAndKey => (Derivation::Concatenate.into(), other(module, mechanism.handle()?)?),
        Kdf::BaseAndData => (Derivation::Concatenate.into(), DeriveKey { data: mechanism.string_data()?, ..op }),
        Kdf::DataAndBase => {
            (Derivation::Concatenate.into(), DeriveKey { data: mechanism.string_data()?, data_first: true, ..op })
        }
        Kdf::Encrypt(cipher) => {
            let (salt, data) = mechanism.cbc_data().or_else(|_| mechanism.string_data().map(|data| (vec![], data)))?;
            (Derivation::Encrypt(cipher).into(), DeriveKey { data, salt, ..op })
        }
    })
}

fn ecdh(mechanism: &Mechanism, base: &KeyObject) -> Result<(Algorithm, DeriveKey)> {
    let (kdf, data, public) = mechanism.ecdh()?;
    let hash = KDFS.iter().find(|row| row.0 == kdf).ok_or(Error::MechanismParamInvalid)?.1;
    let algorithm = match hash {
        Some(hash) => Algorithm::Agreement(KeyAgreement::WithKeyDerivation(Agreement::Ecdh, Derivation::X963 { hash })),
        None if data.is_empty() => Agreement::Ecdh.into(),
        None => return Err(Error::MechanismParamInvalid),
    };
    Ok((algorithm, DeriveKey { peer_key: point(public, base), data, ..DeriveKey::default() }))
}

/// The peer's public value, which programs give with and without the OCTET STRING around it (PKCS#11 §6.3.17).
fn point(public: Vec<u8>, base: &KeyObject) -> Vec<u8> {
    base.curve().map(|curve| material::point(&public, curve).to_vec()).unwrap_or(public)
}

/// The peer's public value in the group of the base (PKCS#11 v3.1 §6.4.5).
fn in_group(public: &[u8], base: &KeyObject) -> Result<Vec<u8>> {
    let group = base.group().ok_or(Error::KeyTypeInconsistent)?;
    let peer = GroupKey { group, number: Zeroizing::new(public.to_vec()) };
    peer.to_spki().ok_or(Error::MechanismParamInvalid)
}

fn hkdf(module: &Module, kdf: Kdf, mechanism: &Mechanism) -> Result<(Algorithm, DeriveKey)> {
    let (params, salt, data) = mechanism.hkdf()?;
    let hash = mechanism::hash(params.prfHashMechanism);
    let algorithm = hash.map(|hash| Algorithm::from(Derivation::Hkdf { hash }));
    let algorithm = algorithm.filter(|algorithm| kdf.algorithms().contains(algorithm)).ok_or(Error::MechanismParamInvalid)?;
    let step = match (params.bExtract != CK_FALSE, params.bExpand != CK_FALSE) {
        (true, true) => None,
        (true, false) => Some(HkdfStep::Extract.into()),
        (false, true) => Some(HkdfStep::Expand.into()),
        (false, false) => return Err(Error::MechanismParamInvalid),
    };
    let op = match params.ulSaltType {
        CKF_HKDF_SALT_NULL | CKF_HKDF_SALT_DATA => DeriveKey { salt, ..DeriveKey::default() },
        CKF_HKDF_SALT_KEY => other(module, params.hSaltKey)?,
        _ if params.bExtract == CK_FALSE => DeriveKey::default(),
        _ => return Err(Error::MechanismParamInvalid),
    };
    Ok((algorithm, DeriveKey { data, step, ..op }))
}

fn other(module: &Module, handle: CK_OBJECT_HANDLE) -> Result<DeriveKey> {
    let object = object_management::key(module, handle, CKO_SECRET_KEY)?;
    let key = object.key().ok_or(Error::KeyHandleInvalid)?;
    Ok(DeriveKey { other_name: Some(key.name.clone()), other_owner: key.owner(), ..DeriveKey::default() })
}
