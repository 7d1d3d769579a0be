//! The values of attributes that follow from what an object is: a key, a certificate, a group.

use std::collections::BTreeSet;

use cryptoki_sys::*;
use der::Encode;
use der::asn1::OctetStringRef;
use interface::attributes::{Attributes, KeyType, Usage};
use interface::certificate::Certificate;
use interface::group::{Group, GroupKey};
use interface::hash::sha1;
use interface::kind::Parameters;
use interface::spki::{self, PublicKey};

use super::{KeyObject, UnnamedCurveKey, key_type};
use crate::mechanism::{self, Family, Form, secret::SecretType};
use crate::objects::attributes::{flag, number};

/// What every key has (§4.7), and the public value, which private keys show too.
pub(super) fn any_key(key: &KeyObject, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_KEY_TYPE => number(shown_type(&key.attributes)),
        CKA_LOCAL => flag(key.local),
        CKA_KEY_GEN_MECHANISM => number(generator(key)),
        CKA_ALLOWED_MECHANISMS => allowed_mechanisms(key),
        _ => return public_value(key, kind),
    })
}

fn generator(key: &KeyObject) -> CK_MECHANISM_TYPE {
    let generator = mechanism::generator(&key.attributes).filter(|_| key.local);
    generator.unwrap_or(CK_UNAVAILABLE_INFORMATION)
}

/// The mechanisms that the key's policy permits, as an array of CK_MECHANISM_TYPE.
fn allowed_mechanisms(key: &KeyObject) -> Vec<u8> {
    let (family, policy) = (Family::of(key.attributes.key_type), &key.attributes.policy);
    let allowed = mechanism::all()
        .filter(|mechanism| family.is_some() && mechanism.work.family() == family)
        .filter(|mechanism| mechanism.work.permitted(policy));
    let kinds: BTreeSet<_> = allowed.map(|mechanism| mechanism.kind).collect();
    kinds.into_iter().flat_map(number).collect()
}

/// Whether some mechanism gives back what the key has signed.
pub(super) fn recovers(key: &KeyObject) -> bool {
    let (family, policy) = (Family::of(key.attributes.key_type), &key.attributes.policy);
    let mut schemes = mechanism::all().filter_map(|mechanism| mechanism.work.recovering());
    schemes.any(|scheme| Some(scheme.family()) == family && scheme.permitted(None, policy))
}

pub(super) fn public_key(key: &KeyObject, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_MODULUS_BITS if key.attributes.key_type.public() == KeyType::RsaPublicKey => number(key.attributes.bits.into()),
        _ => return None,
    })
}

pub(super) fn secret_key(key: &KeyObject, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_VALUE_LEN => number(key.attributes.bits.div_ceil(8).into()),
        _ => return history(key, kind),
    })
}

/// What a key has been since it was made; what came from outside may have been anything.
pub(super) fn history(key: &KeyObject, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_ALWAYS_SENSITIVE => flag(key.local && !key.permitted(Usage::EXPORT)),
        CKA_NEVER_EXTRACTABLE => flag(key.local && !key.permitted(Usage::EXPORT | Usage::COPY)),
        _ => return None,
    })
}

/// The public value of a key.
fn public_value(key: &KeyObject, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let (key_type, bits) = (key.attributes.key_type.public(), key.attributes.bits);
    match (kind, key_type) {
        (CKA_PUBLIC_KEY_INFO, _) if key_type.is_public() => PublicKey { key_type, bits, bytes: key.public.clone() }.to_spki(),
        (CKA_MODULUS, KeyType::RsaPublicKey) => Some(spki::rsa_parts(&key.public)?.0.to_vec()),
        (CKA_PUBLIC_EXPONENT, KeyType::RsaPublicKey) => Some(spki::rsa_parts(&key.public)?.1.to_vec()),
        (CKA_EC_PARAMS, KeyType::EccPublicKey(_)) => Parameters::of(key_type, bits)?.oid.to_der().ok(),
        (CKA_EC_POINT, KeyType::EccPublicKey(_)) => OctetStringRef::new(&key.public).ok()?.to_der().ok(),
        (CKA_PARAMETER_SET, _) => Family::of(key_type)?.parameter_set(key_type, bits).map(number),
        (CKA_VALUE, _) if Family::of(key_type).map(Family::form) == Some(Form::Set) => Some(key.public.clone()),
        (CKA_VALUE, KeyType::DsaPublicKey | KeyType::DhPublicKey(_)) => Some(GroupKey::from_spki(&key.public)?.number.to_vec()),
        (CKA_PRIME | CKA_SUBPRIME | CKA_BASE, _) => group_number(&key.group()?, kind),
        _ => None,
    }
}

pub(super) fn nameless(key: &UnnamedCurveKey, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_KEY_TYPE => number(CKK_EC),
        CKA_EC_PARAMS => key.params.clone(),
        CKA_EC_POINT => key.point.clone(),
        CKA_LOCAL => flag(false),
        CKA_KEY_GEN_MECHANISM => number(CK_UNAVAILABLE_INFORMATION),
        CKA_ALLOWED_MECHANISMS => vec![],
        _ => return None,
    })
}

pub(super) fn domain(group: &Group, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_KEY_TYPE => number(key_type(group.key_type())),
        CKA_LOCAL => flag(false),
        CKA_PRIME_BITS => number(group.bits().into()),
        _ => return group_number(group, kind),
    })
}

fn group_number(group: &Group, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    match kind {
        CKA_PRIME => Some(group.prime.clone()),
        CKA_SUBPRIME => group.subprime.clone(),
        CKA_BASE => Some(group.base.clone()),
        _ => None,
    }
}

pub(super) fn certificate(der: &[u8], kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let field =
        |choose: fn(Certificate<'_>) -> &[u8]| Certificate::parse(der).map(|parsed| choose(parsed).to_vec()).unwrap_or_default();
    Some(match kind {
        CKA_VALUE => der.to_vec(),
        CKA_CERTIFICATE_TYPE => number(CKC_X_509),
        CKA_SUBJECT => field(|parsed| parsed.subject),
        CKA_ISSUER => field(|parsed| parsed.issuer),
        CKA_SERIAL_NUMBER => field(|parsed| parsed.serial),
        CKA_PUBLIC_KEY_INFO => field(|parsed| parsed.public_key),
        CKA_CHECK_VALUE => sha1(der)[..3].to_vec(),
        _ => return None,
    })
}

fn shown_type(attributes: &Attributes) -> CK_KEY_TYPE {
    SecretType::of(attributes).map_or_else(|| key_type(attributes.key_type), |secret| secret.kind)
}
