//! The halves of a pair, each with its own label and id: those of the other where its template says nothing.

use super::keys::{NO, YES, number, read};
use super::objects::{find_all, set};
use super::wrap::Attributes;
use super::*;

fn pair(token: &[u8], public: &Attributes<'_>, private: &Attributes<'_>) -> [CK_OBJECT_HANDLE; 2] {
    let list = |given: &Attributes<'_>| given.iter().map(|(kind, value)| attribute(*kind, value)).collect::<Vec<_>>();
    let mut public = list(&[&[(CKA_EC_PARAMS, P256), (CKA_TOKEN, token)], public].concat());
    let mut private = list(&[&[(CKA_TOKEN, token)], private].concat());
    let [mut public_key, mut private_key] = [0; 2];
    let made = call!(C_GenerateKeyPair(
        open(CKF_RW_SESSION),
        &mut mechanism(CKM_EC_KEY_PAIR_GEN),
        public.as_mut_ptr(),
        public.len() as CK_ULONG,
        private.as_mut_ptr(),
        private.len() as CK_ULONG,
        &raw mut public_key,
        &raw mut private_key,
    ));
    assert_eq!(made, CKR_OK);
    [public_key, private_key]
}

/// Every search that names a half finds it, and no other.
fn check(keys: [CK_OBJECT_HANDLE; 2], labels: [&[u8]; 2], ids: [&[u8]; 2]) {
    let session = open(0);
    for (at, (key, class)) in keys.into_iter().zip([CKO_PUBLIC_KEY, CKO_PRIVATE_KEY]).enumerate() {
        let (label, id, class) = (labels[at], ids[at], number(class));
        assert_eq!(read(key, CKA_LABEL).as_deref(), Ok(label));
        assert_eq!(read(key, CKA_ID).as_deref(), Ok(id));
        let names: &Attributes<'_> = &[(CKA_LABEL, label), (CKA_ID, id)];
        for named in [&names[..1], &names[1..], names] {
            assert_eq!(find_all(session, &[&[(CKA_CLASS, &class[..])], named].concat()), [key], "{named:?}");
            let mut both = find_all(session, named);
            both.sort_unstable();
            let fits =
                |at: usize| named.iter().all(|(kind, value)| *value == if *kind == CKA_LABEL { labels[at] } else { ids[at] });
            let mut expected: Vec<_> = (0..2).filter(|at| fits(*at)).map(|at| keys[at]).collect();
            expected.sort_unstable();
            assert_eq!(both, expected, "{named:?}");
        }
        let other = [labels[1 - at], ids[1 - at]];
        let crossed = [(CKA_CLASS, &class[..]), (CKA_LABEL, other[0]), (CKA_ID, other[1])];
        let expected = if other == [label, id] { vec![key] } else { vec![] };
        assert_eq!(find_all(session, &crossed), expected);
    }
}

#[test]
fn each_half_has_the_names_that_its_template_gave() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    for token in [YES, NO] {
        for (public, private, labels, ids) in [
            (
                &[(CKA_LABEL, &b"public"[..]), (CKA_ID, b"1")][..],
                &[(CKA_LABEL, &b"private"[..]), (CKA_ID, b"2")][..],
                [&b"public"[..], b"private"],
                [&b"1"[..], b"2"],
            ),
            (&[(CKA_LABEL, b"public")], &[(CKA_LABEL, b"private"), (CKA_ID, b"2")], [b"public", b"private"], [b"2", b"2"]),
            (&[(CKA_ID, b"1")], &[(CKA_LABEL, b"both"), (CKA_ID, b"2")], [b"both", b"both"], [b"1", b"2"]),
            (&[(CKA_LABEL, b"both"), (CKA_ID, b"3")], &[(CKA_LABEL, b"both"), (CKA_ID, b"3")], [b"both", b"both"], [b"3", b"3"]),
            (&[(CKA_LABEL, b"both"), (CKA_ID, b"3")], &[], [b"both", b"both"], [b"3", b"3"]),
            (&[(CKA_LABEL, b""), (CKA_ID, b"")], &[(CKA_LABEL, b"private"), (CKA_ID, b"2")], [b"", b"private"], [b"", b"2"]),
        ] {
            let keys = pair(token, public, private);
            check(keys, labels, ids);
            if token == YES {
                let names: &Attributes<'_> = &[(CKA_LABEL, labels[0]), (CKA_ID, ids[0])];
                assert_eq!(fixture.cost(|| drop(find_all(session, names))), 1);
                fixture.restart();
                check(keys, labels, ids);
            }
            assert_eq!(call!(C_DestroyObject(session, keys[1])), CKR_OK);
        }
    }
}

#[test]
fn what_one_half_is_named_changes_no_other() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    for token in [YES, NO] {
        let both: &Attributes<'_> = &[(CKA_LABEL, b"both"), (CKA_ID, b"3")];
        let keys = pair(token, both, both);
        assert_eq!(set(session, keys[1], &[(CKA_LABEL, b"private")]), CKR_OK);
        check(keys, [b"both", b"private"], [b"3", b"3"]);
        assert_eq!(set(session, keys[0], &[(CKA_ID, b"1")]), CKR_OK);
        check(keys, [b"both", b"private"], [b"1", b"3"]);
        assert_eq!(set(session, keys[0], &[(CKA_LABEL, b"public")]), CKR_OK);
        assert_eq!(set(session, keys[1], &[(CKA_ID, b"2"), (CKA_LABEL, b"other")]), CKR_OK);
        check(keys, [b"public", b"other"], [b"1", b"2"]);
        let copied = objects::copy(session, keys[0], &[(CKA_TOKEN, NO)]).unwrap();
        assert_eq!([CKA_LABEL, CKA_ID].map(|kind| read(copied, kind).unwrap()), [b"public".to_vec(), b"1".to_vec()]);
        for key in [copied, keys[1]] {
            assert_eq!(call!(C_DestroyObject(session, key)), CKR_OK);
        }
    }
}
