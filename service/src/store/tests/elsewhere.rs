//! What the store keeps for devices that have something of a key, or refuse a PIN.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn what_may_be_elsewhere_is_left_to_recovery_by_a_running_service() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    drop(reserve(&store, &ROOT, "nowhere").unwrap());
    drop(reserve(&store, &ROOT, "made").unwrap().elsewhere());
    let old = create(&store, &ROOT, "old");
    store.destroy(&old).unwrap().leave();
    reserve(&store, &ROOT, "nowhere").unwrap().elsewhere().commit(material()).unwrap();
    for name in ["made", "old"] {
        assert_eq!(status(reserve(&store, &ROOT, name)), Status::PsaErrorAlreadyExists, "{name}");
    }
    let pending = store.pending(SOFTWARE).unwrap();
    let mut names: Vec<_> = pending.iter().map(|pending| (pending.name.as_str(), pending.deleting)).collect();
    names.sort_unstable();
    assert_eq!(names, [("made", false), ("old", true)]);
    pending.iter().for_each(|pending| store.settle(pending));
    assert!(store.pending(SOFTWARE).unwrap().is_empty());
    for name in ["made", "old"] {
        create(&store, &ROOT, name);
    }
}

#[test]
fn a_refused_pin_is_remembered_for_its_device_until_another_one_is() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    assert!(!store.was_refused("one", b"1234"));
    store.note_refused("one", None).unwrap();
    assert!(!store.refused_pins().exists(), "there is nothing to remember");
    store.note_refused("one", Some(b"1234")).unwrap();
    store.note_refused("two", Some(b"1234")).unwrap();
    drop(store);
    let store = place.open().unwrap();
    let text = fs::read_to_string(store.refused_pins()).unwrap();
    assert!(!text.contains("1234") && !text.contains("one"), "{text}");
    assert_eq!(fs::metadata(store.refused_pins()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(store.was_refused("one", b"1234") && !store.was_refused("one", b"12345") && !store.was_refused("three", b"1234"));
    store.note_refused("one", Some(b"5678")).unwrap();
    assert!(store.was_refused("one", b"5678") && !store.was_refused("one", b"1234"), "somebody has put it there anew");
    store.note_refused("one", None).unwrap();
    assert!(!store.was_refused("one", b"5678") && store.was_refused("two", b"1234"));
}
