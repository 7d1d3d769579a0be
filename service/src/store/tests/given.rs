//! Keys with another owner.

use super::*;
use interface::message::Pkcs11Attribute;
use interface::vendor::FORMER_NAME;

const ALICE: Principal = Principal::Uid(1000);
const BOB: Principal = Principal::Uid(1001);

fn key(store: &Store, owner: &Principal, name: &str) -> Option<Arc<Key>> {
    store.key(SOFTWARE, owner, name)
}

fn meant(store: &Store, owner: &Principal, name: &str) -> Option<Uuid> {
    store.meant(SOFTWARE, owner, name).map(|key| key.uuid)
}

fn certificate(store: &Store, owner: &Principal, name: &str, id: &[u8]) {
    let put = PutObject {
        kind: RecordKind::Certificate.into(),
        name: name.to_owned(),
        value: vec![1],
        label: None,
        id: Some(id.into()),
        pkcs11: Vec::new(),
    };
    store.put_object(owner, SOFTWARE, &put).unwrap();
}

fn certificates(store: &Store, owner: &Principal) -> Vec<String> {
    let filter = Find { kind: Some(RecordKind::Certificate.into()), ..Find::default() };
    store.find(owner, SOFTWARE, &filter, &[]).records.into_iter().map(|record| record.name).collect()
}

#[test]
fn a_key_is_whole_with_its_new_owner_and_found_where_it_was() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let before = create(&store, &ALICE, "web");
    store.grant(&before, &WEB, Usage::SIGN).unwrap();
    store.grant(&store.key(SOFTWARE, &ALICE, "web").unwrap(), &BOB, Usage::VERIFY).unwrap();
    store.rename(&ALICE, SOFTWARE, "web", "shop").unwrap();
    store.chown(&key(&store, &ALICE, "shop").unwrap(), &BOB, Usage::NONE).unwrap();
    // a request that had found the key before
    assert_eq!(&*store.material(&before).unwrap(), PRIVATE);
    drop(store);
    let store = place.open().unwrap();
    assert!(store.damaged().is_empty());
    let given = key(&store, &BOB, "shop").unwrap();
    assert_eq!((given.uuid, &given.owner, given.grants.len()), (before.uuid, &BOB, 1));
    assert_eq!(given.grants[&WEB], Usage::SIGN);
    assert!(!given.pkcs11.iter().any(|kept| kept.kind == FORMER_NAME));
    assert!(!given.visible(&ALICE) && given.visible(&WEB));
    assert_eq!(&*store.material(&given).unwrap(), PRIVATE);
    for (owner, name, found) in [(&ALICE, "web", true), (&ALICE, "shop", true), (&BOB, "web", false), (&WEB, "web", false)] {
        assert_eq!(meant(&store, owner, name).is_some(), found, "{owner} {name}");
    }
    assert_eq!((store.keys(&ALICE).len(), store.usage(&ALICE).of(Limit::Keys), store.usage(&BOB).of(Limit::Keys)), (0, 0, 1));
    // renamed there, and back again: every place still leads to it
    store.rename(&BOB, SOFTWARE, "shop", "store").unwrap();
    store.chown(&key(&store, &BOB, "store").unwrap(), &ALICE, Usage::SIGN).unwrap();
    for (owner, name) in [(&ALICE, "web"), (&ALICE, "shop"), (&ALICE, "store"), (&BOB, "store"), (&BOB, "shop")] {
        assert_eq!(meant(&store, owner, name), Some(before.uuid), "{owner} {name}");
    }
    assert_eq!(key(&store, &ALICE, "store").unwrap().usage(&BOB), Usage::SIGN.implied().and(attributes().policy.usage.implied()));
    drop(store);
    assert!(place.open().unwrap().damaged().is_empty());
}

#[test]
fn a_place_means_the_key_that_is_there_or_was_there_last() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let give = |name: &str| {
        let key = create(&store, &ALICE, "web");
        store.rename(&ALICE, SOFTWARE, "web", name).unwrap();
        store.rename(&ALICE, SOFTWARE, name, "web").unwrap();
        let to = Principal::App(name.to_owned());
        store.chown(&key, &to, Usage::NONE).unwrap();
        key.uuid
    };
    let (first, second) = (give("first"), give("second"));
    assert_eq!(meant(&store, &ALICE, "web"), Some(second));
    assert_eq!(meant(&store, &ALICE, "first"), Some(first));
    let own = create(&store, &ALICE, "web");
    assert_eq!(meant(&store, &ALICE, "web"), Some(own.uuid));
    store.rename(&ALICE, SOFTWARE, "web", "mine").unwrap();
    assert_eq!(meant(&store, &ALICE, "web"), Some(own.uuid), "its own key had the name last");
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(meant(&store, &ALICE, "web"), Some(own.uuid));
    assert_eq!(meant(&store, &ALICE, "second"), Some(second));
    // a key that is gone leaves no trace
    let second = key(&store, &Principal::App("second".into()), "web").unwrap();
    store.destroy(&second).unwrap().commit();
    assert_eq!(meant(&store, &ALICE, "second"), None);
    drop(store);
    let rows = Connection::open(place.database()).unwrap();
    let left: i64 = rows.query_row("SELECT count(*) FROM object WHERE name LIKE '%second%'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_name_that_was_given_away_means_no_key_that_had_it_before() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let first = create(&store, &ALICE, "web");
    store.rename(&ALICE, SOFTWARE, "web", "first").unwrap();
    let second = create(&store, &ALICE, "web");
    store.chown(&second, &BOB, Usage::NONE).unwrap();
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(meant(&store, &ALICE, "web"), Some(second.uuid));
    assert_eq!(meant(&store, &ALICE, "first"), Some(first.uuid));
}

#[test]
fn a_name_alone_means_no_key_of_a_new_owner_who_is_rejected() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let web = create(&store, &ALICE, "web");
    store.grant(&web, &WEB, Usage::SIGN).unwrap();
    let callers = WEB.to_string();
    let say = |owner: &Principal, verdict| store.set_acceptance(&callers, owner, verdict).unwrap();
    let found = || {
        let granted = store.granted(&WEB, SOFTWARE, "web", &[]);
        (granted.keys.len(), granted.strangers)
    };
    store.chown(&key(&store, &ALICE, "web").unwrap(), &BOB, Usage::NONE).unwrap();
    assert_eq!(found(), (0, vec![BOB, ALICE]));
    say(&ALICE, Some(Verdict::Accepted));
    assert_eq!(found(), (1, vec![BOB]));
    say(&BOB, Some(Verdict::Rejected));
    assert_eq!(found(), (0, vec![BOB, BOB]));
}

#[test]
fn many_certificates_stay() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let web = create(&store, &ALICE, "web");
    (0..20).for_each(|number| certificate(&store, &ALICE, &number.to_string(), &web.id));
    assert_eq!(store.growth_by_key(&web, &BOB)[1], (Limit::Objects, 0));
    store.chown(&web, &BOB, Usage::NONE).unwrap();
    assert_eq!((certificates(&store, &ALICE).len(), certificates(&store, &BOB).len()), (20, 0));
}

#[test]
fn what_cannot_be_given_stays() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let web = create(&store, &ALICE, "web");
    create(&store, &BOB, "web");
    let status = |given: Result<()>| given.unwrap_err().status();
    assert_eq!(status(store.chown(&web, &BOB, Usage::NONE)), Status::PsaErrorAlreadyExists);
    let coming = reserve(&store, &WEB, "web").unwrap();
    assert_eq!(status(store.chown(&web, &WEB, Usage::NONE)), Status::PsaErrorAlreadyExists, "one in the making");
    drop(coming);
    store.chown(&web, &ALICE, Usage::NONE).unwrap();
    let reset = store.reset(&WEB, [SOFTWARE]).unwrap();
    assert!(store.chown(&web, &WEB, Usage::NONE).is_err(), "its token is being reset");
    drop(reset);
    assert_eq!(key(&store, &ALICE, "web").unwrap().uuid, web.uuid);
    store.chown(&web, &WEB, Usage::NONE).unwrap();
    // whoever had found it before has no say any more
    assert_eq!(status(store.chown(&web, &BOB, Usage::NONE)), Status::PsaErrorDoesNotExist);
    assert_eq!(status(store.grant(&web, &BOB, Usage::SIGN)), Status::PsaErrorDoesNotExist);
    assert_eq!(status(store.destroy(&web).map(drop)), Status::PsaErrorDoesNotExist);
    assert_eq!(meant(&store, &ALICE, "web"), Some(web.uuid), "a destruction in vain takes no place");
    drop(store);
    assert_eq!(meant(&place.open().unwrap(), &ALICE, "web"), Some(web.uuid));
}

#[test]
fn a_key_whose_private_part_is_damaged_stays() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let [one, two] = ["one", "two"].map(|name| create(&store, &ALICE, name));
    {
        let mut db = store.db();
        let mut change = db.change(&store.keys).unwrap();
        table::set_policy(&mut change, &one, b"not what was sealed, but long enough").unwrap();
        change.commit().unwrap();
    }
    assert!(matches!(store.chown(&one, &BOB, Usage::NONE), Err(crate::error::Error::Corrupt(_))));
    assert_eq!(store.keys(&ALICE).len(), 2);
    store.chown(&two, &BOB, Usage::NONE).unwrap();
}

#[test]
fn certificates_go_with_their_key_and_trust_stays() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let trusted = Pkcs11Attribute { kind: crate::key::TRUSTED, value: vec![1] };
    let filing = Filing { name: "web".into(), pkcs11: vec![trusted.clone()], ..Filing::default() };
    let web = store.reserve(SOFTWARE, &ALICE, &filing, &attributes(), None).unwrap().commit(material()).unwrap();
    for (name, id) in [("own", &web.id[..]), ("taken", &web.id), ("other", b"other")] {
        certificate(&store, &ALICE, name, id);
    }
    certificate(&store, &BOB, "taken", b"his");
    store.chown(&web, &BOB, Usage::NONE).unwrap();
    assert!(!key(&store, &BOB, "web").unwrap().pkcs11.contains(&trusted));
    for _ in 0..2 {
        let mut all = [certificates(&store, &ALICE), certificates(&store, &BOB)];
        all.iter_mut().for_each(|names| names.sort());
        assert_eq!(all, [vec!["other", "taken"], vec!["own", "taken"]]);
    }
    drop(store);
    let store = place.open().unwrap();
    assert!(store.damaged().is_empty());
    assert_eq!(certificates(&store, &BOB).len(), 2);
    // two keys of one id share their certificates
    let [one, two] = ["one", "two"].map(|name| {
        let filing = Filing { name: name.into(), id: Some(b"both".into()), ..Filing::default() };
        store.reserve(SOFTWARE, &ALICE, &filing, &attributes(), None).unwrap().commit(material()).unwrap()
    });
    certificate(&store, &ALICE, "both", b"both");
    store.chown(&one, &BOB, Usage::NONE).unwrap();
    assert!(certificates(&store, &ALICE).contains(&"both".to_owned()));
    store.chown(&two, &WEB, Usage::NONE).unwrap();
    assert_eq!(certificates(&store, &WEB), ["both"]);
}

#[test]
fn volatile_keys_stay_with_their_process() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let hello = interface::operations::Hello { application: vec![7; 16], ..Default::default() };
    let process = ClientProcess::named(&hello);
    let filing = Filing { name: "session".into(), volatile: true, ..Filing::default() };
    let session = store.reserve(SOFTWARE, &ALICE, &filing, &attributes(), process).unwrap().commit(material()).unwrap();
    assert_eq!(store.chown(&session, &BOB, Usage::NONE).unwrap_err().status(), Status::PsaErrorNotPermitted);
}
