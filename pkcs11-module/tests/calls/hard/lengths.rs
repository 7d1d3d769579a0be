//! Results whose length is asked first (PKCS#11 v3.1 §5.2): NULL tells it, a short buffer learns it, neither ends the operation, takes data,
//! or reaches the service.

use std::ptr::null_mut;

use cryptoki_sys::*;
use parsec_pkcs11::{C_GetFunctionList, C_GetInterfaceList};

use super::{Fixture, SOFTWARE, attribute, generate, mechanism, open};
use crate::crypt::with;
use crate::keys::{YES, number, read, secret};
use crate::message::Message;
use crate::pqc;
use crate::recover::rsa;
use crate::wrap::wrapping_key;

/// Calls with NULL, with one item too few, and with enough room; returns the result.
fn three_calls<T: Copy + Default>(name: &str, call: impl Fn(*mut T, *mut CK_ULONG) -> CK_RV) -> Vec<T> {
    let mut len = 12345;
    assert_eq!(call(null_mut(), &raw mut len), CKR_OK, "{name}");
    let most = usize::try_from(len).unwrap();
    let mut room = vec![T::default(); most];
    if most > 0 {
        len = most as CK_ULONG - 1;
        assert_eq!((call(room.as_mut_ptr(), &raw mut len), len), (CKR_BUFFER_TOO_SMALL, most as CK_ULONG), "{name}");
        len = 0;
        assert_eq!((call(room.as_mut_ptr(), &raw mut len), len), (CKR_BUFFER_TOO_SMALL, most as CK_ULONG), "{name}");
    }
    len = most as CK_ULONG;
    assert_eq!(call(room.as_mut_ptr(), &raw mut len), CKR_OK, "{name}");
    room.truncate(usize::try_from(len).unwrap());
    room
}

#[test]
fn lists_tell_their_lengths() {
    let _fixture = Fixture::new();
    assert_eq!(three_calls("slots", |list, len| call!(C_GetSlotList(CK_TRUE, list, len))), [SOFTWARE]);
    assert!(three_calls("mechanisms", |list, len| call!(C_GetMechanismList(SOFTWARE, list, len))).len() > 40);
    // SAFETY: the places are as `three_calls` says.
    let interfaces = three_calls("interfaces", |list, len| unsafe { C_GetInterfaceList(list, len) });
    assert!(interfaces.iter().all(|interface: &CK_INTERFACE| !interface.pFunctionList.is_null()));
}

/// Does `work`, and fails if a function that writes a result was called more than the service was.
fn at_most(requests: u64, fixture: &Fixture, work: impl FnOnce()) {
    let cost = fixture.cost(work);
    assert!(cost <= requests, "{cost} round trips");
}

#[test]
fn digests_and_signatures_tell_their_lengths() {
    let fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    let (mut data, len) = (*b"some data", 9);
    let data = data.as_mut_ptr();
    at_most(2, &fixture, || {
        for hash in [CKM_SHA256, CKM_SHA512] {
            assert_eq!(call!(C_DigestInit(session, &mut mechanism(hash))), CKR_OK);
            let whole = three_calls("C_Digest", |out, room| call!(C_Digest(session, data, len, out, room)));
            assert_eq!(call!(C_DigestInit(session, &mut mechanism(hash))), CKR_OK);
            assert_eq!(call!(C_DigestUpdate(session, data, len)), CKR_OK);
            let parts = three_calls("C_DigestFinal", |out, room| call!(C_DigestFinal(session, out, room)));
            assert_eq!(whole, parts, "asking for the length takes no data");
        }
        assert_eq!(call!(C_SignInit(session, &mut mechanism(CKM_ECDSA_SHA256), private)), CKR_OK);
        assert_eq!(three_calls("C_Sign", |out, room| call!(C_Sign(session, data, len, out, room))).len(), 64);
        assert_eq!(call!(C_SignInit(session, &mut mechanism(CKM_ECDSA_SHA256), private)), CKR_OK);
        assert_eq!(call!(C_SignUpdate(session, data, len)), CKR_OK);
        assert_eq!(three_calls("C_SignFinal", |out, room| call!(C_SignFinal(session, out, room))).len(), 64);
    });
}

#[test]
fn ciphers_tell_their_lengths() {
    let _fixture = Fixture::new();
    let session = open(0);
    let (bits, iv) = (number(16), [7u8; 16]);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &bits), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]).unwrap();
    let mut plain = vec![5u8; 700];
    let plain_len = plain.len() as CK_ULONG;
    for mut mechanism in [with(CKM_AES_CBC_PAD, &iv), with(CKM_AES_CBC, &iv), mechanism(CKM_AES_ECB)] {
        let data = plain.as_mut_ptr();
        let plain_len = if mechanism.mechanism == CKM_AES_CBC_PAD { plain_len } else { plain_len / 16 * 16 };
        assert_eq!(call!(C_EncryptInit(session, &mut mechanism, key)), CKR_OK);
        let mut sealed = three_calls("C_Encrypt", |out, room| call!(C_Encrypt(session, data, plain_len, out, room)));

        assert_eq!(call!(C_EncryptInit(session, &mut mechanism, key)), CKR_OK);
        let first = three_calls("C_EncryptUpdate", |out, room| call!(C_EncryptUpdate(session, data, plain_len, out, room)));
        let last = three_calls("C_EncryptFinal", |out, room| call!(C_EncryptFinal(session, out, room)));
        assert_eq!([first, last].concat(), sealed, "{:#x}", mechanism.mechanism);

        let (data, len) = (sealed.as_mut_ptr(), sealed.len() as CK_ULONG);
        assert_eq!(call!(C_DecryptInit(session, &mut mechanism, key)), CKR_OK);
        let whole = three_calls("C_Decrypt", |out, room| call!(C_Decrypt(session, data, len, out, room)));
        assert_eq!(call!(C_DecryptInit(session, &mut mechanism, key)), CKR_OK);
        let first = three_calls("C_DecryptUpdate", |out, room| call!(C_DecryptUpdate(session, data, len, out, room)));
        let last = three_calls("C_DecryptFinal", |out, room| call!(C_DecryptFinal(session, out, room)));
        assert_eq!([first, last].concat(), whole);
        assert_eq!(whole, plain[..usize::try_from(plain_len).unwrap()]);
    }
}

#[test]
fn each_attribute_tells_its_length_whatever_becomes_of_the_others() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    let mut room = [0u8; 8];
    let mut template = [CKA_VALUE, CKA_MODULUS, CKA_LABEL, CKA_EC_POINT, CKA_LABEL].map(|kind| attribute(kind, &[]));
    for (place, len) in [(2, 2), (4, 8)] {
        template[place].pValue = room.as_mut_ptr().cast();
        template[place].ulValueLen = len;
    }
    template[0].pValue = null_mut();
    template[1].pValue = null_mut();
    template[3].pValue = null_mut();
    let code = call!(C_GetAttributeValue(session, private, template.as_mut_ptr(), 5));
    assert!(matches!(code, CKR_ATTRIBUTE_SENSITIVE | CKR_ATTRIBUTE_TYPE_INVALID | CKR_BUFFER_TOO_SMALL), "{code:#x}");
    let none = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(template.map(|entry| entry.ulValueLen), [none, none, none, 67, 3]);
    assert_eq!(&room[..3], b"web");
    for (kind, code) in [
        (CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE),
        (CKA_MODULUS, CKR_ATTRIBUTE_TYPE_INVALID),
        (CKA_LABEL, CKR_BUFFER_TOO_SMALL),
        (CKA_CLASS, CKR_OK),
    ] {
        let mut one = [attribute(kind, &[])];
        one[0].pValue = room.as_mut_ptr().cast();
        one[0].ulValueLen = if kind == CKA_CLASS { 8 } else { 1 };
        assert_eq!(call!(C_GetAttributeValue(session, private, one.as_mut_ptr(), 1)), code, "{kind:#x}");
    }
}

#[test]
fn states_recovered_data_and_doubled_operations_tell_their_lengths() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let mut data = [5u8; 160];
    let (start, len) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    let digest = || assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    let digested = || three_calls("C_DigestFinal", |out, room| call!(C_DigestFinal(session, out, room)));
    digest();
    assert_eq!(call!(C_DigestUpdate(session, start, len)), CKR_OK);
    let mut state = three_calls("C_GetOperationState", |out, room| call!(C_GetOperationState(session, out, room)));
    let once = digested();
    let state_len = state.len() as CK_ULONG;
    assert_eq!(call!(C_SetOperationState(session, state.as_mut_ptr(), state_len, 0, 0)), CKR_OK);
    assert_eq!(digested(), once);

    let [public, private] = rsa(session, &[]);
    let mut pkcs = mechanism(CKM_RSA_PKCS);
    assert_eq!(call!(C_SignRecoverInit(session, &mut pkcs, private)), CKR_OK);
    let mut signature = three_calls("C_SignRecover", |out, room| call!(C_SignRecover(session, start, len, out, room)));
    assert_eq!(call!(C_VerifyRecoverInit(session, &mut pkcs, public)), CKR_OK);
    let (signed, signed_len) = (signature.as_mut_ptr(), signature.len() as CK_ULONG);
    let recovered = three_calls("C_VerifyRecover", |out, room| call!(C_VerifyRecover(session, signed, signed_len, out, room)));
    assert_eq!(recovered, data);

    let (bits, iv) = (number(16), [7u8; 16]);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &bits)]).unwrap();
    digest();
    assert_eq!(call!(C_EncryptInit(session, &mut with(CKM_AES_CBC, &iv), key)), CKR_OK);
    let first = three_calls("C_DigestEncryptUpdate", |out, room| call!(C_DigestEncryptUpdate(session, start, len, out, room)));
    let last = three_calls("C_EncryptFinal", |out, room| call!(C_EncryptFinal(session, out, room)));
    assert_eq!(digested(), once, "data is digested once");
    let mut sealed = [first, last].concat();
    digest();
    assert_eq!(call!(C_DecryptInit(session, &mut with(CKM_AES_CBC, &iv), key)), CKR_OK);
    let (sealed, sealed_len) = (sealed.as_mut_ptr(), sealed.len() as CK_ULONG);
    let first =
        three_calls("C_DecryptDigestUpdate", |out, room| call!(C_DecryptDigestUpdate(session, sealed, sealed_len, out, room)));
    let mut last = three_calls("C_DecryptFinal", |out, room| call!(C_DecryptFinal(session, out, room)));
    // what comes at the end, the caller has to digest (PKCS#11 v3.1 §5.17.2)
    assert_eq!(call!(C_DigestUpdate(session, last.as_mut_ptr(), last.len() as CK_ULONG)), CKR_OK);
    assert_eq!(([first, last].concat(), digested()), (data.to_vec(), once));
}

#[test]
fn wrapped_keys_and_messages_tell_their_lengths() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let bits = number(16);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &bits), (CKA_EXTRACTABLE, YES)]).unwrap();
    let wrapping = wrapping_key();
    let wrapped = three_calls("C_WrapKey", |out, room| {
        call!(C_WrapKey(session, &mut mechanism(CKM_AES_KEY_WRAP), wrapping, key, out, room))
    });
    assert_eq!(wrapped.len(), 24);

    let [public, private] = generate(session, true).unwrap();
    let (mut data, len) = ([5u8; 32], 32);
    let start = data.as_mut_ptr();
    assert_eq!(call3!(C_MessageSignInit(session, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
    let mut signature =
        three_calls("C_SignMessage", |out, room| call3!(C_SignMessage(session, null_mut(), 0, start, len, out, room)));
    assert_eq!(call3!(C_MessageSignFinal(session)), CKR_OK);
    assert_eq!(call!(C_VerifyInit(session, &mut mechanism(CKM_ECDSA), public)), CKR_OK);
    assert_eq!(call!(C_Verify(session, start, len, signature.as_mut_ptr(), 64)), CKR_OK);
}

#[test]
fn sealed_messages_and_encapsulated_keys_tell_their_lengths() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let bits = number(16);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &bits), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]).unwrap();
    let mut data = [5u8; 33];
    let (start, len) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    for kind in [CKM_AES_GCM, CKM_AES_CCM] {
        let mut message = Message::new(kind, data.len());
        let (params, params_len) = message.parameter();
        assert_eq!(call3!(C_MessageEncryptInit(session, &mut mechanism(kind), key)), CKR_OK);
        let mut sealed = three_calls("C_EncryptMessage", |out, room| {
            call3!(C_EncryptMessage(session, params, params_len, null_mut(), 0, start, len, out, room))
        });
        assert_eq!((sealed.len(), call3!(C_MessageEncryptFinal(session))), (data.len(), CKR_OK));
        let sealed = sealed.as_mut_ptr();
        assert_eq!(call3!(C_MessageDecryptInit(session, &mut mechanism(kind), key)), CKR_OK);
        let opened = three_calls("C_DecryptMessage", |out, room| {
            call3!(C_DecryptMessage(session, params, params_len, null_mut(), 0, sealed, len, out, room))
        });
        assert_eq!((&opened[..], call3!(C_MessageDecryptFinal(session))), (&data[..], CKR_OK));
    }

    let set = number(CKP_ML_KEM_768);
    let [public, private] = pqc::pair(CKM_ML_KEM_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
    let entries: Vec<_> = pqc::READABLE.iter().chain(&[(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind)]).copied().collect();
    let mut template: Vec<_> = entries.iter().map(|(kind, value)| attribute(*kind, value)).collect();
    let (template, count, mut shared) = (template.as_mut_ptr(), template.len() as CK_ULONG, 0);
    let shared_key = &raw mut shared;
    let sealed = three_calls("C_EncapsulateKey", |out, room| {
        call3!(C_EncapsulateKey(session, &mut mechanism(CKM_ML_KEM), public, template, count, out, room, shared_key))
    });
    let same = pqc::decapsulate(private, &entries, &sealed).unwrap();
    assert_eq!(read(same, CKA_VALUE), read(shared, CKA_VALUE));
    let all = read(shared, CKA_VALUE).unwrap();
    assert_eq!(all.len(), 32, "what was too short made no key");
}
