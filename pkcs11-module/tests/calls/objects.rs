//! The object model: session and token objects, what may be set, changed, copied and destroyed, and what is found.

use super::keys::{NO, YES, number, read};
use super::*;

pub(crate) type Attributes<'a> = &'a [(CK_ATTRIBUTE_TYPE, &'a [u8])];

fn template(attributes: Attributes<'_>) -> (Vec<CK_ATTRIBUTE>, CK_ULONG) {
    let template: Vec<_> = attributes.iter().map(|(kind, value)| attribute(*kind, value)).collect();
    let len = template.len() as CK_ULONG;
    (template, len)
}

/// What a call gave, or its return value.
fn result(rv: CK_RV, handle: CK_OBJECT_HANDLE) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    if rv == CKR_OK { Ok(handle) } else { Err(rv) }
}

pub(crate) fn create(session: CK_SESSION_HANDLE, attributes: Attributes<'_>) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let ((mut template, len), mut handle) = (template(attributes), 0);
    let rv = call!(C_CreateObject(session, template.as_mut_ptr(), len, &raw mut handle));
    result(rv, handle)
}

pub(crate) fn copy(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: Attributes<'_>,
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let ((mut template, len), mut handle) = (template(attributes), 0);
    let rv = call!(C_CopyObject(session, object, template.as_mut_ptr(), len, &raw mut handle));
    result(rv, handle)
}

pub(crate) fn set(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, attributes: Attributes<'_>) -> CK_RV {
    let (mut template, len) = template(attributes);
    call!(C_SetAttributeValue(session, object, template.as_mut_ptr(), len))
}

pub(crate) fn find_all(session: CK_SESSION_HANDLE, attributes: Attributes<'_>) -> Vec<CK_OBJECT_HANDLE> {
    let (mut template, len) = template(attributes);
    assert_eq!(call!(C_FindObjectsInit(session, template.as_mut_ptr(), len)), CKR_OK);
    let (mut found, mut count) = ([0; 64], 0);
    assert_eq!(call!(C_FindObjects(session, found.as_mut_ptr(), 64, &raw mut count)), CKR_OK);
    assert_eq!(call!(C_FindObjectsFinal(session)), CKR_OK);
    found[..usize::try_from(count).unwrap()].to_vec()
}

/// C_GenerateKey of an AES key with these attributes.
pub(crate) fn aes(session: CK_SESSION_HANDLE, attributes: Attributes<'_>) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let len = number(16);
    let ((mut template, count), mut handle) = (template(&[&[(CKA_VALUE_LEN, &len[..])], attributes].concat()), 0);
    let rv = call!(C_GenerateKey(session, &mut mechanism(CKM_AES_KEY_GEN), template.as_mut_ptr(), count, &raw mut handle));
    result(rv, handle)
}

fn data<'a>(class: &'a [u8; 8], more: Attributes<'a>) -> Vec<(CK_ATTRIBUTE_TYPE, &'a [u8])> {
    [&[(CKA_CLASS, &class[..]), (CKA_LABEL, b"note"), (CKA_VALUE, b"text")], more].concat()
}

const EXISTS: CK_RV = CKR_OK;

/// Whether an object is there, as the return value of looking.
fn look(object: CK_OBJECT_HANDLE) -> CK_RV {
    read(object, CKA_CLASS).map_or_else(|rv| rv, |_| EXISTS)
}

#[test]
fn session_objects_of_every_class_end_with_their_session_and_show_in_all() {
    let fixture = Fixture::new();
    let (own, other) = (open(0), open(0));
    let [public, private] = generate(own, false).unwrap();
    let secret = aes(own, &[(CKA_ENCRYPT, YES)]).unwrap();
    let class = number(CKO_DATA);
    let note = create(own, &data(&class, &[])).unwrap();
    let mut all = [public, private, secret, note];
    all.sort_unstable();
    for object in all {
        assert_eq!(read(object, CKA_TOKEN).as_deref(), Ok(NO));
    }
    sign(other, private).unwrap();
    let mut found = find_all(other, &[]);
    found.sort_unstable();
    assert_eq!(found, all, "every session of the process has them");
    assert_eq!(find_all(other, &[(CKA_TOKEN, NO), (CKA_LABEL, b"note")]), [note]);
    assert!(find_all(other, &[(CKA_TOKEN, YES)]).is_empty());
    let notes = || drop(find_all(other, &[(CKA_TOKEN, NO), (CKA_LABEL, b"note")]));
    assert_eq!(fixture.cost(notes), 0, "the module knows its own");
    assert_eq!(fixture.cost(|| drop(find_all(other, &[(CKA_TOKEN, NO)]))), 1, "and asks whether the keys are still there");
    let client = fixture.service.client();
    let stored = client.find(ProviderId::SOFTWARE, &interface::operations::Find::default()).unwrap();
    assert!(stored.is_empty(), "another process sees none");

    let survivor = aes(other, &[]).unwrap();
    assert_eq!(call!(C_CloseSession(own)), CKR_OK);
    for object in all {
        assert_eq!(look(object), CKR_OBJECT_HANDLE_INVALID);
    }
    assert_eq!(sign(other, private), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(look(survivor), EXISTS);
    assert_eq!(call!(C_CloseAllSessions(SOFTWARE)), CKR_OK);
    assert_eq!(look(survivor), CKR_OBJECT_HANDLE_INVALID);
}

#[test]
fn a_session_key_is_destroyed_in_the_service_when_its_session_or_the_module_ends() {
    let fixture = Fixture::new();
    let session = open(0);
    aes(session, &[]).unwrap();
    assert_eq!(fixture.cost(|| assert_eq!(call!(C_CloseSession(session)), CKR_OK)), 1);
    let session = open(0);
    generate(session, false).unwrap();
    create(session, &data(&number(CKO_DATA), &[])).unwrap();
    assert_eq!(fixture.cost(|| assert_eq!(call!(C_Finalize(null_mut())), CKR_OK)), 1);
    assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
    assert!(find_all(open(0), &[]).is_empty());
}

#[test]
fn a_read_only_session_makes_session_objects_and_leaves_token_objects_alone() {
    let _fixture = Fixture::new();
    let (reading, writing) = (open(0), open(CKF_RW_SESSION));
    let class = number(CKO_DATA);
    assert_eq!(create(reading, &data(&class, &[(CKA_TOKEN, YES)])), Err(CKR_SESSION_READ_ONLY));
    assert_eq!(aes(reading, &[(CKA_TOKEN, YES)]), Err(CKR_SESSION_READ_ONLY));
    let stored = create(writing, &data(&class, &[(CKA_TOKEN, YES)])).unwrap();
    assert_eq!(set(reading, stored, &[(CKA_LABEL, b"new")]), CKR_SESSION_READ_ONLY);
    assert_eq!(call!(C_DestroyObject(reading, stored)), CKR_SESSION_READ_ONLY);
    assert_eq!(copy(reading, stored, &[]), Err(CKR_SESSION_READ_ONLY), "the copy would be on the token too");
    let mine = copy(reading, stored, &[(CKA_TOKEN, NO)]).unwrap();
    assert_eq!(set(reading, mine, &[(CKA_LABEL, b"new")]), CKR_OK);
    assert_eq!(call!(C_DestroyObject(reading, mine)), CKR_OK);
    assert_eq!(look(mine), CKR_OBJECT_HANDLE_INVALID);
}

#[test]
fn logout_ends_private_session_objects() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    assert_eq!(call!(C_Login(session, CKU_USER, b"1234".as_ptr().cast_mut(), 4)), CKR_OK);
    let class = number(CKO_DATA);
    let secret = aes(session, &[]).unwrap();
    let open_secret = aes(session, &[(CKA_PRIVATE, NO)]).unwrap();
    let [public_note, private_note] = [NO, YES].map(|private| create(session, &data(&class, &[(CKA_PRIVATE, private)])).unwrap());
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    for gone in [secret, private_note] {
        assert_eq!(look(gone), CKR_OBJECT_HANDLE_INVALID);
    }
    for here in [open_secret, public_note] {
        assert_eq!(look(here), EXISTS);
    }
}

#[test]
fn halves_of_a_pair_may_be_in_different_places() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    for (public_token, private_token) in [(NO, YES), (YES, NO)] {
        let (mut public, public_len) = template(&[(CKA_EC_PARAMS, P256), (CKA_TOKEN, public_token), (CKA_LABEL, b"public")]);
        let (mut private, private_len) = template(&[(CKA_TOKEN, private_token), (CKA_LABEL, b"private"), (CKA_ID, b"1")]);
        let mut handles = [0; 2];
        let [public_key, private_key] = &mut handles;
        let made = call!(C_GenerateKeyPair(
            session,
            &mut mechanism(CKM_EC_KEY_PAIR_GEN),
            public.as_mut_ptr(),
            public_len,
            private.as_mut_ptr(),
            private_len,
            public_key,
            private_key,
        ));
        assert_eq!(made, CKR_OK);
        let [public, private] = handles;
        assert_eq!(read(public, CKA_TOKEN).as_deref(), Ok(public_token));
        assert_eq!(read(private, CKA_TOKEN).as_deref(), Ok(private_token));
        assert_eq!(read(public, CKA_EC_POINT), read(private, CKA_EC_POINT));
        assert_eq!(read(public, CKA_ID), read(private, CKA_ID));
        assert_eq!(find_all(session, &[(CKA_CLASS, &number(CKO_PUBLIC_KEY))]), [public]);
        assert_eq!(find_all(session, &[(CKA_CLASS, &number(CKO_PRIVATE_KEY))]), [private]);
        for object in handles {
            assert_eq!(call!(C_DestroyObject(session, object)), CKR_OK);
        }
    }
}

#[test]
fn a_public_half_goes_alone_and_a_private_one_takes_it_along() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    for token in [true, false] {
        let [public, private] = generate(session, token).unwrap();
        assert_eq!(call!(C_DestroyObject(session, public)), CKR_OK);
        assert_eq!(look(public), CKR_OBJECT_HANDLE_INVALID);
        assert!(find(session, CKO_PUBLIC_KEY).is_empty());
        assert_eq!(find(session, CKO_PRIVATE_KEY), [private]);
        sign(session, private).unwrap();
        assert_eq!(call!(C_DestroyObject(session, private)), CKR_OK);
        let [public, private] = generate(session, token).unwrap();
        assert_eq!(call!(C_DestroyObject(session, private)), CKR_OK);
        assert_eq!(look(public), CKR_OBJECT_HANDLE_INVALID);
    }
}

#[test]
fn one_way_flags_go_one_way_for_good_and_the_past_is_told() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let open_key: Attributes<'_> = &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)];
    let key = aes(session, &[open_key, &[(CKA_TOKEN, YES), (CKA_LABEL, b"one way")]].concat()).unwrap();
    assert_eq!(read(key, CKA_VALUE).map(|value| value.len()), Ok(16));
    assert_eq!(set(session, key, &[(CKA_SENSITIVE, NO)]), CKR_OK, "it is as it is");
    assert_eq!(set(session, key, &[(CKA_SENSITIVE, YES)]), CKR_OK);
    assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    assert_eq!(read(key, CKA_EXTRACTABLE).as_deref(), Ok(YES));
    assert_eq!(set(session, key, &[(CKA_EXTRACTABLE, NO), (CKA_DECRYPT, NO), (CKA_WRAP_WITH_TRUSTED, YES)]), CKR_OK);
    for (kind, back) in [
        (CKA_SENSITIVE, NO),
        (CKA_EXTRACTABLE, YES),
        (CKA_DECRYPT, YES),
        (CKA_WRAP_WITH_TRUSTED, NO),
        (CKA_SIGN, YES),
        (CKA_KEY_TYPE, &number(CKK_CHACHA20)),
        (CKA_LOCAL, NO),
    ] {
        assert_eq!(set(session, key, &[(kind, back)]), CKR_ATTRIBUTE_READ_ONLY, "{kind:#x}");
    }
    assert_eq!(set(session, key, &[(CKA_SENSITIVE, &[7])]), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(set(session, key, &[(CKA_MODULUS, b"1")]), CKR_ATTRIBUTE_TYPE_INVALID);
    fixture.service.kill9();
    fixture.service.restart();
    let [key] = find_all(session, &[(CKA_LABEL, b"one way")])[..] else { panic!("one key") };
    for (kind, value) in [
        (CKA_SENSITIVE, YES),
        (CKA_EXTRACTABLE, NO),
        (CKA_ENCRYPT, YES),
        (CKA_DECRYPT, NO),
        (CKA_WRAP_WITH_TRUSTED, YES),
        (CKA_LOCAL, YES),
        (CKA_ALWAYS_SENSITIVE, NO),
        (CKA_NEVER_EXTRACTABLE, NO),
    ] {
        assert_eq!(read(key, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    assert_eq!(call!(C_DecryptInit(session, &mut mechanism(CKM_AES_ECB), key)), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

#[test]
fn labels_ids_and_dates_change_and_a_key_that_is_not_modifiable_does_not() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    for token in [YES, NO] {
        let key = aes(session, &[(CKA_TOKEN, token), (CKA_START_DATE, b"20260101")]).unwrap();
        assert_eq!(read(key, CKA_START_DATE).as_deref(), Ok(&b"20260101"[..]));
        let changes: Attributes<'_> = &[(CKA_LABEL, b"new"), (CKA_ID, b"\x01\x02"), (CKA_END_DATE, b"20301231")];
        assert_eq!(set(session, key, changes), CKR_OK);
        for (kind, value) in changes {
            assert_eq!(read(key, *kind).as_deref(), Ok(*value));
        }
        assert_eq!(find_all(session, &[changes, &[(CKA_TOKEN, token)]].concat()), [key]);
        assert_eq!(set(session, key, &[(CKA_END_DATE, b"tomorrow")]), CKR_ATTRIBUTE_VALUE_INVALID);
        let fixed = aes(session, &[(CKA_TOKEN, token), (CKA_MODIFIABLE, NO), (CKA_DESTROYABLE, NO)]).unwrap();
        assert_eq!(set(session, fixed, &[(CKA_LABEL, b"new")]), CKR_ACTION_PROHIBITED);
        assert_eq!(set(session, fixed, &[(CKA_MODIFIABLE, YES)]), CKR_ATTRIBUTE_READ_ONLY);
        assert_eq!(call!(C_DestroyObject(session, fixed)), CKR_ACTION_PROHIBITED);
        assert_eq!(look(fixed), EXISTS);
    }
    let [public, private] = generate(session, true).unwrap();
    assert_eq!(set(session, public, &[(CKA_SUBJECT, b"0\0"), (CKA_ID, b"7")]), CKR_OK);
    assert_eq!(read(public, CKA_SUBJECT).as_deref(), Ok(&b"0\0"[..]));
    assert_eq!(read(private, CKA_SUBJECT).as_deref(), Ok(&b""[..]), "each half has its own");
    assert_ne!(read(private, CKA_ID).as_deref(), Ok(&b"7"[..]));
}

#[test]
fn data_and_certificates_keep_what_they_are_given() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (class, cert_class, x509) = (number(CKO_DATA), number(CKO_CERTIFICATE), number(CKC_X_509));
    let authority = number(CK_CERTIFICATE_CATEGORY_AUTHORITY);
    let data_more: Attributes<'_> = &[(CKA_APPLICATION, b"app"), (CKA_OBJECT_ID, b"\x06\x01\x2a")];
    // Certificate { TBS { [0] version, serial 5, algorithm, issuer, validity, subject, key } }
    let tbs = b"\xa0\x03\x02\x01\x02\x02\x01\x05\x30\x00\x30\x01\x01\x30\x00\x30\x01\x02\x30\x01\x03";
    let der = [&[0x30, 23, 0x30, 21], &tbs[..]].concat();
    let cert: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = vec![
        (CKA_CLASS, &cert_class),
        (CKA_CERTIFICATE_TYPE, &x509),
        (CKA_VALUE, &der),
        (CKA_ID, b"id"),
        (CKA_CERTIFICATE_CATEGORY, &authority),
        (CKA_URL, b"http://ca.example/"),
    ];
    let wrong = [&cert[..], &[(CKA_SUBJECT, b"0\0")]].concat();
    assert_eq!(create(session, &wrong), Err(CKR_TEMPLATE_INCONSISTENT));
    let trusted = [&cert[..], &[(CKA_TRUSTED, YES)]].concat();
    assert_eq!(create(session, &trusted), Err(CKR_ATTRIBUTE_READ_ONLY), "only the security officer trusts");
    for token in [YES, NO] {
        let token = [(CKA_TOKEN, token)];
        let note = create(session, &[&data(&class, data_more)[..], &token].concat()).unwrap();
        let stored = create(session, &[&cert[..], &token].concat()).unwrap();
        for (object, given) in [(note, data_more), (stored, &cert[..])] {
            for (kind, value) in given {
                assert_eq!(read(object, *kind).as_deref(), Ok(*value), "{kind:#x}");
            }
            let mut size = 0;
            assert_eq!(call!(C_GetObjectSize(session, object, &raw mut size)), CKR_OK);
            assert!((50..500).contains(&size), "{size}");
        }
        assert_eq!(read(stored, CKA_SERIAL_NUMBER).as_deref(), Ok(&b"\x02\x01\x05"[..]));
        assert_eq!(read(stored, CKA_TRUSTED).as_deref(), Ok(NO));
    }
    fixture.service.kill9();
    fixture.service.restart();
    assert_eq!(find_all(open(0), &[&[(CKA_TOKEN, YES)], data_more].concat()).len(), 1);
    let category = [(CKA_TOKEN, YES), (CKA_CERTIFICATE_CATEGORY, &authority[..])];
    assert_eq!(find_all(open(0), &category).len(), 1);
    assert!(find_all(open(0), &[(CKA_APPLICATION, b"other")]).is_empty());
}

#[test]
fn copies_are_new_objects_that_may_differ_but_are_not_weaker() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let class = number(CKO_DATA);
    let note = create(session, &data(&class, &[(CKA_TOKEN, YES), (CKA_PRIVATE, YES), (CKA_APPLICATION, b"app")])).unwrap();
    assert_eq!(copy(session, note, &[(CKA_PRIVATE, NO)]), Err(CKR_TEMPLATE_INCONSISTENT));
    assert_eq!(copy(session, note, &[(CKA_CLASS, &number(CKO_CERTIFICATE))]), Err(CKR_ATTRIBUTE_READ_ONLY));
    let changed = copy(session, note, &[(CKA_TOKEN, NO), (CKA_LABEL, b"copy"), (CKA_COPYABLE, NO)]).unwrap();
    for (kind, value) in [
        (CKA_TOKEN, NO),
        (CKA_PRIVATE, YES),
        (CKA_LABEL, b"copy"),
        (CKA_APPLICATION, b"app"),
        (CKA_VALUE, b"text"),
        (CKA_COPYABLE, NO),
    ] {
        assert_eq!(read(changed, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    assert_ne!(read(changed, CKA_UNIQUE_ID), read(note, CKA_UNIQUE_ID));
    assert_eq!(read(note, CKA_LABEL).as_deref(), Ok(&b"note"[..]));
    assert_eq!(copy(session, changed, &[]), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(set(session, changed, &[(CKA_COPYABLE, YES)]), CKR_ATTRIBUTE_READ_ONLY);
    let same = copy(session, note, &[]).unwrap();
    assert_eq!(find_all(session, &[(CKA_LABEL, b"note")]).len(), 2);
    assert_eq!(call!(C_DestroyObject(session, note)), CKR_OK);
    assert_eq!(look(same), EXISTS);

    let [public, private] = generate(session, true).unwrap();
    let half = copy(session, public, &[(CKA_TOKEN, NO), (CKA_LABEL, b"half")]).unwrap();
    assert_eq!(read(half, CKA_EC_POINT), read(public, CKA_EC_POINT));
    assert_eq!(call!(C_DestroyObject(session, private)), CKR_OK);
    assert_eq!(read(half, CKA_VERIFY).as_deref(), Ok(YES));
    assert_eq!(call!(C_VerifyInit(session, &mut mechanism(CKM_ECDSA), half)), CKR_OK);
}

/// PKCS#11 v3.1 §4.8: a copy of a key that was made here was made here, and what was always sensitive still is.
#[test]
fn copies_of_keys_work_in_another_place_with_fewer_uses() {
    let _fixture = Fixture::new();
    let (writing, reading) = (open(CKF_RW_SESSION), open(0));
    let key =
        aes(writing, &[(CKA_TOKEN, YES), (CKA_EXTRACTABLE, NO), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES), (CKA_ID, b"")]).unwrap();
    assert_eq!(read(key, CKA_ID).as_deref(), Ok(&b""[..]));
    assert_eq!(copy(reading, key, &[]), Err(CKR_SESSION_READ_ONLY));
    for refused in [[(CKA_SENSITIVE, NO)], [(CKA_EXTRACTABLE, YES)], [(CKA_WRAP, YES)]] {
        assert_eq!(copy(writing, key, &refused), Err(CKR_ATTRIBUTE_READ_ONLY));
    }
    let mine = copy(reading, key, &[(CKA_TOKEN, NO), (CKA_LABEL, b"copy"), (CKA_ENCRYPT, NO)]).unwrap();
    for (kind, value) in [
        (CKA_TOKEN, NO),
        (CKA_LABEL, b"copy"),
        (CKA_ID, b""),
        (CKA_ENCRYPT, NO),
        (CKA_DECRYPT, YES),
        (CKA_LOCAL, YES),
        (CKA_ALWAYS_SENSITIVE, YES),
        (CKA_NEVER_EXTRACTABLE, YES),
    ] {
        assert_eq!(read(mine, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    let sealed = crypt::encrypt(mechanism(CKM_AES_ECB), key, &[5; 16]).unwrap();
    assert_eq!(crypt::decrypt(mechanism(CKM_AES_ECB), mine, &sealed), Ok(vec![5; 16]));
    assert_eq!(crypt::encrypt(mechanism(CKM_AES_ECB), mine, &[5; 16]), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));

    let plain = aes(writing, &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]).unwrap();
    let stored = copy(writing, plain, &[(CKA_TOKEN, YES), (CKA_SENSITIVE, YES), (CKA_EXTRACTABLE, NO)]).unwrap();
    assert_eq!(read(stored, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    for flag in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
        assert_eq!(read(stored, flag).as_deref(), Ok(NO), "the original could be read");
    }
    let id = read(stored, CKA_UNIQUE_ID).unwrap();
    assert_eq!(call!(C_DestroyObject(writing, plain)), CKR_OK);
    assert_eq!(find_all(writing, &[(CKA_UNIQUE_ID, &id)]), [stored]);
}

#[test]
fn data_changes_in_its_place() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let class = number(CKO_DATA);
    for token in [YES, NO] {
        let note = create(session, &data(&class, &[(CKA_TOKEN, token), (CKA_APPLICATION, b"app")])).unwrap();
        let id = read(note, CKA_UNIQUE_ID);
        assert_eq!(set(session, note, &[(CKA_VALUE, b"other text"), (CKA_LABEL, b"renamed")]), CKR_OK);
        for (kind, value) in [(CKA_VALUE, &b"other text"[..]), (CKA_LABEL, b"renamed"), (CKA_APPLICATION, b"app")] {
            assert_eq!(read(note, kind).as_deref(), Ok(value));
        }
        assert_eq!(read(note, CKA_UNIQUE_ID), id);
    }
    fixture.service.kill9();
    fixture.service.restart();
    let [note] = find_all(open(0), &[(CKA_TOKEN, YES), (CKA_LABEL, b"renamed")])[..] else {
        panic!("the renamed object is not there");
    };
    assert_eq!(read(note, CKA_VALUE).as_deref(), Ok(&b"other text"[..]));
}

#[test]
fn check_values_are_those_of_the_standard() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (class, kinds) = (number(CKO_SECRET_KEY), [CKK_AES, CKK_GENERIC_SECRET].map(number));
    // AES-128 of a zero block under a zero key, and SHA-1 of 16 zero bytes (NIST's and coreutils' values).
    for (kind, right) in kinds.iter().zip([&[0x66, 0xe9, 0x4b], &[0xe1, 0x29, 0xf2]]) {
        let given = |check: &'static [u8]| {
            let key: Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, kind), (CKA_VALUE, &[0; 16])];
            let open: Attributes<'_> = &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES), (CKA_CHECK_VALUE, check)];
            create(session, &[key, open].concat())
        };
        assert_eq!(given(&[1, 2, 3]), Err(CKR_ATTRIBUTE_VALUE_INVALID));
        let key = given(right).unwrap();
        assert_eq!(read(key, CKA_CHECK_VALUE).as_deref(), Ok(&right[..]));
        assert_eq!(set(session, key, &[(CKA_CHECK_VALUE, &[1, 2, 3])]), CKR_ATTRIBUTE_READ_ONLY);
        assert_eq!(set(session, key, &[(CKA_CHECK_VALUE, &[])]), CKR_OK);
        for key in [key, given(&[]).unwrap()] {
            assert_eq!(read(key, CKA_CHECK_VALUE).as_deref(), Ok(&[][..]), "nobody wants one");
        }
    }
    assert_eq!(find_all(session, &[]).len(), 4, "nothing is left of what was refused");
}

#[test]
fn profiles_show_to_those_who_look_for_them() {
    let _fixture = Fixture::new();
    let session = open(0);
    let found = find_all(session, &[(CKA_CLASS, &number(CKO_PROFILE))]);
    let ids: Vec<_> = found.iter().map(|profile| read(*profile, CKA_PROFILE_ID).unwrap()).collect();
    assert_eq!(ids, [number(CKP_BASELINE_PROVIDER), number(CKP_EXTENDED_PROVIDER)]);
    assert!(find_all(session, &[]).is_empty());
}

/// The ECParameters of y² = x³ + x + 1 over the field of 23 elements, and a point on it.
#[test]
fn a_public_key_on_a_nameless_curve_is_read_in_its_session_and_used_nowhere() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (class, kind) = (number(CKO_PUBLIC_KEY), number(CKK_EC));
    let curve = b"\x30\x24\x02\x01\x01\x30\x0c\x06\x07\x2a\x86\x48\xce\x3d\x01\x01\x02\x01\x17\x30\x06\x04\x01\x01\x04\x01\x01\
        \x04\x03\x04\x03\x0a\x02\x01\x1c\x02\x01\x01";
    let point = b"\x04\x03\x04\x03\x0a";
    let key: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> =
        vec![(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, curve), (CKA_LABEL, b"odd"), (CKA_VERIFY, YES)];
    assert_eq!(create(session, &key), Err(CKR_TEMPLATE_INCOMPLETE), "there is no point");
    let key = [&key[..], &[(CKA_EC_POINT, point)]].concat();
    assert_eq!(create(session, &[&key[..], &[(CKA_TOKEN, YES)]].concat()), Err(CKR_CURVE_NOT_SUPPORTED));
    let object = create(session, &key).unwrap();
    for (kind, value) in
        [(CKA_EC_PARAMS, &curve[..]), (CKA_EC_POINT, point), (CKA_LABEL, b"odd"), (CKA_TOKEN, NO), (CKA_VERIFY, NO)]
    {
        assert_eq!(read(object, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    assert_eq!(find_all(session, &[(CKA_LABEL, b"odd"), (CKA_KEY_TYPE, &kind)]), [object]);
    assert_eq!(call!(C_VerifyInit(session, &mut mechanism(CKM_ECDSA), object)), CKR_KEY_TYPE_INCONSISTENT);
    assert_eq!(set(session, object, &[(CKA_LABEL, b"renamed")]), CKR_OK);
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    assert_eq!(find_all(open(0), &[(CKA_LABEL, b"renamed")]), []);
}
