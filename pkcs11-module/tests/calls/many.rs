//! Search among very many objects.

use super::keys::{YES, number};
use super::objects::create;
use super::*;
use std::time::Instant;

const MANY: usize = 100_000;

/// Certificate { TBS { [0] version, serial, algorithm, issuer, validity, subject, key } }
const CERTIFICATE: &[u8] = b"\x30\x17\x30\x15\xa0\x03\x02\x01\x02\x02\x01\x05\x30\0\x30\x01\x01\x30\0\x30\x01\x02\x30\x01\x03";

/// Adds so many copies of the certificate, whose labels and ids are their numbers. A key is sealed under its own name, so that nobody makes
/// copies of one like that.
fn multiply(service: &mut Service, count: usize) {
    service.alter_store(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO object SELECT printf('%032x', i), provider, owner, kind, 'copy-' || i, 'copy-' || i,
             CAST(printf('%08d', i) AS BLOB), value, created, pkcs11 FROM object, n"
    ));
}

pub(crate) fn search(session: CK_SESSION_HANDLE, attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Vec<CK_OBJECT_HANDLE> {
    let mut template: Vec<_> = attributes.iter().map(|(kind, value)| attribute(*kind, value)).collect();
    assert_eq!(call!(C_FindObjectsInit(session, template.as_mut_ptr(), template.len() as CK_ULONG)), CKR_OK);
    let (mut all, mut room) = (vec![], vec![0; 10_000]);
    loop {
        let mut count = 0;
        assert_eq!(call!(C_FindObjects(session, room.as_mut_ptr(), room.len() as CK_ULONG, &raw mut count)), CKR_OK);
        if count == 0 {
            break;
        }
        all.extend_from_slice(&room[..usize::try_from(count).unwrap()]);
    }
    assert_eq!(call!(C_FindObjectsFinal(session)), CKR_OK);
    all
}

#[test]
fn one_of_a_hundred_thousand_objects_is_found_in_one_round_trip_and_all_of_them_in_pages() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (class, x509) = (number(CKO_CERTIFICATE), number(CKC_X_509));
    let certificate = [(CKA_CLASS, &class[..]), (CKA_CERTIFICATE_TYPE, &x509), (CKA_VALUE, CERTIFICATE), (CKA_TOKEN, YES)];
    create(session, &certificate).unwrap();
    multiply(&mut fixture.service, MANY);
    search(session, &[(CKA_ID, b"none")]);
    let mut found = vec![];
    let cost = fixture.cost(|| {
        let start = Instant::now();
        found = search(session, &[(CKA_CLASS, &class), (CKA_ID, b"00077777")]);
        eprintln!("one of {MANY} objects by CKA_ID: {:?}", start.elapsed());
    });
    assert_eq!((cost, found.len()), (1, 1));
    assert_eq!(keys::read(found[0], CKA_LABEL).as_deref(), Ok(&b"copy-77777"[..]));
    let secret = number(CKO_SECRET_KEY);
    let cost = fixture.cost(|| assert!(search(session, &[(CKA_CLASS, &secret)]).is_empty()));
    assert_eq!(cost, 1, "what is not there is not sent");
    let all = search(session, &[(CKA_CLASS, &class)]);
    assert_eq!(all.len(), MANY + 1);
    let distinct: std::collections::HashSet<_> = all.into_iter().collect();
    assert_eq!(distinct.len(), MANY + 1);
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_session_takes_less_than_four_kibibytes() {
    const SESSIONS: usize = 5000;
    let _fixture = Fixture::new();
    open(0);
    let before = resident();
    for _ in 0..SESSIONS {
        open(0);
    }
    let each = resident().saturating_sub(before) / SESSIONS;
    assert!(each < 4096, "{each} bytes");
}
