//! What a search may name, and how its answers come in pages.

use super::*;
use interface::message::Pkcs11Attribute;

fn attribute(kind: u64, value: &[u8]) -> Pkcs11Attribute {
    Pkcs11Attribute { kind, value: value.to_vec() }
}

fn found(store: &Store, filter: Find) -> Vec<String> {
    let mut names: Vec<_> = store.find(&ROOT, SOFTWARE, &filter).records.into_iter().map(|record| record.name).collect();
    names.sort_unstable();
    names
}

/// Certificate { TBS { [0] version, serial 5, algorithm, issuer, validity, subject, key } }
fn certificate() -> Vec<u8> {
    let tbs = b"\xa0\x03\x02\x01\x02\x02\x01\x05\x30\x00\x30\x01\x01\x30\x00\x30\x01\x02\x30\x01\x03";
    [&[0x30, 23, 0x30, 21], &tbs[..]].concat()
}

#[test]
fn kept_attributes_certificate_fields_types_and_public_values_are_found() {
    let place = Place::new();
    let store = place.open().unwrap();
    let filing = |name: &str, pkcs11| Filing { name: name.into(), id: Some(b"own".to_vec()), pkcs11, ..Filing::default() };
    let dates = [filing("a", vec![attribute(0x110, b"2026")]), filing("b", vec![attribute(1 << 32 | 0x110, b"2026")])];
    for filing in dates {
        let reserved = store.reserve(SOFTWARE, &ROOT, &filing, &attributes(), None).unwrap();
        reserved.commit(material()).unwrap();
    }
    let kind = RecordKind::Certificate.into();
    let cert = PutObject { kind, name: "cert".into(), value: certificate(), ..PutObject::default() };
    store.put_object(&ROOT, SOFTWARE, &cert).unwrap();
    let public = store.key(SOFTWARE, &ROOT, "a").unwrap().public_id().unwrap();
    drop(store);
    let store = place.open().unwrap();
    let with = |pkcs11| Find { pkcs11, ..Find::default() };
    assert_eq!(found(&store, with(vec![attribute(0x110, b"2026")])), ["a", "b"], "whatever part of the record has it");
    assert!(found(&store, with(vec![attribute(0x110, b"2027")])).is_empty());
    assert!(found(&store, with(vec![attribute(0x110, b"2026"), attribute(0x111, b"2026")])).is_empty(), "all must match");
    for (kind, value) in [(0x101, b"\x30\x01\x02"), (0x81, b"\x30\x01\x01"), (0x82, b"\x02\x01\x05")] {
        assert_eq!(found(&store, with(vec![attribute(kind, value)])), ["cert"]);
    }
    assert_eq!(found(&store, Find { public_id: Some(public), ..Find::default() }), ["a", "b"]);
    let typed = |key_type: KeyType| Find { key_types: vec![key_type.into()], ..Find::default() };
    assert_eq!(found(&store, typed(KeyType::EccKeyPair(EccFamily::SecpR1))), ["a", "b"]);
    assert!(found(&store, typed(KeyType::Aes)).is_empty());
    store
        .set_metadata(
            &ROOT,
            SOFTWARE,
            &SetMetadata { kind: 1, name: "a".into(), pkcs11: vec![attribute(0x110, b"2027")], ..SetMetadata::default() },
        )
        .unwrap();
    assert_eq!(found(&store, with(vec![attribute(0x110, b"2027")])), ["a"]);
    assert_eq!(found(&store, with(vec![attribute(0x110, b"2026")])), ["b"]);
}

#[test]
fn pages_hold_own_and_granted_records_once_and_in_order() {
    let place = Place::new();
    let store = place.open().unwrap();
    for number in 0..7 {
        create(&store, &WEB, &format!("mine {number}"));
        let granted = create(&store, &ROOT, &format!("granted {number}"));
        store.grant(&granted, &WEB, Usage::SIGN).unwrap();
    }
    let cert = PutObject {
        kind: 2,
        name: "cert".into(),
        id: Some(store.key(SOFTWARE, &ROOT, "granted 0").unwrap().id.clone()),
        ..PutObject::default()
    };
    store.put_object(&ROOT, SOFTWARE, &cert).unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.find(&WEB, SOFTWARE, &Find { limit: 4, after: after.clone(), ..Find::default() });
        seen.extend(page.records.into_iter().map(|record| record.uuid));
        after = seen.last().cloned();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 15);
    assert!(seen.is_sorted_by(|a, b| a < b));
}
