//! Files that are gone, cut, damaged, or from yesterday.

use super::*;

impl TestStore {
    fn log(&self) -> PathBuf {
        self.0.path().join("state/keys.sqlite-wal")
    }

    /// What starting says, and that it changes nothing.
    #[track_caller]
    fn refuses(&self, words: &str) {
        let files = || [self.database(), self.log(), self.note()].map(|path| fs::read(path).unwrap_or_default());
        let before = files();
        let error = self.open().unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("--accept-loss"), "{error}");
        assert!(error.contains("keys.sqlite"), "{error}");
        assert!(before == files(), "something was changed");
    }
}

/// A store with keys, of which the last is in its log alone, as after a kill.
fn killed() -> TestStore {
    let (running, place) = (TestStore::new(), TestStore::new());
    let store = running.open().unwrap();
    for name in ["a", "b", "c"] {
        create(&store, &ROOT, name);
    }
    fs::create_dir(place.database().parent().unwrap()).unwrap();
    for path in [TestStore::database, TestStore::log, TestStore::secret] {
        fs::copy(path(&running), path(&place)).unwrap();
    }
    let note = fs::read_to_string(running.note()).unwrap();
    let [from, to] = [&running, &place].map(|place| place.database().display().to_string());
    fs::write(place.note(), note.replace(&from, &to)).unwrap();
    place
}

#[test]
fn what_a_kill_leaves_is_whole() {
    let place = killed();
    for _ in 0..2 {
        assert_eq!(place.open().unwrap().count(), (3, 0));
    }
}

#[test]
fn a_store_that_is_gone_or_empty_is_not_begun_anew() {
    let gone: [fn(&TestStore); 3] = [
        |place| fs::remove_file(place.database()).unwrap(),
        |place| fs::write(place.database(), "").unwrap(),
        |place| {
            fs::remove_file(place.database()).unwrap();
            drop(Connection::open(place.database()).unwrap().query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())));
        },
    ];
    for (number, lose) in gone.iter().enumerate() {
        // With the log, without it, with the store key alone, and where that is gone too.
        for left in 0..4 {
            let place = killed();
            if left > 0 {
                fs::remove_file(place.log()).unwrap();
            }
            lose(&place);
            if left == 2 && number < 2 {
                place.forget_last();
            } else if left == 3 {
                fs::remove_file(place.secret()).unwrap();
            }
            place.refuses("to begin with an empty one");
            assert_eq!(place.open_after(true).unwrap().count(), (0, 0));
            create(&place.open().unwrap(), &ROOT, "new");
            assert_eq!(place.open().unwrap().count(), (1, 0));
        }
    }
}

#[test]
fn a_log_that_is_damaged_cut_or_gone_is_told() {
    let flip = |log: PathBuf, at: usize| {
        let mut bytes = fs::read(&log).unwrap();
        bytes[at] ^= 1;
        fs::write(log, bytes).unwrap();
    };
    let damage: [&dyn Fn(&TestStore); 5] = [
        &|place| fs::remove_file(place.log()).unwrap(),
        &|place| fs::write(place.log(), "").unwrap(),
        &|place| fs::write(place.log(), &fs::read(place.log()).unwrap()[..20_000]).unwrap(),
        &|place| flip(place.log(), 8),
        &|place| flip(place.log(), 15_000),
    ];
    for damage in damage {
        let place = killed();
        damage(&place);
        place.refuses("write-ahead log");
        drop(place.open_after(true).unwrap());
        let store = place.open().unwrap();
        create(&store, &ROOT, "new");
    }
}

#[test]
fn an_older_copy_is_told_without_a_counter_too() {
    let place = TestStore::new();
    create(&place.open().unwrap(), &ROOT, "a");
    let older = fs::read(place.database()).unwrap();
    create(&place.open().unwrap(), &ROOT, "b");
    let newest = fs::read(place.database()).unwrap();
    fs::write(place.database(), &older).unwrap();
    place.refuses("older copy");
    fs::write(place.database(), newest).unwrap();
    assert_eq!(place.open().unwrap().count(), (2, 0));
    fs::write(place.database(), older).unwrap();
    assert_eq!(place.open_after(true).unwrap().count(), (1, 0));
    assert_eq!(place.open().unwrap().count(), (1, 0));
}

#[test]
fn a_note_that_cannot_be_read_keeps_nobody_from_the_store() {
    let place = killed();
    fs::write(place.note(), "The rows of").unwrap();
    assert_eq!(place.open().unwrap().count(), (3, 0));
    fs::remove_file(place.database()).unwrap();
    place.refuses("lost");
}

#[test]
fn a_store_that_was_empty_may_be_begun_anew_and_one_that_moves_is_the_same() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    store.destroy(&create(&store, &ROOT, "a")).unwrap().commit();
    drop(store);
    fs::remove_file(place.database()).unwrap();
    fs::remove_file(place.secret()).unwrap();
    create(&place.open().unwrap(), &ROOT, "a");

    let elsewhere = place.0.path().join("elsewhere/keys.sqlite");
    fs::create_dir(elsewhere.parent().unwrap()).unwrap();
    fs::rename(place.database(), &elsewhere).unwrap();
    let secret = StoreKey::File(place.secret());
    assert_eq!(Store::open(&elsewhere, &secret, false).unwrap().count(), (1, 0));
    place.refuses("elsewhere");
}

#[test]
fn a_row_that_is_called_unfinished_and_has_a_private_part_is_kept() {
    let place = TestStore::new();
    create(&place.open().unwrap(), &ROOT, "a");
    place.undo_signing();
    place.sql("UPDATE key SET state = 0");
    let store = place.open().unwrap();
    store.recover(SOFTWARE).unwrap();
    store.remove_unready("a");
    drop(store);
    place.undo_signing();
    place.sql("UPDATE key SET state = 1");
    let store = place.open().unwrap();
    let key = store.key(SOFTWARE, &ROOT, "a").unwrap();
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
}

impl Store {
    /// Tries to remove the row of this name, as if the key were no more.
    fn remove_unready(&self, name: &str) {
        let uuid: String = self.db().query_row("SELECT uuid FROM key WHERE name = ?", [name], |row| row.get(0)).unwrap();
        self.remove(uuid.parse().unwrap());
    }
}
