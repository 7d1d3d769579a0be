//! Keys that live in memory alone.

use super::*;
use interface::operations::Hello;

fn process(number: u8) -> ClientProcess {
    ClientProcess::named(&Hello { application: vec![number; 16], ..Hello::default() }).unwrap()
}

fn reserve_volatile<'a>(store: &'a Store, name: &str, process: Option<ClientProcess>) -> Result<Reservation<'a>> {
    let filing = Filing { name: name.to_owned(), volatile: true, ..Filing::default() };
    store.reserve(SOFTWARE, &ROOT, &filing, &attributes(), process)
}

fn create_volatile(store: &Store, name: &str, process: ClientProcess) -> Result<Arc<Key>> {
    reserve_volatile(store, name, Some(process))?.commit(material())
}

#[test]
fn a_volatile_key_works_by_its_name_and_shows_nowhere_else() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let made = create_volatile(&store, "session", process(1)).unwrap();
    let key = store.key(SOFTWARE, &ROOT, "session").unwrap();
    assert!(key.record(&ROOT).volatile);
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
    for filter in [
        Find::default(),
        Find { name: Some("session".into()), ..Find::default() },
        Find { id: Some(made.id.clone()), ..Find::default() },
    ] {
        assert!(store.find(&ROOT, SOFTWARE, &filter, &[]).records.is_empty());
    }
    assert_eq!((store.count(), store.owners()), ((0, 0), vec![]));
    assert_eq!(status(store.grant(&key, &WEB, Usage::SIGN)), Status::PsaErrorNotPermitted);
    let set = SetMetadata {
        kind: 1,
        name: "session".into(),
        label: Some("new".into()),
        usage: Some(Usage::SIGN_HASH.into()),
        ..SetMetadata::default()
    };
    store.set_metadata(&ROOT, SOFTWARE, &set).unwrap();
    let changed = store.key(SOFTWARE, &ROOT, "session").unwrap();
    assert_eq!((changed.label.as_str(), changed.attributes.policy.usage), ("new", Usage::SIGN_HASH));
    drop(store);
    let store = place.open().unwrap();
    assert!(store.key(SOFTWARE, &ROOT, "session").is_none() && store.pending(SOFTWARE).unwrap().is_empty());
}

#[test]
fn a_volatile_key_is_destroyed_once_and_belongs_to_a_process() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let [first, second] = ["a", "b"].map(|name| create_volatile(&store, name, process(1)).unwrap());
    create_volatile(&store, "c", process(2)).unwrap();
    assert_eq!(store.volatile(process(1)).len(), 2);
    store.destroy(&first).unwrap().commit();
    assert_eq!(store.destroy(&first).map(drop).unwrap_err().status(), Status::PsaErrorDoesNotExist);
    assert!(store.key(SOFTWARE, &ROOT, "a").is_none());
    assert_eq!(store.volatile(process(1)).iter().map(|key| &key.uuid).collect::<Vec<_>>(), [&second.uuid]);
    assert_eq!(store.volatile(process(3)).len(), 0);
    assert_eq!(status(reserve_volatile(&store, "d", None)), Status::PsaErrorInvalidArgument);
}

#[test]
fn volatile_and_stored_keys_share_their_names() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    create_volatile(&store, "session", process(1)).unwrap();
    create(&store, &ROOT, "stored");
    let in_the_making = reserve(&store, &ROOT, "making").unwrap();
    assert_eq!(status(reserve(&store, &ROOT, "session")), Status::PsaErrorAlreadyExists);
    for name in ["session", "stored", "making"] {
        assert_eq!(status(reserve_volatile(&store, name, Some(process(1)))), Status::PsaErrorAlreadyExists);
    }
    drop(in_the_making);
    // Two at once: nothing holds a volatile name, so the second finds it taken in the end.
    let [first, second] = [1, 2].map(|number| reserve_volatile(&store, "making", Some(process(number))).unwrap());
    first.commit(material()).unwrap();
    assert_eq!(status(second.commit(material())), Status::PsaErrorAlreadyExists);
    assert_eq!(store.volatile(process(2)).len(), 0);
}
