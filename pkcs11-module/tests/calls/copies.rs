//! Session objects over a restart of the service, which has session keys in its memory alone: copies of keys of the token and public keys
//! work on, under the same handles. And session objects where nobody is logged in.

use super::derive::ecdh;
use super::keys::{NO, YES, number, read};
use super::login::{PIN, login, with_pins};
use super::objects::{Attributes, aes, copy, create, find_all, set};
use super::pqc::verify;
use super::*;
use tests::run;

const IN_SESSION: Attributes<'_> = &[(CKA_TOKEN, NO), (CKA_LABEL, b"copy")];

/// What a copy shows that does not change.
fn shown(object: CK_OBJECT_HANDLE) -> Vec<Result<Vec<u8>, CK_RV>> {
    let kinds =
        [CKA_UNIQUE_ID, CKA_TOKEN, CKA_LABEL, CKA_ID, CKA_SIGN, CKA_ENCRYPT, CKA_DECRYPT, CKA_LOCAL, CKA_ALWAYS_SENSITIVE];
    kinds.into_iter().map(|kind| read(object, kind)).collect()
}

fn outlive_a_restart(mut fixture: Fixture) {
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, true).unwrap();
    let lost = generate(session, false).unwrap()[1];
    let key = aes(session, &[(CKA_TOKEN, YES), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]).unwrap();
    let signs = copy(session, private, IN_SESSION).unwrap();
    let decrypts = copy(session, key, &[IN_SESSION, &[(CKA_ENCRYPT, NO)]].concat()).unwrap();
    let again = copy(session, signs, &[(CKA_ID, b"again")]).unwrap();
    let half = copy(session, public, IN_SESSION).unwrap();
    let late = copy(session, key, IN_SESSION).unwrap();
    assert_eq!(set(session, late, &[(CKA_DECRYPT, NO), (CKA_LABEL, b"late")]), CKR_OK);
    let sealed = crypt::encrypt(mechanism(CKM_AES_ECB), key, &[5; 16]).unwrap();
    let copies = [signs, decrypts, again, half, late];
    let before = copies.map(shown);
    for _ in 0..2 {
        fixture.restart();
        assert_eq!(sign(session, lost), Err(CKR_KEY_HANDLE_INVALID), "nobody has it any more");
        for key in [signs, again] {
            let signature = sign(session, key).unwrap();
            for half in [public, half] {
                assert_eq!(verify(&mut mechanism(CKM_ECDSA), half, &[7; 32], &signature), CKR_OK);
            }
        }
        assert_eq!(crypt::decrypt(mechanism(CKM_AES_ECB), decrypts, &sealed), Ok(vec![5; 16]));
        assert_eq!(crypt::encrypt(mechanism(CKM_AES_ECB), decrypts, &[5; 16]), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
        assert_eq!(crypt::encrypt(mechanism(CKM_AES_ECB), late, &[5; 16]).as_deref(), Ok(&sealed[..]));
        assert_eq!(crypt::decrypt(mechanism(CKM_AES_ECB), late, &sealed), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
        assert_eq!(copies.map(shown), before);
    }
    fixture.restart();
    assert_eq!(set(session, decrypts, &[(CKA_LABEL, b"changed")]), CKR_OK);
    assert_eq!(crypt::decrypt(mechanism(CKM_AES_ECB), decrypts, &sealed), Ok(vec![5; 16]));
    for object in copies {
        assert_eq!(call!(C_DestroyObject(session, object)), CKR_OK);
        assert_eq!(read(object, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
    }
    assert_eq!(fixture.cost(|| assert_eq!(call!(C_CloseSession(session)), CKR_OK)), 1, "nothing is left but the lost key");
}

/// What the service has lost is found no more; what came after the restart, and what is made again, is.
#[test]
fn lost_session_keys_are_found_no_more() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, true).unwrap();
    let lost = generate(session, false).unwrap();
    let secret = aes(session, &[(CKA_TOKEN, NO)]).unwrap();
    let lasting = [copy(session, private, IN_SESSION).unwrap(), copy(session, public, IN_SESSION).unwrap()];
    let sorted = |mut found: Vec<_>| {
        found.sort_unstable();
        found
    };
    let found = || sorted(find_all(session, &[(CKA_TOKEN, NO)]));
    assert_eq!(found(), sorted([&lost[..], &[secret], &lasting].concat()));
    fixture.restart();
    let later = generate(session, false).unwrap();
    assert_eq!(found(), sorted([&lasting[..], &later].concat()));
    for key in [&lost[..], &[secret]].concat() {
        assert_eq!(read(key, CKA_CLASS), Err(CKR_OBJECT_HANDLE_INVALID));
    }
    fixture.service.kill9();
    assert_eq!(found(), sorted([&lasting[..], &later].concat()), "nobody has said that they are gone");
    fixture.service.restart();
}

#[test]
fn copies_of_token_keys_outlive_a_restart() {
    outlive_a_restart(Fixture::new());
}

#[test]
fn copies_of_token_keys_in_a_tpm_outlive_a_restart() {
    outlive_a_restart(Fixture::tpm());
}

#[test]
fn a_copy_outlives_its_original_also_when_that_is_destroyed_after_a_restart() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, true).unwrap();
    let copied = copy(session, private, IN_SESSION).unwrap();
    fixture.restart();
    assert_eq!(call!(C_DestroyObject(session, private)), CKR_OK);
    generate(session, true).unwrap();
    let signature = sign(session, copied).unwrap();
    assert_eq!(read(public, CKA_EC_POINT), Err(CKR_OBJECT_HANDLE_INVALID));
    let point = read(copied, CKA_EC_POINT).unwrap();
    let (class, kind) = (number(CKO_PUBLIC_KEY), number(CKK_EC));
    let peer =
        create(session, &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, P256), (CKA_EC_POINT, &point)]).unwrap();
    assert_eq!(verify(&mut mechanism(CKM_ECDSA), peer, &[7; 32], &signature), CKR_OK);
    fixture.restart();
    assert_eq!(sign(session, copied), Err(CKR_KEY_HANDLE_INVALID), "there is nothing left to copy");
    assert_eq!(verify(&mut mechanism(CKM_ECDSA), peer, &[7; 32], &signature), CKR_OK, "a public key is made of its value");
}

#[test]
fn a_copy_is_never_of_another_key_that_has_come_to_the_name() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let private = generate(session, true).unwrap()[1];
    let copied = copy(session, private, IN_SESSION).unwrap();
    fixture.restart();
    run(&mut fixture.service.parsec(["key", "rm", "web"])).ok();
    run(&mut fixture.service.parsec(["key", "new", "web", "--algorithm", "p256"])).ok();
    assert_eq!(sign(session, copied), Err(CKR_KEY_HANDLE_INVALID));
}

#[test]
fn who_has_logged_in_once_signs_with_copies_after_a_restart() {
    let mut fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    generate(session, true).unwrap();
    let copied = copy(session, find(session, CKO_PRIVATE_KEY)[0], IN_SESSION).unwrap();
    for _ in 0..2 {
        fixture.restart();
        sign(session, copied).unwrap();
    }
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(sign(session, copied), Err(CKR_KEY_HANDLE_INVALID), "it is private, as its original");
}

#[test]
fn threads_that_find_a_copy_lost_at_once_all_sign() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let private = generate(session, true).unwrap()[1];
    let copied = copy(session, private, IN_SESSION).unwrap();
    for _ in 0..3 {
        fixture.restart();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| sign(open(0), copied).unwrap());
            }
        });
    }
}

/// PKCS#11 v3.1 §4.4 leaves CKA_PRIVATE to the token where the template does not say it.
#[test]
fn session_objects_are_public_where_nobody_is_logged_in() {
    let _fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, false).unwrap();
    sign(session, private).unwrap();
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
    let secret: Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[7; 16]), (CKA_ENCRYPT, YES)];
    let brought = create(session, secret).unwrap();
    let pair = pqc::pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_DERIVE, YES)]);
    assert_eq!(pair, Err(CKR_USER_NOT_LOGGED_IN), "on the token, private keys are private");
    let agrees = agreeing(session);
    let point = read(public, CKA_EC_POINT).unwrap();
    let (mut secret_key, len) = (0, number(16));
    let mut template = [attribute(CKA_VALUE_LEN, &len)];
    let mut mechanism = ecdh(CKD_SHA256_KDF, b"", &point);
    let derived = call!(C_DeriveKey(session, &mut mechanism, agrees, template.as_mut_ptr(), 1, &raw mut secret_key));
    assert_eq!(derived, CKR_OK);
    let objects = [private, brought, agrees, secret_key];
    for object in objects {
        assert_eq!(read(object, CKA_PRIVATE).as_deref(), Ok(NO));
    }
    assert_eq!(create(session, &[secret, &[(CKA_PRIVATE, YES)]].concat()), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(create(session, &[secret, &[(CKA_TOKEN, YES)]].concat()), Err(CKR_USER_NOT_LOGGED_IN));

    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    let own = create(session, secret).unwrap();
    assert_eq!(read(own, CKA_PRIVATE).as_deref(), Ok(YES), "the user's are private");
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(read(own, CKA_PRIVATE), Err(CKR_OBJECT_HANDLE_INVALID));
    sign(session, private).unwrap();
    assert_eq!(find_all(session, &[(CKA_CLASS, &class)]).len(), 2);
}

/// A session key that agrees on secrets.
fn agreeing(session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let mut public = [attribute(CKA_EC_PARAMS, P256)];
    let mut private = [attribute(CKA_DERIVE, YES)];
    let [mut half, mut key] = [0; 2];
    let (mut mechanism, one) = (mechanism(CKM_EC_KEY_PAIR_GEN), 1);
    let (public, private) = (public.as_mut_ptr(), private.as_mut_ptr());
    let made = call!(C_GenerateKeyPair(session, &mut mechanism, public, one, private, one, &raw mut half, &raw mut key));
    assert_eq!(made, CKR_OK);
    key
}
