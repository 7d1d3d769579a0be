//! What is kept beside keys and objects, and policies that become narrower.

use super::*;
use interface::message::{KeyAttributes, Pkcs11Attribute};
use prost::Message;

fn attribute(kind: u64, value: &[u8]) -> Pkcs11Attribute {
    Pkcs11Attribute { kind, value: value.to_vec() }
}

#[test]
fn attributes_stay_with_their_record_and_are_replaced_by_kind() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let filing = Filing {
        name: "web".into(),
        label: Some(String::new()),
        id: Some(vec![7]),
        pkcs11: vec![attribute(1, b"one"), attribute(2, b"two")],
        ..Filing::default()
    };
    let reserved = store.reserve(SOFTWARE, &ROOT, &filing, &attributes(), None).unwrap();
    let key = reserved.commit(material()).unwrap();
    assert_eq!((key.label.as_str(), key.id.as_slice(), &key.pkcs11), ("", &[7][..], &filing.pkcs11));
    let note = PutObject { kind: 3, name: "note".into(), pkcs11: vec![attribute(1, b"mine")], ..PutObject::default() };
    store.put_object(&ROOT, SOFTWARE, &note).unwrap();
    for (kind, name) in [(RecordKind::Key, "web"), (RecordKind::Data, "note")] {
        let set = SetMetadata {
            kind: kind.into(),
            name: name.into(),
            pkcs11: vec![attribute(1, b"new"), attribute(3, b"three")],
            ..SetMetadata::default()
        };
        store.set_metadata(&ROOT, SOFTWARE, &set).unwrap();
    }
    drop(store);
    let store = place.open().unwrap();
    let key = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(key.record(&ROOT).pkcs11, [attribute(2, b"two"), attribute(1, b"new"), attribute(3, b"three")]);
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
    let lookup = LookupObject { kind: 3, name: "note".into(), owner: None };
    assert_eq!(store.object(&ROOT, SOFTWARE, &lookup, &[]).unwrap().pkcs11, [attribute(1, b"new"), attribute(3, b"three")]);
}

#[test]
fn an_id_that_is_given_stays_even_an_empty_one() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for (id, len) in [(None, 20), (Some(vec![]), 0), (Some(vec![7]), 1)] {
        let filing = Filing { name: format!("with {len}"), id, ..Filing::default() };
        let key = store.reserve(SOFTWARE, &ROOT, &filing, &attributes(), None).unwrap().commit(material()).unwrap();
        assert_eq!(key.id.len(), len);
    }
}

#[test]
fn what_a_crash_interrupted_keeps_its_label_and_attributes() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let filing =
        Filing { name: "web".into(), label: Some("Web".into()), pkcs11: vec![attribute(1, b"one")], ..Filing::default() };
    std::mem::forget(store.reserve(SOFTWARE, &ROOT, &filing, &attributes(), None).unwrap());
    drop(store);
    let store = place.open().unwrap();
    let [pending] = <[Pending; 1]>::try_from(store.pending(SOFTWARE).unwrap()).unwrap();
    let key = store.adopt(pending, material()).unwrap();
    assert_eq!((key.label.as_str(), key.id.len(), &key.pkcs11), ("Web", 20, &filing.pkcs11));
}

#[test]
fn a_policy_becomes_narrower_for_good_and_the_past_is_remembered() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let yesterday = create(&store, &ROOT, "web");
    let narrow = |store: &Store, usage: Usage| {
        let set = SetMetadata { kind: 1, name: "web".into(), usage: Some(usage.into()), ..SetMetadata::default() };
        store.set_metadata(&ROOT, SOFTWARE, &set).unwrap();
    };
    narrow(&store, Usage::SIGN | Usage::EXPORT);
    assert_eq!(&*store.material(&yesterday).unwrap(), PRIVATE, "calls under way hold the key as it was");
    drop(store);
    let store = place.open().unwrap();
    narrow(&store, Usage::ALL);
    let key = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(key.attributes.policy.usage, Usage::SIGN_HASH);
    assert_eq!(key.past, Usage::SIGN_HASH | Usage::VERIFY_HASH);
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
    drop(store);
    // Widened again behind the service's back, it is no key any more.
    let wide = KeyAttributes::from(&attributes()).encode_to_vec();
    let db = Connection::open(place.database()).unwrap();
    db.execute("UPDATE key SET attributes = ?", [wide]).unwrap();
    drop(db);
    let store = place.open().unwrap();
    assert!(store.key(SOFTWARE, &ROOT, "web").is_none());
}
