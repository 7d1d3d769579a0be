//! Searches and what their handles are good for (PKCS#11 v3.1 §5.7.7 to §5.7.9).

use std::ptr::null_mut;

use cryptoki_sys::*;
use parsec_pkcs11::C_GetFunctionList;
use tests::run;

use super::{Fixture, attribute, find, generate, open};
use crate::keys::{YES, create, number, read};

fn count(session: CK_SESSION_HANDLE, template: &mut [CK_ATTRIBUTE]) -> usize {
    let len = template.len() as CK_ULONG;
    assert_eq!(call!(C_FindObjectsInit(session, template.as_mut_ptr(), len)), CKR_OK);
    let mut all = 0;
    loop {
        let (mut handle, mut one) = (0, 7);
        assert_eq!(call!(C_FindObjects(session, &raw mut handle, 1, &raw mut one)), CKR_OK);
        if one == 0 {
            break;
        }
        all += 1;
    }
    assert_eq!(call!(C_FindObjectsFinal(session)), CKR_OK);
    all
}

#[test]
fn an_empty_template_finds_all_and_what_no_object_has_finds_none() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    generate(session, true).unwrap();
    create(&[(CKA_CLASS, &number(CKO_DATA)), (CKA_VALUE, b"note"), (CKA_LABEL, b"note")]).unwrap();
    let objects = count(session, &mut []);
    assert!(objects >= 3);
    let point = read(find(session, CKO_PUBLIC_KEY)[0], CKA_EC_POINT).unwrap();
    for (kind, value, found) in [
        (CKA_LABEL, &b"note"[..], 1),
        (CKA_TOKEN, YES, objects),
        (CKA_SIGN, YES, 1),
        (CKA_KEY_TYPE, &number(CKK_EC), 2),
        (CKA_EC_POINT, &point, 2),
        (CKA_VALUE, b"note", 1),
        (CKA_LABEL, b"not", 0),
        (CKA_VENDOR_DEFINED | 77, b"x", 0),
        (CKA_CLASS, &number(CKO_CERTIFICATE), 0),
        (CKA_CLASS, &number(0x1234_5678), 0),
    ] {
        assert_eq!(count(session, &mut [attribute(kind, value)]), found, "{kind:#x}");
    }
}

#[test]
fn a_search_is_a_snapshot_and_one_at_a_time() {
    let fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let mut handle = 0;
    let mut one = 0;
    assert_eq!(call!(C_FindObjects(session, &raw mut handle, 1, &raw mut one)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(call!(C_FindObjectsFinal(session)), CKR_OPERATION_NOT_INITIALIZED);
    generate(session, true).unwrap();
    let mut template = [attribute(CKA_LABEL, b"web")];
    assert_eq!(call!(C_FindObjectsInit(session, template.as_mut_ptr(), 1)), CKR_OK);
    assert_eq!(call!(C_FindObjectsInit(session, template.as_mut_ptr(), 1)), CKR_OPERATION_ACTIVE);
    run(&mut fixture.service.parsec(["key", "new", "later", "--for", "tls-server"])).ok();
    let mut handles = [0; 9];
    assert_eq!(call!(C_FindObjects(session, handles.as_mut_ptr(), 9, &raw mut one)), CKR_OK);
    assert_eq!(one, 2);
    assert_eq!(call!(C_FindObjects(session, handles.as_mut_ptr(), 9, &raw mut one)), CKR_OK);
    assert_eq!(one, 0);
    assert_eq!(call!(C_FindObjectsFinal(session)), CKR_OK);
    let other = open(0);
    assert_eq!(count(other, &mut [attribute(CKA_LABEL, b"later")]), 2, "what another process made");
    assert_eq!(find(other, CKO_PRIVATE_KEY), find(session, CKO_PRIVATE_KEY), "handles are good in all sessions");
    assert_eq!(call!(C_FindObjectsInit(session, null_mut(), 1)), CKR_ARGUMENTS_BAD);
}
