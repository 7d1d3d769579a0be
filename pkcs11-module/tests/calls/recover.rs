//! Signatures that give back their data, and verification that takes the signature first.

use super::keys::{NO, YES, create, number, read};
use super::objects::{copy, set};
use super::*;

/// A pair that signs; its public and private handle.
pub(crate) fn rsa(session: CK_SESSION_HANDLE, private: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> [CK_OBJECT_HANDLE; 2] {
    let bits = number(2048);
    let mut public = [attribute(CKA_MODULUS_BITS, &bits)];
    let mut template = vec![attribute(CKA_TOKEN, YES)];
    template.extend(private.iter().map(|(kind, value)| attribute(*kind, value)));
    let mut handles = [0; 2];
    let [public_key, private_key] = &mut handles;
    let made = call!(C_GenerateKeyPair(
        session,
        &mut mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN),
        public.as_mut_ptr(),
        1,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        public_key,
        private_key,
    ));
    assert_eq!(made, CKR_OK);
    handles
}

#[test]
fn what_was_signed_is_recovered() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [public, private] = rsa(session, &[]);
    assert_eq!(read(private, CKA_SIGN_RECOVER).as_deref(), Ok(YES));
    let (mut data, mut signature, mut len) = (*b"some data", [0; 256], 256);
    let mut pkcs = mechanism(CKM_RSA_PKCS);
    assert_eq!(call!(C_SignRecoverInit(session, &mut pkcs, private)), CKR_OK);
    assert_eq!(call!(C_SignRecover(session, data.as_mut_ptr(), 9, signature.as_mut_ptr(), &raw mut len)), CKR_OK);
    let recover = |signature: &mut [u8], room: CK_ULONG| {
        let (mut out, mut len) = ([0; 256], room);
        let place = if room == 0 { null_mut() } else { out.as_mut_ptr() };
        let rv = call!(C_VerifyRecover(session, signature.as_mut_ptr(), signature.len() as CK_ULONG, place, &raw mut len));
        (rv, len, out)
    };
    assert_eq!(recover(&mut signature, 9).0, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(call!(C_VerifyRecoverInit(session, &mut pkcs, public)), CKR_OK);
    assert_eq!(recover(&mut signature, 0).1, 9);
    assert_eq!(recover(&mut signature, 8).0, CKR_BUFFER_TOO_SMALL);
    let (rv, len, out) = recover(&mut signature, 9);
    assert_eq!((rv, len, &out[..9]), (CKR_OK, 9, &data[..]));
    for (wrong, expected) in [(&mut [1; 256][..], CKR_SIGNATURE_INVALID), (&mut [1; 255][..], CKR_SIGNATURE_LEN_RANGE)] {
        assert_eq!(call!(C_VerifyRecoverInit(session, &mut pkcs, public)), CKR_OK);
        assert_eq!(recover(wrong, 256).0, expected);
    }
    let other = call!(C_SignRecoverInit(session, &mut mechanism(CKM_SHA256_RSA_PKCS), private));
    assert_eq!(other, CKR_MECHANISM_INVALID);
}

/// To a policy, a signature is one use; to the standard it is two (PKCS#11 v3.1 §4.9, §4.8).
#[test]
fn a_key_may_have_one_of_the_two_uses() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let mut pkcs = mechanism(CKM_RSA_PKCS);
    let begin = |key, own| match own {
        CKA_SIGN => call!(C_SignInit(session, &mut mechanism(CKM_RSA_PKCS), key)),
        CKA_SIGN_RECOVER => call!(C_SignRecoverInit(session, &mut mechanism(CKM_RSA_PKCS), key)),
        CKA_VERIFY => call!(C_VerifyInit(session, &mut mechanism(CKM_RSA_PKCS), key)),
        _ => call!(C_VerifyRecoverInit(session, &mut mechanism(CKM_RSA_PKCS), key)),
    };
    let check = |key, kinds: [CK_ATTRIBUTE_TYPE; 2], wanted: [&[u8]; 2]| {
        for (kind, wanted) in kinds.into_iter().zip(wanted) {
            assert_eq!(read(key, kind).unwrap(), wanted, "{kind:#x}");
            let expected = if wanted == YES { CKR_OK } else { CKR_KEY_FUNCTION_NOT_PERMITTED };
            assert_eq!(begin(key, kind), expected, "{kind:#x}");
            call3!(C_SessionCancel(session, CKF_SIGN | CKF_SIGN_RECOVER | CKF_VERIFY | CKF_VERIFY_RECOVER));
        }
    };
    let (bits, class, kind) = (number(2048), number(CKO_PUBLIC_KEY), number(CKK_RSA));
    for wanted in [[NO, YES], [YES, NO], [NO, NO], [YES, YES]] {
        let public = [(CKA_MODULUS_BITS, &bits[..]), (CKA_VERIFY, wanted[0]), (CKA_VERIFY_RECOVER, wanted[1])];
        let private = [(CKA_SIGN, wanted[0]), (CKA_SIGN_RECOVER, wanted[1]), (CKA_DECRYPT, YES)];
        let [public, private] = pqc::pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private).unwrap();
        check(private, [CKA_SIGN, CKA_SIGN_RECOVER], wanted);
        check(public, [CKA_VERIFY, CKA_VERIFY_RECOVER], wanted);
        check(copy(session, private, &[]).unwrap(), [CKA_SIGN, CKA_SIGN_RECOVER], wanted);
        let [modulus, exponent] = [CKA_MODULUS, CKA_PUBLIC_EXPONENT].map(|kind| read(public, kind).unwrap());
        let own = [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_MODULUS, &modulus), (CKA_PUBLIC_EXPONENT, &exponent)];
        let uses = [(CKA_VERIFY, wanted[0]), (CKA_VERIFY_RECOVER, wanted[1]), (CKA_ENCRYPT, YES)];
        check(create(&[&own[..], &uses].concat()).unwrap(), [CKA_VERIFY, CKA_VERIFY_RECOVER], wanted);
        assert_eq!(set(session, private, &[(CKA_SIGN, NO)]), CKR_OK);
        check(private, [CKA_SIGN, CKA_SIGN_RECOVER], [NO, wanted[1]]);
    }
    let [_, private] = rsa(session, &[(CKA_SIGN, NO), (CKA_SIGN_RECOVER, YES)]);
    let (mut data, mut signature, mut len) = (*b"some data", [0; 256], 256);
    assert_eq!(call!(C_SignRecoverInit(session, &mut pkcs, private)), CKR_OK);
    assert_eq!(call!(C_SignRecover(session, data.as_mut_ptr(), 9, signature.as_mut_ptr(), &raw mut len)), CKR_OK);
}

#[test]
fn the_signature_may_come_before_the_data() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, true).unwrap();
    let mut signature = sign(session, private).unwrap();
    let (start, len, mut digest) = (signature.as_mut_ptr(), 64, [7; 32]);
    let init = || call3!(C_VerifySignatureInit(session, &mut mechanism(CKM_ECDSA), public, start, len));
    assert_eq!(init(), CKR_OK);
    assert_eq!(init(), CKR_OPERATION_ACTIVE);
    assert_eq!(call3!(C_VerifySignature(session, digest.as_mut_ptr(), 32)), CKR_OK);
    assert_eq!(init(), CKR_OK);
    assert_eq!(call3!(C_VerifySignatureUpdate(session, digest.as_mut_ptr(), 20)), CKR_OK);
    assert_eq!(call3!(C_VerifySignatureUpdate(session, digest.as_mut_ptr(), 12)), CKR_OK);
    assert_eq!(call3!(C_VerifySignatureFinal(session)), CKR_OK);
    assert_eq!(init(), CKR_OK);
    digest[0] ^= 1;
    assert_eq!(call3!(C_VerifySignature(session, digest.as_mut_ptr(), 32)), CKR_SIGNATURE_INVALID);
    assert_eq!(call3!(C_VerifySignatureFinal(session)), CKR_OPERATION_NOT_INITIALIZED);
}
