//! What a search may name, and how its answers come in pages.

use super::*;
use crate::quotas::Limit;
use interface::message::Pkcs11Attribute;
use interface::operations::{Found, Record, Verdict};

fn attribute(kind: u64, value: &[u8]) -> Pkcs11Attribute {
    Pkcs11Attribute { kind, value: value.to_vec() }
}

fn found(store: &Store, filter: Find) -> Vec<String> {
    let mut names: Vec<_> = store.find(&ROOT, SOFTWARE, &filter, &[]).records.into_iter().map(|record| record.name).collect();
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
    let place = TestStore::new();
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
    let place = TestStore::new();
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
    let key = |record: &Record| (record.foreign, record.uuid.clone());
    let all: Vec<_> = store.find(&WEB, SOFTWARE, &Find::default(), &[]).records.iter().map(key).collect();
    assert_eq!(all.iter().filter(|(foreign, _)| *foreign).count(), 8);
    assert_eq!(all.len(), 15);
    assert!(all.is_sorted_by(|a, b| a < b), "one's own first, then others', each in the order of their UUIDs");
    // by the cursor of the answer, and as older clients go on, by the last UUID
    for older in [false, true] {
        for label in [None, Some("mine 3".to_owned()), Some("granted 3".to_owned())] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let filter = Find { limit: 4, after: after.clone(), label: label.clone(), ..Find::default() };
                let page = store.find(&WEB, SOFTWARE, &filter, &[]);
                seen.extend(page.records.iter().map(key));
                after = if older { seen.last().map(|(_, uuid)| uuid.clone()) } else { page.next };
                if !page.more {
                    break;
                }
            }
            let expected = if label.is_some() { 1 } else { 15 };
            assert_eq!(seen.len(), expected, "{label:?}");
            assert!(label.is_some() || seen == all);
        }
    }
}

#[test]
fn a_search_in_pieces_finds_each_record_once_while_others_go() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for number in 0..8 {
        create(&store, &WEB, &format!("mine {number}"));
        let granted = create(&store, &ROOT, &format!("granted {number}"));
        store.grant(&granted, &WEB, Usage::SIGN).unwrap();
    }
    let data = PutObject { kind: 3, name: "data".into(), value: b"value".to_vec(), ..PutObject::default() };
    store.put_object(&WEB, SOFTWARE, &data).unwrap();
    let key = |record: &Record| (record.foreign, record.uuid.clone());
    let all: Vec<_> = store.find(&WEB, SOFTWARE, &Find::default(), &[]).records.iter().map(key).collect();
    for steps in 1..=all.len() {
        for kind in [None, Some(3)] {
            let (mut seen, mut filter) = (Vec::new(), Find { kind, ..Find::default() });
            loop {
                let page = store.find_by(&WEB, SOFTWARE, &filter, &[], steps);
                assert!(page.records.len() <= steps);
                assert!(!page.more || !page.records.is_empty(), "older clients take an empty page for the last one");
                seen.extend(page.records);
                filter.after = page.next;
                if !page.more {
                    break;
                }
            }
            match kind {
                None => assert_eq!(seen.iter().map(key).collect::<Vec<_>>(), all, "{steps}"),
                Some(_) => assert_eq!(seen.iter().map(|record| &*record.value).collect::<Vec<_>>(), [b"value"], "{steps}"),
            }
        }
    }
    let (mut seen, mut filter) = (Vec::new(), Find::default());
    loop {
        let page = store.find_by(&WEB, SOFTWARE, &filter, &[], 2);
        for record in page.records.iter().filter(|record| record.kind == 1) {
            let owner = if record.foreign { ROOT } else { WEB };
            store.destroy(&store.key(SOFTWARE, &owner, &record.name).unwrap()).unwrap().commit();
        }
        seen.extend(page.records.iter().map(key));
        filter.after = page.next;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn values_stay_in_the_database() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let value = vec![7; 1 << 20];
    let put = PutObject { kind: 3, name: "data".into(), value: value.clone(), ..PutObject::default() };
    store.put_object(&WEB, SOFTWARE, &put).unwrap();
    let lookup = LookupObject { kind: 3, name: "data".into(), owner: None };
    let check = |store: &Store, value: &[u8]| {
        assert!(format!("{:?}", store.index()).len() < value.len(), "the value is in memory");
        assert_eq!(store.object(&WEB, SOFTWARE, &lookup, &[]).unwrap().value, value);
        assert_eq!(store.find(&WEB, SOFTWARE, &Find::default(), &[]).records[0].value, value);
        assert_eq!(store.usage(&WEB).of(Limit::Bytes), (value.len() + 2 * "data".len()) as u64);
    };
    check(&store, &value);
    let other = vec![8; 1 << 19];
    let set = SetMetadata { kind: 3, name: "data".into(), value: Some(other.clone()), ..SetMetadata::default() };
    store.set_metadata(&WEB, SOFTWARE, &set).unwrap();
    check(&store, &other);
    drop(store);
    check(&place.open().unwrap(), &other);
}

#[test]
fn a_certificate_shows_as_long_as_a_key_beside_it_is_granted() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let (key, other) = (create(&store, &ROOT, "key"), create(&store, &ROOT, "other"));
    store.put_object(&ROOT, SOFTWARE, &object(RecordKind::Certificate, "cert", b"one", vec![])).unwrap();
    let shows = || store.find(&WEB, SOFTWARE, &Find { kind: Some(2), ..Find::default() }, &[]).records.len();
    for name in ["key", "other"] {
        let set = SetMetadata { kind: 1, name: name.into(), id: Some(b"one".to_vec()), ..SetMetadata::default() };
        store.set_metadata(&ROOT, SOFTWARE, &set).unwrap();
    }
    assert_eq!(shows(), 0);
    store.grant(&key, &WEB, Usage::SIGN).unwrap();
    store.grant(&key, &WEB, Usage::SIGN).unwrap();
    store.grant(&other, &WEB, Usage::SIGN).unwrap();
    assert_eq!(shows(), 1);
    store.revoke(&key, &WEB).unwrap();
    assert_eq!(shows(), 1);
    let set = SetMetadata { kind: 1, name: "other".into(), id: Some(b"two".to_vec()), ..SetMetadata::default() };
    store.set_metadata(&ROOT, SOFTWARE, &set).unwrap();
    assert_eq!(shows(), 0);
    store.destroy_objects(&ROOT, SOFTWARE).unwrap();
    assert_eq!(store.find(&ROOT, SOFTWARE, &Find { kind: Some(2), ..Find::default() }, &[]).records.len(), 0);
}

#[test]
fn a_page_goes_on_where_a_record_has_gone() {
    for (done, owner) in [(2, WEB), (4, WEB), (6, ROOT)] {
        let place = TestStore::new();
        let store = place.open().unwrap();
        for number in 0..4 {
            create(&store, &WEB, &format!("mine {number}"));
            let granted = create(&store, &ROOT, &format!("granted {number}"));
            store.grant(&granted, &WEB, Usage::SIGN).unwrap();
        }
        let page = |limit, after| store.find(&WEB, SOFTWARE, &Find { limit, after, ..Find::default() }, &[]);
        let uuids = |found: Found| found.records.into_iter().map(|record| record.uuid).collect::<Vec<_>>();
        let all = uuids(page(0, None));
        let Found { records, next, .. } = page(done, None);
        let last = records.last().unwrap();
        store.destroy(&store.key(SOFTWARE, &owner, &last.name).unwrap()).unwrap().commit();
        let rest = &all[done as usize..];
        assert_eq!(uuids(page(0, next)), rest);
        // an older client may see again what it has seen, and misses nothing
        let older = uuids(page(0, Some(last.uuid.clone())));
        assert!(rest.iter().all(|uuid| older.contains(uuid)), "{done}");
    }
}

/// A certificate or data object.
fn object(kind: RecordKind, name: &str, id: &[u8], pkcs11: Vec<Pkcs11Attribute>) -> PutObject {
    PutObject { kind: kind.into(), name: name.into(), id: Some(id.into()), pkcs11, ..PutObject::default() }
}

#[test]
fn others_are_listed_where_somebody_vouches_for_them() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let (alice, bob) = (Principal::Uid(1000), Principal::App("bob".into()));
    for owner in [&ROOT, &alice, &bob] {
        let key = create(&store, owner, "web");
        store.put_object(owner, SOFTWARE, &object(RecordKind::Certificate, "web", &key.id, vec![])).unwrap();
        store.grant(&key, &WEB, Usage::SIGN).unwrap();
    }
    let owners = |filter: &Find, admins: &[Principal]| -> Vec<_> {
        store.find(&WEB, SOFTWARE, filter, admins).records.into_iter().map(|record| record.owner).collect()
    };
    let all = [Find::default(), Find { label: Some("web".into()), ..Find::default() }];
    let sorted = |mut owners: Vec<String>| {
        owners.sort();
        owners
    };
    for filter in &all {
        assert_eq!(owners(filter, &[]), ["uid:0"; 2]);
        assert_eq!(sorted(owners(filter, std::slice::from_ref(&bob))), ["app:bob", "app:bob", "uid:0", "uid:0"]);
    }
    let alices = store.key(SOFTWARE, &alice, "web").unwrap();
    assert_eq!(owners(&Find { owner: Some("uid:1000".into()), ..Find::default() }, &[]), ["uid:1000"; 2], "named");
    assert_eq!(owners(&Find { uuid: Some(alices.uuid.to_string()), ..Find::default() }, &[]), ["uid:1000"], "known");
    let certificate = LookupObject { kind: 2, name: "web".into(), owner: None };
    assert_eq!(store.object(&WEB, SOFTWARE, &certificate, &[]).unwrap().owner, "uid:0");
    let named = LookupObject { owner: Some("app:bob".into()), ..certificate };
    assert_eq!(store.object(&WEB, SOFTWARE, &named, &[]).unwrap().owner, "app:bob");

    let say = |callers: &str, owner: &Principal, verdict| store.set_acceptance(callers, owner, verdict).unwrap();
    say("*uid:", &bob, Some(Verdict::Accepted));
    say("uid:33", &ROOT, Some(Verdict::Rejected));
    assert_eq!(owners(&all[0], &[]), ["app:bob"; 2]);
    say("*uid:3", &bob, Some(Verdict::Rejected));
    say("uid:33", &alice, Some(Verdict::Standing));
    assert_eq!(owners(&all[1], &[]), ["uid:1000"; 2]);
    let meant = store.granted(&WEB, SOFTWARE, "web", &[]);
    assert!(meant.keys.is_empty() && meant.strangers.len() == 3, "what stands is listed, and no name alone means it");
    for (callers, owner) in [("*uid:", &bob), ("*uid:3", &bob), ("uid:33", &ROOT), ("uid:33", &alice)] {
        say(callers, owner, None);
    }
    assert_eq!(owners(&all[0], &[]), ["uid:0"; 2]);

    create(&store, &WEB, "own");
    for filter in [Find::default(), Find { limit: 1, ..Find::default() }] {
        assert_eq!(owners(&filter, &[])[0], "uid:33", "one's own come first");
    }
    store.revoke(&alices, &WEB).unwrap();
    assert!(owners(&Find { uuid: Some(alices.uuid.to_string()), ..Find::default() }, &[]).is_empty(), "known, and not granted");
}

#[test]
fn a_search_goes_through_what_the_caller_may_be_shown_however_much_others_have() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for owner in 1000..1040 {
        let key = create(&store, &Principal::Uid(owner), "web");
        store.grant(&key, &WEB, Usage::SIGN).unwrap();
    }
    create(&store, &WEB, "web");
    store.grant(&create(&store, &ROOT, "web"), &WEB, Usage::SIGN).unwrap();
    let index = store.index();
    let labelled = Find { label: Some("web".into()), ..Find::default() };
    let unknown = Find { label: Some("none".into()), ..Find::default() };
    for (filter, most) in [(Find::default(), 2), (labelled, 2), (unknown, 0)] {
        let ways: Vec<_> = filter.ways().collect();
        let search = find::Search::new(&index, &WEB, &filter, &ways).unwrap();
        assert_eq!(search.entries(&[]).count(), most);
    }
}

#[test]
fn a_search_for_public_halves_too_gives_each_record_once_and_in_order() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let own = |label: &[u8]| vec![attribute(1 << 32 | 3, label)];
    for (name, label, pkcs11) in [
        ("a", "web", vec![]),
        ("b", "other", own(b"web")),
        ("c", "web", own(b"web")),
        ("d", "web", own(b"other")),
        ("e", "other", vec![]),
    ] {
        for owner in [&WEB, &ROOT] {
            let key = create(&store, owner, name);
            let change = SetMetadata {
                kind: RecordKind::Key.into(),
                name: name.into(),
                label: Some(label.into()),
                pkcs11: pkcs11.clone(),
                ..SetMetadata::default()
            };
            store.set_metadata(owner, SOFTWARE, &change).unwrap();
            if *owner == ROOT {
                store.grant(&key, &WEB, Usage::SIGN).unwrap();
            }
        }
    }
    let pages = |public_halves, limit| {
        let mut filter = Find { label: Some("web".into()), public_halves, limit, ..Find::default() };
        let mut records = vec![];
        loop {
            let page = store.find(&WEB, SOFTWARE, &filter, &[ROOT]);
            records.extend(page.records.into_iter().map(|record| (record.owner, record.uuid, record.name)));
            if !page.more {
                return records;
            }
            filter.after = page.next;
        }
    };
    let all = pages(true, 0);
    let mut names: Vec<_> = all.iter().map(|(.., name)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "a", "b", "b", "c", "c", "d", "d"]);
    for half in [&all[..4], &all[4..]] {
        assert!(half.is_sorted_by_key(|(_, uuid, _)| uuid) && half.iter().all(|(owner, ..)| *owner == half[0].0));
    }
    assert_eq!(pages(true, 1), all);
    assert_eq!(pages(false, 0).len(), 6);
}

#[test]
fn what_another_token_calls_trusted_is_not_shown() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let public_half = 1 << 32;
    let trusted = || vec![attribute(0x86, &[1]), attribute(public_half | 0x86, &[1]), attribute(0x110, b"2027")];
    for owner in [&ROOT, &WEB] {
        let key = create(&store, owner, "ca");
        let set = SetMetadata { kind: 1, name: "ca".into(), pkcs11: trusted(), ..SetMetadata::default() };
        store.set_metadata(owner, SOFTWARE, &set).unwrap();
        store.put_object(owner, SOFTWARE, &object(RecordKind::Certificate, "ca", &key.id, trusted())).unwrap();
    }
    store.grant(&store.key(SOFTWARE, &ROOT, "ca").unwrap(), &WEB, Usage::SIGN).unwrap();
    let find = |pkcs11| store.find(&WEB, SOFTWARE, &Find { pkcs11, ..Find::default() }, &[]).records;
    let all = find(vec![]);
    assert_eq!(all.len(), 4);
    for record in &all {
        let marks = record.pkcs11.iter().filter(|kept| [0x86, public_half | 0x86].contains(&kept.kind)).count();
        assert_eq!((marks, record.pkcs11.len() - marks), (if record.foreign { 0 } else { 2 }, 1));
    }
    let owners: Vec<_> = find(vec![attribute(0x86, &[1])]).into_iter().map(|record| record.owner).collect();
    assert_eq!(owners, ["uid:33"; 2]);
    for record in &all {
        for kind in [0x86, public_half | 0x86] {
            let uuid = Some(record.uuid.clone());
            let named = Find { pkcs11: vec![attribute(kind, &[1])], uuid, owner: Some(record.owner.clone()), ..Find::default() };
            assert_eq!(store.find(&WEB, SOFTWARE, &named, &[]).records.len(), usize::from(!record.foreign), "{kind:#x}");
        }
    }
    assert_eq!(find(vec![attribute(0x110, b"2027")]).len(), 4);
    let named = LookupObject { kind: 2, name: "ca".into(), owner: Some("uid:0".into()) };
    assert_eq!(store.object(&WEB, SOFTWARE, &named, &[]).unwrap().pkcs11.len(), 1);
    assert_eq!(store.key(SOFTWARE, &ROOT, "ca").unwrap().record(&WEB).pkcs11.len(), 1);
}

#[test]
fn everybodys_keys_come_in_pages() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let owners = [ROOT, Principal::Uid(33), Principal::App("web:1".into())];
    let mut all = Vec::new();
    for owner in &owners {
        for name in ["one", "two"] {
            let filing = Filing { name: name.into(), ..Filing::default() };
            store.reserve(SOFTWARE, owner, &filing, &attributes(), None).unwrap().commit(material()).unwrap();
            all.push((owner.to_string(), name.to_owned()));
        }
    }
    let named = |record: Record| (record.owner, record.name);
    let filter = Find { kind: Some(RecordKind::Key.into()), everyone: true, ..Find::default() };
    all.sort();
    for steps in 1..8 {
        let (mut seen, mut page) = (Vec::new(), filter.clone());
        loop {
            let Found { records, more, next, .. } = store.find_by(&ROOT, SOFTWARE, &page, &[], steps);
            seen.extend(records.into_iter().map(named));
            if !more {
                break;
            }
            assert!(next.is_some() && next != page.after);
            page.after = next;
        }
        seen.sort();
        assert_eq!(seen, all, "{steps}");
    }
    let owner = Find { owner: Some("uid:33".into()), name: Some("two".into()), ..filter };
    let found: Vec<_> = store.find(&ROOT, SOFTWARE, &owner, &[]).records.into_iter().map(named).collect();
    assert_eq!(found, [("uid:33".to_owned(), "two".to_owned())]);
}
