//! Two operations over the same data, digests of keys, and digests that are saved and go on.

use super::crypt::with;
use super::keys::{NO, YES, number, secret};
use super::*;

/// The SHA-256 of some data, by itself.
fn sha256(session: CK_SESSION_HANDLE, data: &[u8]) -> Vec<u8> {
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    assert_eq!(call!(C_DigestUpdate(session, data.as_ptr().cast_mut(), data.len() as CK_ULONG)), CKR_OK);
    finish(session)
}

fn finish(session: CK_SESSION_HANDLE) -> Vec<u8> {
    let (mut digest, mut len) = (vec![0; 32], 32);
    assert_eq!(call!(C_DigestFinal(session, digest.as_mut_ptr(), &raw mut len)), CKR_OK);
    digest
}

#[test]
fn what_is_encrypted_or_decrypted_is_digested_too() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (key_len, iv) = (number(16), [9u8; 16]);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &key_len)]).unwrap();
    let mut cbc = with(CKM_AES_CBC_PAD, &iv);
    let mut plain: Vec<u8> = (0..300_000u32).map(|i| i.to_be_bytes()[3]).collect();
    let expected = sha256(session, &plain);
    let (mut sealed, mut len) = (vec![0; 400_000], 400_000);
    let (start, room) = (plain.as_mut_ptr(), sealed.as_mut_ptr());
    let alone = call!(C_DigestEncryptUpdate(session, start, 300_000, room, &raw mut len));
    assert_eq!(alone, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    assert_eq!(call!(C_EncryptInit(session, &mut cbc, key)), CKR_OK);
    let mut asked = 0;
    assert_eq!(call!(C_DigestEncryptUpdate(session, start, 300_000, null_mut(), &raw mut asked)), CKR_OK);
    assert_eq!(call!(C_DigestEncryptUpdate(session, start, 300_000, room, &raw mut len)), CKR_OK);
    assert_eq!(asked, len, "the length was asked and nothing taken");
    let mut rest = 400_000 - len;
    let tail = room.wrapping_add(usize::try_from(len).unwrap());
    assert_eq!(call!(C_EncryptFinal(session, tail, &raw mut rest)), CKR_OK);
    assert_eq!((finish(session), len + rest), (expected.clone(), 300_016));

    let (mut opened, mut opened_len) = (vec![0; 400_000], 400_000);
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    assert_eq!(call!(C_DecryptInit(session, &mut cbc, key)), CKR_OK);
    let out = opened.as_mut_ptr();
    assert_eq!(call!(C_DecryptDigestUpdate(session, room, len + rest, out, &raw mut opened_len)), CKR_OK);
    let tail = out.wrapping_add(usize::try_from(opened_len).unwrap());
    let mut rest = 400_000 - opened_len;
    assert_eq!(call!(C_DecryptFinal(session, tail, &raw mut rest)), CKR_OK);
    assert_eq!(call!(C_DigestUpdate(session, tail, rest)), CKR_OK, "what comes at the end is the caller's to digest");
    assert_eq!((finish(session), opened_len + rest), (expected, 300_000));
}

#[test]
fn what_is_encrypted_is_signed_and_what_is_decrypted_verified() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, true).unwrap();
    let key_len = number(16);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &key_len)]).unwrap();
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 64, cb: [9; 16] };
    let (mut ctr, mut ecdsa) = (with(CKM_AES_CTR, &counter), mechanism(CKM_ECDSA_SHA256));
    let mut plain = vec![5; 1 << 19];
    let (len, mut sealed, mut signature, mut signature_len) = (1 << 19, vec![0; 1 << 19], [0; 64], 64);
    let mut room = len;
    assert_eq!(call!(C_SignInit(session, &mut ecdsa, private)), CKR_OK);
    assert_eq!(call!(C_EncryptInit(session, &mut ctr, key)), CKR_OK);
    let done = call!(C_SignEncryptUpdate(session, plain.as_mut_ptr(), len, sealed.as_mut_ptr(), &raw mut room));
    assert_eq!((done, room), (CKR_OK, len));
    assert_eq!(call!(C_EncryptFinal(session, null_mut(), &raw mut room)), CKR_OK);
    assert_eq!(call!(C_SignFinal(session, signature.as_mut_ptr(), &raw mut signature_len)), CKR_OK);
    let mut verify = |sealed: &mut [u8]| {
        let (mut opened, mut room) = (vec![0; 1 << 19], len);
        assert_eq!(call!(C_VerifyInit(session, &mut ecdsa, public)), CKR_OK);
        assert_eq!(call!(C_DecryptInit(session, &mut ctr, key)), CKR_OK);
        let done = call!(C_DecryptVerifyUpdate(session, sealed.as_mut_ptr(), len, opened.as_mut_ptr(), &raw mut room));
        assert_eq!(done, CKR_OK);
        assert_eq!(call3!(C_SessionCancel(session, CKF_DECRYPT)), CKR_OK);
        call!(C_VerifyFinal(session, signature.as_mut_ptr(), 64))
    };
    assert_eq!(verify(&mut sealed), CKR_OK);
    sealed[0] ^= 1;
    assert_eq!(verify(&mut sealed), CKR_SIGNATURE_INVALID);
}

/// PKCS#11 v3.1 §5.17.1: where nothing is encrypted, no plaintext is passed to the digest.
#[test]
fn what_is_not_encrypted_is_not_digested() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (key_len, mut plain, mut sealed) = (number(16), [5; 16], [0; 16]);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &key_len)]).unwrap();
    let expected = sha256(session, &plain);
    let (start, room) = (plain.as_mut_ptr(), sealed.as_mut_ptr());
    let mut short = 15;
    let encrypt = || assert_eq!(call!(C_EncryptInit(session, &mut mechanism(CKM_AES_ECB), key)), CKR_OK);
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    encrypt();
    assert_eq!(call!(C_DigestEncryptUpdate(session, start, 16, null_mut(), &raw mut short)), CKR_OK);
    short = 15;
    assert_eq!(call!(C_DigestEncryptUpdate(session, start, 16, room, &raw mut short)), CKR_BUFFER_TOO_SMALL);
    assert_eq!(call!(C_DigestEncryptUpdate(session, start, 16, room, null_mut())), CKR_ARGUMENTS_BAD);
    encrypt();
    assert_eq!(call!(C_DigestEncryptUpdate(session, null_mut(), 16, room, &raw mut short)), CKR_ARGUMENTS_BAD);
    encrypt();
    assert_eq!(call!(C_DigestEncryptUpdate(session, start, 16, room, &raw mut short)), CKR_OK);
    let mut copy = short;
    let whole = call!(C_Encrypt(session, start, 16, room, &raw mut copy));
    assert_eq!(whole, CKR_OPERATION_NOT_INITIALIZED, "the data came in parts");
    assert_eq!(finish(session), expected, "data is digested once");
}

#[test]
fn only_keys_that_may_be_read_are_digested() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let key = |sensitive| {
        let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
        let template = [
            (CKA_CLASS, &class[..]),
            (CKA_KEY_TYPE, &kind),
            (CKA_VALUE, &[7; 20]),
            (CKA_SENSITIVE, sensitive),
            (CKA_EXTRACTABLE, YES),
        ];
        keys::create(&template).unwrap()
    };
    let expected = sha256(session, &[&b"front"[..], &[7; 20]].concat());
    assert_eq!(call!(C_DigestKey(session, key(NO))), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    assert_eq!(call!(C_DigestUpdate(session, b"front".as_ptr().cast_mut(), 5)), CKR_OK);
    assert_eq!(call!(C_DigestKey(session, key(NO))), CKR_OK);
    assert_eq!(finish(session), expected);
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    assert_eq!(call!(C_DigestKey(session, key(YES))), CKR_KEY_INDIGESTIBLE);
}

#[test]
fn a_digest_goes_on_in_another_session() {
    let _fixture = Fixture::new();
    let (first, second) = (open(0), open(CKF_RW_SESSION));
    let (mut data, mut state, mut len) = ([7; 40], vec![0; 1000], 0);
    let save = |session, place, len: &mut CK_ULONG| call!(C_GetOperationState(session, place, len));
    assert_eq!(save(first, null_mut(), &mut len), CKR_OPERATION_NOT_INITIALIZED);
    let expected = sha256(first, &[7; 80]);
    assert_eq!(call!(C_DigestInit(first, &mut mechanism(CKM_SHA256))), CKR_OK);
    assert_eq!(call!(C_DigestUpdate(first, data.as_mut_ptr(), 40)), CKR_OK);
    assert_eq!(save(first, null_mut(), &mut len), CKR_OK);
    assert_eq!(save(first, state.as_mut_ptr(), &mut len), CKR_OK);
    let restore = |len, key| call!(C_SetOperationState(second, state.as_ptr().cast_mut(), len, 0, key));
    assert_eq!(restore(len - 1, 0), CKR_SAVED_STATE_INVALID);
    assert_eq!(restore(len, 5), CKR_KEY_NOT_NEEDED);
    assert_eq!(restore(len, 0), CKR_OK);
    for session in [first, second] {
        assert_eq!(call!(C_DigestUpdate(session, data.as_mut_ptr(), 40)), CKR_OK);
        assert_eq!(finish(session), expected);
    }
    assert_eq!(restore(len, 0), CKR_OK);
    let mut room = 32;
    let whole = call!(C_Digest(second, data.as_mut_ptr(), 40, [0; 32].as_mut_ptr(), &raw mut room));
    assert_eq!(whole, CKR_OPERATION_NOT_INITIALIZED, "the data came in parts before it was saved");
    let [_, private] = generate(second, true).unwrap();
    assert_eq!(call!(C_SignInit(second, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
    assert_eq!(save(second, null_mut(), &mut len), CKR_STATE_UNSAVEABLE);
    assert_eq!(call!(C_SignInit(second, null_mut(), 0)), CKR_OK, "no mechanism cancels");
    assert_eq!(save(second, null_mut(), &mut len), CKR_OPERATION_NOT_INITIALIZED);
}
