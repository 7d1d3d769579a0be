//! Keys with another name.

use super::*;

fn names(store: &Store) -> Vec<String> {
    store.keys(&ROOT).iter().map(|key| key.name.clone()).collect()
}

#[test]
fn a_key_is_whole_under_its_new_name() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let reserve =
        |name: &str| store.reserve(SOFTWARE, &ROOT, &Filing { name: name.into(), ..Filing::default() }, &attributes(), None);
    let before = reserve("web").unwrap().commit(material()).unwrap();
    store.grant(&before, &Principal::Uid(33), Usage::SIGN).unwrap();
    store.rename(&ROOT, SOFTWARE, "web", "shop").unwrap();
    // whoever asks again because the answer was lost
    store.rename(&ROOT, SOFTWARE, "web", "shop").unwrap();
    // a request that had found the key before
    assert_eq!(&*store.material(&before).unwrap(), PRIVATE);
    drop(before);
    drop(store);
    let store = place.open().unwrap();
    assert_eq!((names(&store), store.damaged()), (vec!["shop".to_owned()], vec![]));
    assert!(store.key(SOFTWARE, &ROOT, "web").is_none());
    let key = store.meant(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!((key.name.as_str(), key.label.as_str(), key.grants.len()), ("shop", "web", 1));
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
    for (owner, provider) in [(&Principal::Uid(33), SOFTWARE), (&ROOT, ProviderId::TPM)] {
        assert!(store.meant(provider, owner, "web").is_none());
    }
}

#[test]
fn names_that_are_taken_or_about_to_be_stay_with_whom_they_have() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let filing = |name: &str| Filing { name: name.into(), ..Filing::default() };
    for name in ["one", "two"] {
        store.reserve(SOFTWARE, &ROOT, &filing(name), &attributes(), None).unwrap().commit(material()).unwrap();
    }
    let coming = store.reserve(SOFTWARE, &ROOT, &filing("three"), &attributes(), None).unwrap();
    for name in ["one", "two", "three"] {
        let refused = store.rename(&ROOT, SOFTWARE, "one", name).unwrap_err();
        assert_eq!(refused.status(), Status::PsaErrorAlreadyExists, "{name}");
    }
    assert_eq!(names(&store), ["one", "two"]);
    coming.commit(material()).unwrap();
    let missing = store.rename(&ROOT, SOFTWARE, "none", "four").unwrap_err();
    assert_eq!(missing.status(), Status::PsaErrorDoesNotExist);
    let missing = store.rename(&Principal::Uid(33), SOFTWARE, "one", "four").unwrap_err();
    assert_eq!(missing.status(), Status::PsaErrorDoesNotExist);
}
