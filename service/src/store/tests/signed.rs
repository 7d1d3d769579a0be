//! Rows that somebody else wrote, changed, removed, or took from an older copy.

use super::*;
use crate::key::Decision;
use interface::operations::Role;

/// A store with one row of each kind.
fn filled() -> TestStore {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let web = create(&store, &ROOT, "web");
    create(&store, &ROOT, "mail");
    store.grant(&web, &WEB, Usage::SIGN_HASH).unwrap();
    let note = PutObject { kind: 3, name: "note".into(), value: vec![7], ..PutObject::default() };
    store.put_object(&ROOT, SOFTWARE, &note).unwrap();
    store.token(SOFTWARE, &ROOT, 0).init("mine", &Pin::new(b"officer").unwrap()).unwrap();
    store.token(SOFTWARE, &ROOT, 0).set(Role::User, Some(&Pin::new(b"1234").unwrap())).unwrap();
    store.decide(&[7; 32], Decision::Protects).unwrap();
    store.set_acceptance("uid:33", &Principal::Uid(1000), Some(Verdict::Accepted)).unwrap();
    place
}

#[test]
fn a_grant_that_the_service_did_not_write_is_no_grant() {
    let place = filled();
    place.sql("INSERT INTO key_grant SELECT uuid, 'uid:666', 255, x'' FROM key WHERE name = 'web'");
    let store = place.open().unwrap();
    let web = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(web.grants.keys().collect::<Vec<_>>(), [&WEB], "the owner and the others go on using the key");
    assert!(store.damaged()[0].contains("uid:666"), "{:?}", store.damaged());
}

#[test]
fn every_column_of_every_table_is_under_the_seal() {
    let place = filled();
    let db = Connection::open(place.database()).unwrap();
    let named = |statement: &str| -> Vec<String> {
        let mut query = db.prepare(statement).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let (mut changes, mut keys) = (Vec::new(), Vec::new());
    for table in named("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'seal'") {
        for column in named(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            // what can be read, and what cannot
            for (number, text) in [("{} + 1", "{} || '1'"), ("-1 - {}", "CAST({} || x'ff' AS TEXT)")] {
                let [number, text] = [number, text].map(|change| change.replace("{}", &column));
                let changed = format!(
                    "CASE typeof({column}) WHEN 'integer' THEN {number} WHEN 'text' THEN {text} ELSE CAST(x'07' || {column} AS BLOB) END"
                );
                let one = format!("SELECT max({column}) FROM {table}");
                changes.push(format!("UPDATE {table} SET {column} = {changed} WHERE {column} = ({one})"));
                if named(&format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0")).contains(&column) {
                    keys.extend(changes.last().cloned());
                }
            }
        }
    }
    assert!(changes.len() > 80, "{changes:?}");
    db.close().unwrap();
    let image = fs::read(place.database()).unwrap();
    for change in changes.iter().filter(|change| !change.contains("SET state")) {
        fs::write(place.database(), &image).unwrap();
        let db = Connection::open(place.database()).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        let changed = db.execute(change, []).unwrap();
        db.close().unwrap();
        match place.open() {
            Ok(store) => assert_eq!(store.damaged().len(), changed, "{change}: {:?}", store.damaged()),
            Err(error) => assert!(error.to_string().contains("removed") && keys.contains(change), "{change}: {error}"),
        }
    }
}

#[test]
fn of_a_pin_that_was_changed_no_try_is_right() {
    for change in ["hash = hash || '1'", "hash = CAST(x'ff' AS TEXT)", "failures = -1", "failures = 1 << 40", "failed = -1"] {
        let place = filled();
        place.sql(&format!("UPDATE pin SET {change}"));
        let store = place.open().unwrap();
        assert_eq!(store.damaged().len(), 2, "{change}: {:?}", store.damaged());
        for (role, pin) in [(Role::User, "1234"), (Role::User, "wrong"), (Role::Officer, "officer")] {
            let error = store.token(SOFTWARE, &ROOT, 0).check(role, pin.as_bytes()).unwrap_err();
            assert_eq!(error.status(), Status::PsaErrorDataCorrupt, "{change}: {role} {pin}");
        }
    }
}

#[test]
fn a_key_that_is_made_to_look_unfinished_is_not_destroyed() {
    let place = filled();
    place.sql("UPDATE key SET state = 0 WHERE name = 'web'");
    let store = place.open().unwrap();
    assert!(store.pending(SOFTWARE).unwrap().is_empty());
    assert_eq!(status(reserve(&store, &ROOT, "web")), Status::PsaErrorAlreadyExists);
    drop(store);
    place.sql("UPDATE key SET state = 1 WHERE name = 'web'");
    assert!(place.open().unwrap().key(SOFTWARE, &ROOT, "web").is_some());
}

#[test]
fn rows_that_are_missing_or_from_an_older_copy_are_told() {
    let removals = [
        "DELETE FROM key_grant; DELETE FROM key WHERE name = 'web'",
        "DELETE FROM key_grant",
        "DELETE FROM pin",
        "DELETE FROM decision",
    ];
    for removal in removals {
        let place = filled();
        place.sql(removal);
        let error = place.open().unwrap_err().to_string();
        assert!(error.contains("--accept-loss"), "{removal}: {error}");
        drop(place.open_after(true).unwrap());
        place.open().unwrap();
    }

    // A grant that was revoked comes back with its own, valid MAC.
    let place = filled();
    let again =
        "SELECT format('INSERT INTO key_grant VALUES (%Q, %Q, %d, %s)', key, principal, usage, quote(mac)) FROM key_grant";
    let again: String = Connection::open(place.database()).unwrap().query_row(again, [], |row| row.get(0)).unwrap();
    let store = place.open().unwrap();
    store.revoke(&store.key(SOFTWARE, &ROOT, "web").unwrap(), &WEB).unwrap();
    drop(store);
    place.sql(&again);
    assert!(place.open().unwrap_err().to_string().contains("older copy"));
}

#[test]
fn nothing_takes_the_place_of_a_row_that_was_removed() {
    let junk = "INSERT INTO acceptance SELECT 'uid:1', 'uid:2', 1, mac FROM decision; DELETE FROM decision";
    for change in [junk, "UPDATE decision SET value = x'00'", "UPDATE pin SET owner = 'uid:7'"] {
        let place = filled();
        place.sql(change);
        let error = place.open().unwrap_err().to_string();
        assert!(error.contains("removed"), "{change}: {error}");
    }
}

#[test]
fn a_head_of_somebody_else_is_refused() {
    let place = filled();
    place.sql("UPDATE seal SET head = x'00'");
    assert!(place.open().unwrap_err().to_string().contains("head"));
}

#[test]
fn other_definitions_of_the_tables_are_refused() {
    let virtual_column = "ADD COLUMN usage INTEGER GENERATED ALWAYS AS (4095) VIRTUAL";
    let definitions = [
        "CREATE TRIGGER more AFTER INSERT ON key_grant BEGIN UPDATE key_grant SET usage = 4095; END".to_owned(),
        "ALTER TABLE key RENAME COLUMN local TO a; ALTER TABLE key RENAME COLUMN created TO local; ALTER TABLE key RENAME COLUMN a TO created".into(),
        format!("ALTER TABLE key_grant RENAME COLUMN usage TO a; ALTER TABLE key_grant {virtual_column}"),
        "CREATE VIEW more AS SELECT * FROM key".into(),
        "CREATE INDEX one ON key (owner)".into(),
    ];
    for definition in definitions {
        let place = filled();
        place.sql(&definition);
        let error = place.open().unwrap_err().to_string();
        assert!(error.contains("what the tables are"), "{definition}: {error}");
    }
}

#[test]
fn other_definitions_of_the_tables_make_no_rows_sound_where_a_loss_is_accepted() {
    let place = filled();
    place.sql(
        "ALTER TABLE key RENAME COLUMN local TO a; ALTER TABLE key RENAME COLUMN created TO local; ALTER TABLE key RENAME COLUMN a TO created",
    );
    let store = place.open_after(true).unwrap();
    assert!(store.keys(&ROOT).is_empty(), "{:?}", store.damaged());
    assert_eq!(store.damaged().iter().filter(|row| row.contains("of uid:0")).count(), 2, "{:?}", store.damaged());

    let place = filled();
    place.sql("ALTER TABLE key_grant RENAME COLUMN usage TO a; ALTER TABLE key_grant ADD COLUMN usage INTEGER AS (4095)");
    let store = place.open_after(true).unwrap();
    assert!(store.key(SOFTWARE, &ROOT, "web").unwrap().grants.is_empty(), "a computed column is none of the table's");
}

#[test]
fn a_trigger_from_before_rows_were_signed_does_not_run() {
    let place = filled();
    place.undo_signing();
    place.sql("CREATE TRIGGER more AFTER INSERT ON key_grant BEGIN UPDATE key_grant SET usage = 4095 WHERE key = new.key; END;");
    let store = place.open().unwrap();
    let mail = store.key(SOFTWARE, &ROOT, "mail").unwrap();
    store.grant(&mail, &WEB, Usage::SIGN_HASH).unwrap();
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(store.key(SOFTWARE, &ROOT, "mail").unwrap().grants.get(&WEB), Some(&Usage::SIGN_HASH));
}

#[test]
fn rows_of_older_versions_are_signed_once() {
    let place = filled();
    place.undo_signing();
    let before = fs::read(place.database()).unwrap();
    let store = place.open().unwrap();
    assert!(store.damaged().is_empty());
    assert_eq!(store.acceptances("uid:33"), [(ROOT, Verdict::Standing)], "who was granted keys may go on");
    store.key(SOFTWARE, &ROOT, "web").unwrap();
    drop(store);
    let copy = TestStore::new();
    fs::create_dir(copy.database().parent().unwrap()).unwrap();
    fs::copy(place.database().with_extension("sqlite.v4"), copy.database()).unwrap();
    let version =
        |path| Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((version(copy.database()), version(place.database())), (4, 5));

    // The copy in its place, with a grant more, is not signed once more.
    fs::write(place.database(), before).unwrap();
    place.sql("INSERT INTO key_grant SELECT uuid, 'uid:666', 255 FROM key WHERE name = 'web'");
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("version 4") && error.contains("rows-signed"), "{error}");

    // Nor is one whose version was lowered, even where the file beside the key is gone.
    let place = filled();
    let before = place.open().unwrap().key(SOFTWARE, &ROOT, "web").unwrap().record(&ROOT);
    place.sql("PRAGMA user_version = 4; UPDATE key SET label = 'another' WHERE name = 'mail'");
    fs::remove_file(place.secret().with_extension("key.rows-signed")).unwrap();
    assert!(place.open().unwrap_err().to_string().contains("lowered"));
    for accept_loss in [true, false] {
        let store = place.open_after(accept_loss).unwrap();
        assert_eq!(store.key(SOFTWARE, &ROOT, "web").unwrap().record(&ROOT), before);
        assert!(store.damaged().len() == 1 && store.damage(&ROOT, "mail").is_some(), "{:?}", store.damaged());
    }
    assert!(!place.database().with_extension("sqlite.v4").exists(), "there is no older version to keep a copy of");
}

#[test]
fn at_the_upgrade_a_key_that_is_not_what_was_sealed_is_told_and_kept() {
    let exchanged = [
        ("public = x'04'", true),
        ("attributes = (SELECT attributes FROM key WHERE name = 'other')", true),
        ("owner = 'uid:7'", true),
        ("name = 'nobody'", true),
        ("private = (SELECT private FROM key WHERE name = 'mail')", true),
        ("private = x''", true),
        ("label = 'another'", false),
    ];
    for (change, told) in exchanged {
        let place = filled();
        let store = place.open().unwrap();
        let more =
            Attributes { policy: Policy { usage: Usage::SIGN_HASH | Usage::EXPORT, ..attributes().policy }, ..attributes() };
        let filing = Filing { name: "other".into(), ..Filing::default() };
        let other = store.reserve(SOFTWARE, &ROOT, &filing, &more, None).unwrap();
        other.commit(Material { attributes: more, ..material() }).unwrap();
        drop(store);
        place.undo_signing();
        place.sql(&format!("UPDATE key SET {change} WHERE name = 'web'"));
        let row = "SELECT group_concat(quote(public) || quote(private) || owner || name) FROM (SELECT * FROM key ORDER BY uuid)";
        let row = || Connection::open(place.database()).unwrap().query_row(row, [], |row| row.get::<_, String>(0)).unwrap();
        let before = row();
        for _ in 0..2 {
            let store = place.open().unwrap();
            store.recover(SOFTWARE).unwrap();
            assert_eq!(store.damaged().len(), usize::from(told), "{change}: {:?}", store.damaged());
            assert_eq!(store.key(SOFTWARE, &ROOT, "web").is_some(), !told, "{change}");
            store.material(&store.key(SOFTWARE, &ROOT, "mail").unwrap()).unwrap();
            store.material(&store.key(SOFTWARE, &ROOT, "other").unwrap()).unwrap();
        }
        assert_eq!(row(), before, "{change}");
    }
}

#[test]
fn a_copy_that_cannot_be_made_leaves_all_as_it_was() {
    let place = filled();
    place.undo_signing();
    fs::create_dir(place.database().with_extension("sqlite.v4.partial")).unwrap();
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("sqlite.v4"), "{error}");
    fs::remove_dir(place.database().with_extension("sqlite.v4.partial")).unwrap();
    place.open().unwrap();
}

#[test]
fn a_damaged_pin_admits_nobody_until_it_is_set_anew() {
    use interface::operations::Role;
    let place = filled();
    place.sql("UPDATE pin SET hash = (SELECT hash FROM pin WHERE role = 1)");
    let store = place.open().unwrap();
    let token = store.token(SOFTWARE, &ROOT, 0);
    for pin in [b"1234".as_slice(), b"officer"] {
        let damaged = [Role::User, Role::Officer].map(|role| token.check(role, pin).is_err());
        assert!(damaged.contains(&true), "{damaged:?}");
    }
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(store.damaged().len(), 1, "no try mends it: {:?}", store.damaged());
    let token = store.token(SOFTWARE, &ROOT, 0);
    for role in [Role::User, Role::Officer] {
        token.set(role, Some(&Pin::new(b"fresh pin").unwrap())).unwrap();
    }
    drop(store);
    let store = place.open().unwrap();
    assert!(store.damaged().is_empty(), "{:?}", store.damaged());
    store.token(SOFTWARE, &ROOT, 0).check(Role::User, b"fresh pin").unwrap();
}

#[test]
fn a_value_decides_once_and_of_two_at_once_the_first_for_both() {
    let place = TestStore::new();
    let opened = place.open().unwrap();
    let (store, value) = (&opened, opened.fingerprint(PRIVATE));
    assert_ne!(value, store.fingerprint(b"another"));
    let decided = std::thread::scope(|scope| {
        let threads: Vec<_> = [Decision::Protects, Decision::Reveals]
            .into_iter()
            .map(|role| scope.spawn(move || store.decide(&value, role).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(decided[0], decided[1]);
    drop(opened);
    let store = place.open().unwrap();
    assert_eq!(store.decided(&store.fingerprint(PRIVATE)), Some(decided[0]));
}

#[test]
fn a_key_in_the_making_does_not_survive_the_reset_of_its_token() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let before = reserve(&store, &ROOT, "copy").unwrap();
    let others = reserve(&store, &WEB, "copy").unwrap();
    let reset = store.reset(&ROOT, [SOFTWARE]).unwrap();
    assert_eq!(status(reserve(&store, &ROOT, "new")), Status::PsaErrorBadState);
    let note = PutObject { kind: 3, name: "note".into(), ..PutObject::default() };
    assert_eq!(status(store.put_object(&ROOT, SOFTWARE, &note)), Status::PsaErrorBadState);
    let elsewhere = Filing { name: "a".into(), ..Filing::default() };
    drop(store.reserve(ProviderId::TPM, &ROOT, &elsewhere, &attributes(), None).unwrap());
    drop(reset);
    assert_eq!(status(before.commit(material())), Status::PsaErrorDoesNotExist);
    others.commit(material()).unwrap();
    create(&store, &ROOT, "copy");

    // A request that found its key before a reset, and takes the name for a copy after it.
    let epoch = store.epoch(SOFTWARE, &ROOT).unwrap();
    drop(store.reset(&ROOT, [SOFTWARE]).unwrap());
    let late = reserve(&store, &ROOT, "late").unwrap().since(epoch);
    assert_eq!(status(late.commit(material())), Status::PsaErrorDoesNotExist);
}

#[test]
fn a_crash_in_a_reset_leaves_keys_in_the_making_to_be_destroyed() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    std::mem::forget(reserve(&store, &ROOT, "copy").unwrap());
    std::mem::forget(store.reset(&ROOT, [SOFTWARE]).unwrap());
    drop(store);
    let store = place.open().unwrap();
    assert!(store.pending(SOFTWARE).unwrap().iter().all(|pending| pending.deleting));
}

#[test]
fn of_a_row_with_an_endless_name_the_beginning_is_told() {
    let long = "printf('%.*c', 6000000, 'x')";
    let grant = format!("INSERT INTO key_grant SELECT uuid, {long}, 255, x'' FROM key WHERE name = 'web'");
    for change in [format!("UPDATE key SET name = {long} WHERE name = 'web'"), grant] {
        let place = filled();
        place.sql(&change);
        let store = place.open().unwrap();
        let [told] = <[String; 1]>::try_from(store.damaged()).unwrap();
        assert!(told.len() < 8192 && told.contains("xxx…") && told.contains("restore"), "{} bytes", told.len());
    }
}
