mod anchored;
mod elsewhere;
mod given;
mod kept;
mod lost;
mod many;
mod renamed;
mod search;
mod signed;
mod token;
mod volatile;

use super::*;
use crate::quotas::Limit;
use interface::Filing;
use interface::Status;
use interface::algorithm::{Algorithm, Hash, SignHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::operations::{DestroyObject, Find, LookupObject, PutObject, RecordKind, SetMetadata, Tier, Verdict};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const SOFTWARE: ProviderId = ProviderId::SOFTWARE;
const ROOT: Principal = Principal::Uid(0);
const WEB: Principal = Principal::Uid(33);

const PRIVATE: &[u8] = b"known to nobody";

pub(crate) struct TestStore(TempDir);

impl TestStore {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("state/keys.sqlite")
    }

    fn secret(&self) -> PathBuf {
        self.0.path().join("state/store.key")
    }

    pub(crate) fn open(&self) -> Result<Store> {
        self.open_after(false)
    }

    fn open_after(&self, accept_loss: bool) -> Result<Store> {
        Store::open(&self.database(), &StoreKey::File(self.secret()), accept_loss)
    }

    fn note(&self) -> PathBuf {
        self.0.path().join("state/store.key.rows-signed")
    }

    /// Has nothing but a counter tell an older copy.
    fn forget_last(&self) {
        fs::remove_file(self.note()).unwrap();
    }

    /// Makes the closed database one of version 4, whose rows are not signed.
    fn undo_signing(&self) {
        let drop = |table: &str| format!("ALTER TABLE {table} DROP COLUMN mac;");
        let columns = ["key", "key_grant", "object", "token", "pin"].map(drop).concat();
        let sealer = Sealer::new(&fs::read(self.secret()).unwrap()).unwrap();
        let proof = sealer.seal(b"parsec store key", &[]).unwrap();
        self.sql(&format!(
            "{columns} ALTER TABLE seal DROP COLUMN head; DROP TABLE decision; DROP TABLE acceptance; PRAGMA user_version = 4;"
        ));
        Connection::open(self.database()).unwrap().execute("UPDATE seal SET proof = ?", [proof]).unwrap();
        self.forget_last();
    }

    /// Changes the closed database behind the store's back.
    fn sql(&self, statement: &str) {
        let db = Connection::open(self.database()).unwrap();
        db.execute_batch(statement).unwrap();
    }
}

fn attributes() -> Attributes {
    let hash = SignHash::Specific(Hash::Sha256);
    Attributes {
        key_type: KeyType::EccKeyPair(EccFamily::SecpR1),
        bits: 256,
        policy: Policy {
            usage: Usage::SIGN_HASH | Usage::VERIFY_HASH,
            algorithm: Algorithm::Signature(Signature::Ecdsa { hash }),
            also: Vec::new(),
        },
    }
}

fn material() -> Material {
    Material {
        attributes: attributes(),
        private: Secret::new(PRIVATE.to_vec()),
        public_key: vec![4; 65],
        tier: Tier::Software,
        local: true,
        past: Usage::NONE,
    }
}

fn reserve<'a>(store: &'a Store, owner: &Principal, name: &str) -> Result<Reservation<'a>> {
    let filing = Filing { name: name.to_owned(), ..Filing::default() };
    store.reserve(SOFTWARE, owner, &filing, &attributes(), None)
}

pub(crate) fn create(store: &Store, owner: &Principal, name: &str) -> Arc<Key> {
    reserve(store, owner, name).unwrap().commit(material()).unwrap()
}

fn status<T: std::fmt::Debug>(result: Result<T>) -> Status {
    result.unwrap_err().status()
}

fn names(found: &interface::operations::Found) -> Vec<&str> {
    found.records.iter().map(|record| record.name.as_str()).collect()
}

#[test]
fn a_key_survives_with_all_its_parts() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let made = create(&store, &ROOT, "web");
    store.grant(&made, &WEB, Usage::SIGN_HASH).unwrap();
    drop(store);

    let store = place.open().unwrap();
    let key = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(key.record(&ROOT), made.record(&ROOT));
    assert_eq!((key.label.as_str(), key.id.len()), ("web", 20));
    assert_eq!(key.grants.get(&WEB), Some(&Usage::SIGN_HASH));
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
    assert!(store.key(SOFTWARE, &WEB, "web").is_none());
    assert_eq!(store.count(), (1, 0));
    assert_eq!(store.owners(), [ROOT]);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.database().parent().unwrap().to_owned()), 0o700);
    assert_eq!((mode(place.database()), mode(place.secret())), (0o600, 0o600));
}

#[test]
fn tables_of_earlier_versions_are_brought_up_to_date() {
    let third = "ALTER TABLE key DROP COLUMN past; ALTER TABLE key DROP COLUMN pkcs11; ALTER TABLE object DROP COLUMN pkcs11;";
    let second = format!("{third} DROP TABLE pin; DROP TABLE token;");
    let first = format!("{second} ALTER TABLE key DROP COLUMN local;");
    for (version, undo) in [(1, first.as_str()), (2, &second), (3, third)] {
        let place = TestStore::new();
        assert!(create(&place.open().unwrap(), &ROOT, "web").local);
        place.undo_signing();
        place.sql(&format!("{undo} PRAGMA user_version = {version}"));
        let store = place.open().unwrap();
        let key = store.key(SOFTWARE, &ROOT, "web").unwrap();
        assert_eq!(key.local, version > 1, "of the oldest keys nothing is known of their making");
        assert_eq!(key.past, key.attributes.policy.usage, "a policy could not change then");
        assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
        let new = create(&store, &ROOT, "new");
        store.token(SOFTWARE, &ROOT, 0).init("mine", &Pin::new(b"1234").unwrap()).unwrap();
        drop(store);
        let store = place.open().unwrap();
        assert_eq!(store.key(SOFTWARE, &ROOT, "new").unwrap().record(&ROOT), new.record(&ROOT));
    }
}

#[test]
fn private_parts_are_not_in_the_file() {
    let place = TestStore::new();
    create(&place.open().unwrap(), &ROOT, "web");
    for file in fs::read_dir(place.database().parent().unwrap()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(PRIVATE.len()).any(|window| window == PRIVATE));
    }
}

#[test]
fn a_name_is_taken_once() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let reserve = |owner| reserve(&store, owner, "web");
    let first = reserve(&ROOT).unwrap();
    assert_eq!(status(reserve(&ROOT)), Status::PsaErrorAlreadyExists);
    drop(reserve(&WEB).unwrap());
    drop(first);
    let key = reserve(&ROOT).unwrap().commit(material()).unwrap();
    assert_eq!(status(reserve(&ROOT)), Status::PsaErrorAlreadyExists);

    let destruction = store.destroy(&key).unwrap();
    assert!(store.key(SOFTWARE, &ROOT, "web").is_none());
    assert_eq!(status(reserve(&ROOT)), Status::PsaErrorAlreadyExists);
    assert_eq!(status(store.destroy(&key)), Status::PsaErrorDoesNotExist);
    assert_eq!(status(store.material(&key)), Status::PsaErrorDoesNotExist);
    destruction.commit();
    drop(reserve(&ROOT).unwrap());
}

#[test]
fn of_many_at_once_one_gets_the_name() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let won: usize = std::thread::scope(|scope| {
        let race = || {
            let reserved = reserve(&store, &ROOT, "web");
            usize::from(reserved.and_then(|reserved| reserved.commit(material())).is_ok())
        };
        let racers: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
    let key = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
}

#[test]
fn recovery_finds_what_was_half_done() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    std::mem::forget(reserve(&store, &ROOT, "made").unwrap());
    std::mem::forget(reserve(&store, &ROOT, "not made").unwrap());
    let key = create(&store, &ROOT, "old");
    store.grant(&key, &WEB, Usage::SIGN).unwrap();
    drop(store.destroy(&key).unwrap());
    drop(store);

    let store = place.open().unwrap();
    assert_eq!(store.count(), (0, 0));
    assert!(store.pending(ProviderId::TPM).unwrap().is_empty());
    let mut pending = store.pending(SOFTWARE).unwrap();
    pending.sort_by(|a, b| a.name.cmp(&b.name));
    let [made, not_made, old] = <[Pending; 3]>::try_from(pending).unwrap();
    assert_eq!((made.deleting, not_made.deleting, old.deleting), (false, false, true));
    assert_eq!((&made.attributes, &old.uuid), (&attributes(), &key.uuid));
    assert_eq!(old.material.as_deref(), Some(PRIVATE));
    let made = store.adopt(made, material()).unwrap();
    store.settle(&not_made);
    store.settle(&old);
    assert!(store.pending(SOFTWARE).unwrap().is_empty());
    assert_eq!(&*store.material(&made).unwrap(), PRIVATE);
    let old = create(&store, &ROOT, "old");
    assert!(old.grants.is_empty());
    assert!(store.key(SOFTWARE, &ROOT, "not made").is_none());
}

#[test]
fn a_store_key_must_be_the_right_one_and_private() {
    let place = TestStore::new();
    create(&place.open().unwrap(), &ROOT, "web");
    let right = fs::read(place.secret()).unwrap();
    let refused = |why: &str| {
        let error = place.open().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    fs::remove_file(place.secret()).unwrap();
    refused("is missing");
    assert!(!place.secret().exists());
    fs::write(place.secret(), &right).unwrap();
    fs::set_permissions(place.secret(), fs::Permissions::from_mode(0o640)).unwrap();
    refused("chmod 600");
    fs::set_permissions(place.secret(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(place.secret(), [7; 32]).unwrap();
    refused("not the one");
    fs::write(place.secret(), [7; 31]).unwrap();
    refused("32 bytes long");
    fs::write(place.secret(), &right).unwrap();
    let store = place.open().unwrap();
    let key = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(&*store.material(&key).unwrap(), PRIVATE);
}

#[test]
fn one_process_has_the_store() {
    let place = TestStore::new();
    let _first = place.open().unwrap();
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("in use by another process"), "{error}");
}

#[test]
fn an_empty_store_takes_a_new_store_key() {
    let place = TestStore::new();
    drop(place.open().unwrap());
    fs::remove_file(place.secret()).unwrap();
    create(&place.open().unwrap(), &ROOT, "web");
    place.open().unwrap();
}

#[test]
fn swapped_or_damaged_rows_are_told_by_name_and_kept() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for name in ["a", "b", "c"] {
        create(&store, &ROOT, name);
    }
    drop(store);
    place.sql(
        "UPDATE key SET private = (SELECT private FROM key WHERE name = 'b') WHERE name = 'a';
         UPDATE key SET attributes = x'ff' WHERE name = 'c';",
    );
    let store = place.open().unwrap();
    store.material(&store.key(SOFTWARE, &ROOT, "b").unwrap()).unwrap();
    for name in ["a", "c"] {
        assert!(store.key(SOFTWARE, &ROOT, name).is_none());
        assert!(store.damaged().iter().any(|row| row.contains(&format!("'{name}' of uid:0"))), "{:?}", store.damaged());
        assert!(store.damage(&ROOT, name).is_some() && store.damage(&WEB, name).is_none());
        assert_eq!(status(reserve(&store, &ROOT, name)), Status::PsaErrorAlreadyExists);
    }
}

#[test]
fn files_of_others_are_refused() {
    let place = TestStore::new();
    fs::create_dir(place.database().parent().unwrap()).unwrap();
    place.sql("CREATE TABLE key_mapping (a)");
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");

    let place = TestStore::new();
    drop(place.open().unwrap());
    place.sql("PRAGMA user_version = 9");
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");

    let place = TestStore::new();
    fs::create_dir(place.database().parent().unwrap()).unwrap();
    fs::write(place.database(), "not a database, but long enough to be taken for one").unwrap();
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("no intact SQLite file"), "{error}");
}

#[test]
fn others_see_and_may_what_was_granted() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let web = create(&store, &ROOT, "web");
    create(&store, &ROOT, "mail");
    let all = Find::default();
    assert!(store.find(&WEB, SOFTWARE, &all, &[]).records.is_empty());

    let cert = PutObject {
        kind: RecordKind::Certificate.into(),
        name: "web".into(),
        value: vec![1, 2, 3],
        id: Some(web.id.clone()),
        ..PutObject::default()
    };
    store.put_object(&ROOT, SOFTWARE, &cert).unwrap();
    let lookup = LookupObject { kind: cert.kind, name: "web".into(), owner: Some("uid:0".into()) };
    assert_eq!(status(store.object(&WEB, SOFTWARE, &lookup, &[])), Status::PsaErrorDoesNotExist);

    store.grant(&web, &WEB, Usage::SIGN_HASH | Usage::EXPORT).unwrap();
    let web = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert_eq!(web.usage(&WEB), Usage::SIGN);
    assert_eq!(web.usage(&ROOT), Usage::SIGN | Usage::VERIFY);
    assert_eq!(web.usage(&Principal::App("33".into())), Usage::NONE);
    assert_eq!(names(&store.find(&WEB, SOFTWARE, &all, &[])), ["web", "web"]);
    assert_eq!(names(&store.find(&ROOT, SOFTWARE, &all, &[])).len(), 3);
    assert!(store.find(&WEB, ProviderId::TPM, &all, &[]).records.is_empty());
    assert_eq!(store.object(&WEB, SOFTWARE, &lookup, &[]).unwrap().value, [1, 2, 3]);

    store.revoke(&web, &WEB).unwrap();
    assert!(store.find(&WEB, SOFTWARE, &all, &[]).records.is_empty());
    assert_eq!(status(store.revoke(&web, &WEB)), Status::PsaErrorDoesNotExist);
    assert_eq!(status(store.grant(&web, &ROOT, Usage::SIGN)), Status::PsaErrorInvalidArgument);
}

#[test]
fn search_filters() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for name in ["a", "b"] {
        create(&store, &ROOT, name);
    }
    create(&store, &WEB, "a");
    let label = SetMetadata {
        kind: RecordKind::Key.into(),
        name: "b".into(),
        label: Some("new".into()),
        id: Some(vec![9]),
        ..SetMetadata::default()
    };
    store.set_metadata(&ROOT, SOFTWARE, &label).unwrap();
    let find = |filter: Find| store.find(&ROOT, SOFTWARE, &filter, &[]);
    let by_label = find(Find { label: label.label.clone(), ..Find::default() });
    let by_id = find(Find { id: Some(vec![9]), ..Find::default() });
    let by_name = find(Find { name: Some("b".into()), ..Find::default() });
    for found in [by_label, by_id, by_name] {
        assert_eq!(names(&found), ["b"]);
    }
    assert!(find(Find { label: Some("b".into()), ..Find::default() }).records.is_empty());
    assert!(find(Find { kind: Some(2), ..Find::default() }).records.is_empty());
    assert_eq!(names(&find(Find { name: Some("a".into()), ..Find::default() })), ["a"]);

    drop(store);
    let store = place.open().unwrap();
    let b = store.key(SOFTWARE, &ROOT, "b").unwrap();
    assert_eq!((b.label.as_str(), b.id.as_slice()), ("new", &[9][..]));
    store.material(&b).unwrap();
}

#[test]
fn search_answers_in_pages() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        create(&store, &ROOT, name);
    }
    let find = |filter: Find| store.find(&ROOT, SOFTWARE, &filter, &[]);
    let mut seen = Vec::new();
    let mut filter = Find { limit: 2, ..Find::default() };
    loop {
        let page = find(filter.clone());
        seen.extend(page.records.iter().map(|record| record.uuid.clone()));
        filter.after = seen.last().cloned();
        if !page.more {
            break;
        }
        assert_eq!(page.records.len(), 2);
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
}

#[test]
fn objects_are_put_replaced_and_destroyed() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let put = |value: &[u8]| PutObject {
        kind: RecordKind::Data.into(),
        name: "note".into(),
        value: value.to_vec(),
        ..PutObject::default()
    };
    let first = store.put_object(&ROOT, SOFTWARE, &put(b"one")).unwrap();
    let second = store.put_object(&ROOT, SOFTWARE, &put(b"two")).unwrap();
    assert_eq!(first.uuid, second.uuid);
    drop(store);
    let store = place.open().unwrap();
    let lookup = LookupObject { kind: 3, name: "note".into(), owner: None };
    assert_eq!(store.object(&ROOT, SOFTWARE, &lookup, &[]).unwrap().value, b"two");
    assert_eq!(status(store.object(&WEB, SOFTWARE, &lookup, &[])), Status::PsaErrorDoesNotExist);
    let destroy = DestroyObject { kind: 3, name: "note".into() };
    assert_eq!(status(store.destroy_object(&WEB, SOFTWARE, &destroy)), Status::PsaErrorDoesNotExist);
    store.destroy_object(&ROOT, SOFTWARE, &destroy).unwrap();
    assert!(store.find(&ROOT, SOFTWARE, &Find::default(), &[]).records.is_empty());
    assert_eq!(status(store.put_object(&ROOT, SOFTWARE, &PutObject { kind: 1, ..put(b"") })), Status::PsaErrorInvalidArgument);
}

#[test]
fn a_forgotten_client_leaves_no_objects_and_no_grants() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let key = create(&store, &ROOT, "web");
    store.grant(&key, &WEB, Usage::SIGN).unwrap();
    let note = PutObject { kind: 3, name: "note".into(), ..PutObject::default() };
    store.put_object(&WEB, SOFTWARE, &note).unwrap();
    store.forget(&WEB).unwrap();
    for store in [&store, &{
        let copy = TestStore::new();
        fs::create_dir(copy.database().parent().unwrap()).unwrap();
        fs::copy(place.secret(), copy.secret()).unwrap();
        store.db().execute("VACUUM INTO ?", [copy.database().to_str()]).unwrap();
        copy.open().unwrap()
    }] {
        assert_eq!(store.owners(), [ROOT]);
        assert!(store.find(&WEB, SOFTWARE, &Find::default(), &[]).records.is_empty());
        assert!(store.key(SOFTWARE, &ROOT, "web").unwrap().grants.is_empty());
    }
}

#[test]
fn a_client_with_much_is_forgotten_whole_and_who_has_most_is_known() {
    const MANY: usize = 40;
    let place = TestStore::new();
    let store = place.open().unwrap();
    for number in 0..MANY {
        let owner = Principal::Uid(1000 + u32::try_from(number).unwrap());
        let key = create(&store, &owner, "shared");
        store.grant(&key, &WEB, Usage::SIGN).unwrap();
        store.set_acceptance("uid:33", &owner, Some(Verdict::Accepted)).unwrap();
        store.set_acceptance(&owner.to_string(), &WEB, Some(Verdict::Rejected)).unwrap();
        let note = PutObject { kind: 3, name: number.to_string(), ..PutObject::default() };
        store.put_object(&WEB, SOFTWARE, &note).unwrap();
    }
    create(&store, &ROOT, "one");
    create(&store, &ROOT, "two");
    let most = |limit, count| store.greediest(limit, count);
    assert_eq!(most(Limit::Keys, 2), [(ROOT, 2), (Principal::Uid(1000), 1)]);
    assert_eq!((most(Limit::Keys, 99).len(), most(Limit::Keys, 0).len()), (MANY + 1, 0));
    assert_eq!(most(Limit::Objects, 3), [(WEB, MANY as u64)]);
    store.forget(&WEB).unwrap();
    let other = Principal::Uid(1007).to_string();
    assert!(store.keys(&Principal::Uid(1007))[0].grants.is_empty());
    assert!(store.acceptances("uid:33").is_empty() && store.acceptances(&other).is_empty());
    assert!(most(Limit::Objects, 3).is_empty());
    store.destroy(&store.key(SOFTWARE, &ROOT, "one").unwrap()).unwrap().commit();
    assert_eq!(most(Limit::Keys, 1), [(ROOT, 1)]);
    drop(store);
    let store = place.open().unwrap();
    assert!(store.acceptances("uid:33").is_empty() && store.acceptances(&other).is_empty());
    assert_eq!(store.greediest(Limit::Keys, 99).len(), MANY + 1);
}

#[test]
fn missing_hardware_is_noted_and_changes_nothing() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    let key = create(&store, &ROOT, "web");
    store.mark(&key, true);
    store.grant(&key, &WEB, Usage::SIGN).unwrap();
    let current = store.key(SOFTWARE, &ROOT, "web").unwrap();
    assert!(current.missing() && current.record(&WEB).missing);
    store.mark(&current, true);
    assert_eq!(store.count(), (1, 1), "once, however often it is said, and of whichever copy");
    store.mark(&key, false);
    assert!(!current.missing());
    assert_eq!(store.count(), (1, 0));
    store.mark(&key, true);
    store.destroy(&current).unwrap().commit();
    store.mark(&key, false);
    assert_eq!(store.count(), (0, 0), "a key that is gone is not counted");
}
