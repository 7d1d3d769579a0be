//! More keys than are read, handed over or searched at once.

use super::*;
use crate::store::index::PIECE;
use crate::store::table;
use interface::operations::Found;

const MANY: usize = 2 * PIECE + 77;

/// A store of many keys of one user, with one key of another.
fn filled(place: &TestStore) -> Store {
    let store = place.open().unwrap();
    store.db().pragma_update(None, "synchronous", "OFF").unwrap();
    (0..MANY).for_each(|number| drop(create(&store, &WEB, &format!("key {number}"))));
    create(&store, &ROOT, "mine");
    store
}

fn all(store: &Store, owner: &Principal) -> Vec<String> {
    let mut filter = Find::default();
    let mut names = Vec::new();
    loop {
        let Found { records, more, next, .. } = store.find(owner, SOFTWARE, &filter, &[]);
        names.extend(records.into_iter().map(|record| record.name));
        if !more {
            return names;
        }
        filter.after = next;
    }
}

#[test]
fn many_keys_are_all_there_after_a_restart() {
    let place = TestStore::new();
    let store = filled(&place);
    let before: Vec<_> = store.keys(&WEB).iter().map(|key| key.record(&WEB)).collect();
    let found = all(&store, &WEB);
    let usage = store.usage(&WEB);
    drop(store);

    let store = place.open().unwrap();
    assert_eq!(store.keys(&WEB).iter().map(|key| key.record(&WEB)).collect::<Vec<_>>(), before);
    assert_eq!((before.len(), all(&store, &WEB)), (MANY, found));
    assert_eq!((store.count(), store.usage(&WEB)), ((MANY as u64 + 1, 0), usage));
    assert_eq!(all(&store, &ROOT), ["mine"]);
    let last = store.key(SOFTWARE, &WEB, &format!("key {}", MANY - 1)).unwrap();
    assert_eq!(&*store.material(&last).unwrap(), PRIVATE);
}

#[test]
fn one_reading_of_the_rows_both_files_and_counts_them() {
    let place = TestStore::new();
    let store = filled(&place);
    let db = store.db();
    let (found, index) = table::load(&db, &store.keys, 0).unwrap();
    assert_eq!((found.sound.rows, found.damaged.len()), (db.head().rows, 0));
    assert!(found.check(db.head()).unwrap().is_empty());
    assert_eq!(index.stored(), store.index().stored());
}

#[test]
fn damage_and_loss_among_many_rows_are_told() {
    let place = TestStore::new();
    drop(filled(&place));
    place.sql("UPDATE key SET label = 'another' WHERE name = 'key 1234'");
    let store = place.open().unwrap();
    let damaged = store.damaged();
    assert!(damaged.len() == 1 && damaged[0].contains("'key 1234' of uid:33"), "{damaged:?}");
    assert_eq!(store.count(), (MANY as u64, 0));
    drop(store);
    place.sql("DELETE FROM key WHERE name = 'key 4'");
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains(&format!("{} are sound and 1 damaged", MANY - 1)), "{error}");
    assert_eq!(place.open_after(true).unwrap().count(), (MANY as u64 - 1, 0));
}

#[test]
fn what_a_crash_left_among_many_is_found_and_nothing_else() {
    let place = TestStore::new();
    let store = filled(&place);
    drop(store.destroy(&store.key(SOFTWARE, &WEB, "key 7").unwrap()).unwrap());
    std::mem::forget(reserve(&store, &WEB, "begun").unwrap());
    drop(store);
    let store = place.open().unwrap();
    let mut left: Vec<_> = store.pending(SOFTWARE).unwrap().iter().map(|key| key.name.clone()).collect();
    left.sort_unstable();
    assert_eq!(left, ["begun", "key 7"]);
    std::mem::forget(reserve(&store, &WEB, "in the making").unwrap());
    store.recover(SOFTWARE).unwrap();
    assert!(store.pending(SOFTWARE).unwrap().is_empty());
    assert_eq!(status(reserve(&store, &WEB, "in the making")), Status::PsaErrorAlreadyExists, "nobody settles it");
    drop(reserve(&store, &WEB, "key 7").unwrap());
}

#[test]
fn terms_of_one_hash_are_told_apart() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    ["a", "b", "c"].iter().for_each(|name| drop(create(&store, &ROOT, name)));
    store.index_mut().confuse([Term::Name("a"), Term::Name("b")]);
    let named = |name: &str| {
        let filter = Find { name: Some(name.to_owned()), ..Find::default() };
        store.find(&ROOT, SOFTWARE, &filter, &[]).records.into_iter().map(|record| record.name).collect::<Vec<_>>()
    };
    assert_eq!((named("a"), named("b"), named("c")), (vec!["a".to_owned()], vec!["b".to_owned()], vec!["c".to_owned()]));
    store.destroy(&store.key(SOFTWARE, &ROOT, "a").unwrap()).unwrap().commit();
    assert_eq!((named("a"), named("b")), (vec![], vec!["b".to_owned()]));
}
