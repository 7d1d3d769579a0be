//! Keys that the security officer trusts to wrap others (PKCS#11 v3.1 §4.8, §4.10, §5.18.3).

use super::keys::{NO, YES, create, number, read};
use super::login::{PIN, SO_PIN, login, with_pins};
use super::mechanisms::oaep;
use super::wrap::{Attributes, aes, rsa, wrap, wrapping_key};
use super::*;

const LEAVING: &Attributes<'_> = &[(CKA_SENSITIVE, YES), (CKA_EXTRACTABLE, YES)];

/// The only session, in which somebody is logged in.
fn session(user: CK_USER_TYPE, pin: &[u8]) -> CK_SESSION_HANDLE {
    assert_eq!(call!(C_CloseAllSessions(SOFTWARE)), CKR_OK);
    let session = open(CKF_RW_SESSION);
    assert_eq!(login(session, user, pin), CKR_OK);
    session
}

/// C_SetAttributeValue of CKA_TRUSTED.
fn trust(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, value: &[u8]) -> CK_RV {
    call!(C_SetAttributeValue(session, key, [attribute(CKA_TRUSTED, value)].as_mut_ptr(), 1))
}

/// The modulus of a public key of another token, as which it is brought for wrapping.
fn modulus() -> Vec<u8> {
    let [own, _] = rsa(&[], &[]);
    read(own, CKA_MODULUS).unwrap()
}

fn bring(modulus: &[u8], extra: &Attributes<'_>) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let (class, kind) = (number(CKO_PUBLIC_KEY), number(CKK_RSA));
    let template: &Attributes<'_> =
        &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_MODULUS, modulus), (CKA_PUBLIC_EXPONENT, &[1, 0, 1]), (CKA_WRAP, YES)];
    create(&[template, extra].concat())
}

#[test]
fn keys_for_trusted_keys_alone_leave_under_one_that_the_officer_has_marked() {
    let _fixture = with_pins();
    let user = session(CKU_USER, PIN);
    let modulus = modulus();
    let [marked, other] = [(); 2].map(|()| bring(&modulus, &[]).unwrap());
    assert_eq!(trust(user, marked, YES), CKR_ATTRIBUTE_READ_ONLY, "the user says nothing of trust");
    assert_eq!(bring(&modulus, &[(CKA_TRUSTED, YES)]), Err(CKR_ATTRIBUTE_READ_ONLY));
    let officer = session(CKU_SO, SO_PIN);
    assert_eq!(trust(officer, marked, YES), CKR_OK);
    let brought = bring(&modulus, &[(CKA_TRUSTED, YES)]).unwrap();
    let user = session(CKU_USER, PIN);
    assert_eq!(trust(user, marked, NO), CKR_ATTRIBUTE_READ_ONLY);

    let guarded = || aes(&[LEAVING, &[(CKA_WRAP_WITH_TRUSTED, YES)]].concat());
    for (key, trusted) in [(marked, YES), (brought, YES), (other, NO)] {
        assert_eq!(read(key, CKA_TRUSTED).as_deref(), Ok(trusted));
        for leaving in [guarded(), aes(LEAVING)] {
            let left = wrap(oaep(CKM_RSA_PKCS_OAEP), key, leaving).map(|wrapped| wrapped.len());
            assert_eq!(left, if trusted == YES { Ok(256) } else { Err(CKR_KEY_NOT_WRAPPABLE) });
        }
    }
    wrap(mechanism(CKM_AES_KEY_WRAP), wrapping_key(), aes(LEAVING)).unwrap();
    assert_eq!(wrap(mechanism(CKM_AES_KEY_WRAP), wrapping_key(), guarded()), Err(CKR_KEY_NOT_WRAPPABLE));
}

#[test]
fn trust_makes_up_for_no_conflict_and_goes_to_no_copy() {
    let _fixture = with_pins();
    session(CKU_USER, PIN);
    let [decrypts, _] = rsa(&[(CKA_WRAP, YES)], &[(CKA_UNWRAP, YES), (CKA_DECRYPT, YES)]);
    let sound = bring(&modulus(), &[]).unwrap();
    let officer = session(CKU_SO, SO_PIN);
    for key in [decrypts, sound] {
        assert_eq!(trust(officer, key, YES), CKR_OK);
    }
    let user = session(CKU_USER, PIN);
    assert_eq!(wrap(oaep(CKM_RSA_PKCS_OAEP), decrypts, aes(LEAVING)), Err(CKR_KEY_NOT_WRAPPABLE));
    wrap(oaep(CKM_RSA_PKCS_OAEP), sound, aes(LEAVING)).unwrap();
    let mut copy = 0;
    assert_eq!(call!(C_CopyObject(user, sound, null_mut(), 0, &raw mut copy)), CKR_OK);
    assert_eq!(read(copy, CKA_TRUSTED).as_deref(), Ok(NO));
    assert_eq!(wrap(oaep(CKM_RSA_PKCS_OAEP), copy, aes(LEAVING)), Err(CKR_KEY_NOT_WRAPPABLE));
}

#[test]
fn without_a_pin_nobody_is_the_officer_who_trusts() {
    let _fixture = Fixture::new();
    let modulus = modulus();
    let key = bring(&modulus, &[]).unwrap();
    let officer = session(CKU_SO, b"any PIN will do");
    assert_eq!(trust(officer, key, YES), CKR_USER_NOT_LOGGED_IN);
    assert_eq!(bring(&modulus, &[(CKA_TRUSTED, YES)]), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(call!(C_Logout(officer)), CKR_OK);
    assert_eq!(read(key, CKA_TRUSTED).as_deref(), Ok(NO));
}
