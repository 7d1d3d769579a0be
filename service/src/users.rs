//! Who the host says that users are. The store remembers the name that a user had when it got its keys. A user of the same number with
//! another name is somebody else, and gets none of them.
//!
//! Only a different name counts. No name, or tables of users that cannot be asked, change nothing. A name that was given to a new user
//! again cannot be told. The host is asked in the background, because it may have to ask a directory, and no request waits for that.

use crate::auth::Principal;
use crate::error::Result;
use crate::store::{Known, Renamed, Store};
use std::fs;
use std::ops::Bound::{Excluded, Unbounded};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether somebody has got a first key, or the host's own table of users has changed.
const TICK: Duration = Duration::from_secs(1);
/// How often the host is asked for all names, which a directory may have changed.
const PERIOD: Duration = Duration::from_secs(60);
/// So many names that are not known are asked for then, and so many in between: those after the last ones. Clients can grant keys to as many
/// numbers as they like, and have that looked at as often as they like.
const MANY: usize = 4096;
const FEW: usize = 64;
/// How long a start waits for the names.
const PATIENCE: Duration = Duration::from_secs(2);
/// The host's own table of users.
const TABLE: &str = "/etc/passwd";

/// What the host says of users.
pub(crate) trait Host: Send + Sync + 'static {
    /// The name of a user; `None` where there is none, or nobody can tell.
    fn name(&self, uid: u32) -> Option<String>;

    /// Whether this is one of a user's names, perhaps not the first; `None` where nobody can tell.
    fn is(&self, name: &str, uid: u32) -> Option<bool>;
}

/// The name service of the host (nsswitch.conf(5)).
pub(crate) struct NameService;

impl Host for NameService {
    fn name(&self, uid: u32) -> Option<String> {
        nix::unistd::User::from_uid(uid.into()).ok().flatten().map(|user| user.name)
    }

    fn is(&self, name: &str, uid: u32) -> Option<bool> {
        let user = nix::unistd::User::from_name(name).ok()?;
        Some(user.is_some_and(|user| user.uid.as_raw() == uid))
    }
}

/// Compares all names for as long as the service runs. Returns after the first time, or when that takes too long.
pub(crate) async fn watch(store: &Arc<Store>, host: impl Host) {
    for (uid, names) in store.renamed_users() {
        warn(uid, &names);
    }
    let (store, host) = (Arc::clone(store), Arc::new(host));
    let (done, first) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut done = Some(done);
        let (mut table, mut last, mut asked) = (None, None::<Instant>, 0);
        loop {
            let (changed, now) = (store.users_changed(), stamp());
            let due = last.is_none_or(|last| last.elapsed() >= PERIOD);
            let known = due || now != table;
            if due {
                last = Some(Instant::now());
            }
            table = now;
            if known || changed {
                let (store, host) = (Arc::clone(&store), Arc::clone(&host));
                let round = Round { known, new: if due { MANY } else { FEW }, after: asked };
                let done = tokio::task::spawn_blocking(move || compare(&store, &*host, &round)).await;
                asked = done.unwrap_or(asked);
            }
            if let Some(done) = done.take() {
                let _ = done.send(());
            }
            tokio::time::sleep(TICK).await;
        }
    });
    if tokio::time::timeout(PATIENCE, first).await.is_err() {
        tracing::warn!(
            "the host has not told the names of users within {PATIENCE:?} (see nsswitch.conf): until it does, users have the keys of their numbers"
        );
    }
}

/// What tells whether the host's own table of users is another one.
fn stamp() -> Option<(u64, i64, i64, u64)> {
    let table = fs::metadata(TABLE).ok()?;
    Some((table.ino(), table.mtime(), table.mtime_nsec(), table.len()))
}

/// For whose names the host is asked.
struct Round {
    /// All names that are known.
    known: bool,
    /// So many that are not.
    new: usize,
    /// Those of the users after this one, and then from the first on.
    after: u32,
}

/// Asks the host for names. Returns the last user whose name was not known.
fn compare(store: &Store, host: &dyn Host, round: &Round) -> u32 {
    let Known { named, new, gone } = store.users();
    for (uid, before) in named.iter().filter(|_| round.known) {
        if let Some(now) = another(host, *uid, before) {
            tell(store, *uid, now.as_deref());
        }
    }
    // Somebody else who has the number now inherits no verdicts, and is not found where the keys of this one were.
    let ask = |uid| round.known || store.renamed_user(&Principal::Uid(uid)).is_some();
    let strange = |uid, before: &str| ask(uid) && another(host, uid, before).flatten().is_some();
    for (uid, _) in gone.iter().filter(|(uid, before)| !store.mentions(*uid) || strange(*uid, before)) {
        log_failure(*uid, store.forget_former(*uid));
    }
    let mut last = round.after;
    let turn = new.range((Excluded(round.after), Unbounded)).chain(new.range(..=round.after));
    for uid in turn.take(round.new) {
        if let Some(now) = host.name(*uid) {
            log_failure(*uid, store.remember_user(*uid, &now));
        }
        last = *uid;
    }
    last
}

/// The other name that a user has now, or none; `None` where nobody can tell.
fn another(host: &dyn Host, uid: u32, before: &str) -> Option<Option<String>> {
    let now = host.name(uid)?;
    // A user may have two names.
    let same = now == before || host.is(before, uid)?;
    Some(Some(now).filter(|_| !same))
}

fn log_failure(uid: u32, kept: Result<()>) {
    if let Err(error) = kept {
        tracing::warn!("the name of the user uid:{uid} is not kept as it is yet: {error}");
    }
}

/// Notes whether a user has another name now, and logs what is new.
fn tell(store: &Store, uid: u32, now: Option<&str>) {
    let who = Principal::Uid(uid);
    match store.note_user(uid, now) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => tracing::warn!("that {who} has another name is not kept yet: {error}"),
    }
    match store.renamed_user(&who) {
        Some(names) => warn(uid, &names),
        None => tracing::info!("{who} has the name again that it had when it got its keys, and has them again"),
    }
}

fn warn(uid: u32, Renamed { before, now }: &Renamed) {
    let who = Principal::Uid(uid);
    tracing::warn!(
        "{who} was the user '{before}' when it got its keys, and is '{now}' now: it has none of them. If that is the same user: parsec key same-user {who}; if not, give the keys to somebody else: parsec key chown KEY --owner {who} --to WHO; what there is: parsec key list --all --owner {who}; and end the rest: parsec key same-user {who} --another"
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::store::tests::{TestStore, create};
    use interface::Status;
    use interface::attributes::Usage;
    use interface::operations::Verdict;
    use std::collections::BTreeMap;

    const ALICE: Principal = Principal::Uid(1000);
    const ALL: Round = Round { known: true, new: usize::MAX, after: 0 };

    /// A host with these users, some of whom it cannot tell anything about.
    #[derive(Default)]
    struct Table(BTreeMap<&'static str, u32>, bool);

    impl Table {
        fn of<const N: usize>(users: [(&'static str, u32); N]) -> Self {
            Self(users.into(), false)
        }
    }

    impl Host for Table {
        fn name(&self, uid: u32) -> Option<String> {
            self.0.iter().find(|(_, other)| **other == uid).map(|(name, _)| (*name).to_owned())
        }

        fn is(&self, name: &str, uid: u32) -> Option<bool> {
            (!self.1).then(|| self.0.get(name) == Some(&uid))
        }
    }

    fn has(store: &Store) -> bool {
        store.present(ALICE) == ALICE
    }

    #[test]
    fn only_another_name_for_the_same_number_counts() {
        let place = TestStore::new();
        let store = place.open().unwrap();
        create(&store, &ALICE, "web");
        let look = |table: Table| compare(&store, &table, &ALL);
        look(Table::default());
        assert!(has(&store), "nobody knows the user");
        look(Table::of([("alice", 1000), ("bob", 1001)]));
        for same in [Table::of([("alice", 1000)]), Table::default(), Table::of([("admin", 1000), ("alice", 1000)])] {
            look(same);
            assert!(has(&store));
        }
        look(Table([("bob", 1000)].into(), true));
        assert!(has(&store), "nobody could tell whether alice has the number too");
        look(Table::of([("bob", 1000)]));
        assert!(!has(&store));
        assert_eq!(store.renamed_user(&ALICE).unwrap(), Renamed { before: "alice".into(), now: "bob".into() });
        for away in [Table::default(), Table([("carol", 1000)].into(), true)] {
            look(away);
            assert!(!has(&store), "nothing was told");
        }
        look(Table::of([("alice", 1000)]));
        assert!(has(&store));
    }

    #[test]
    fn names_survive_a_restart_and_end_with_the_last_key() {
        let place = TestStore::new();
        let store = place.open().unwrap();
        let key = create(&store, &ALICE, "web");
        compare(&store, &Table::of([("alice", 1000)]), &ALL);
        drop(store);
        let store = place.open().unwrap();
        assert!(store.damaged().is_empty());
        let bob = Table::of([("bob", 1000)]);
        compare(&store, &bob, &ALL);
        assert!(!has(&store));
        store.confirm_user(&ALICE).unwrap();
        compare(&store, &bob, &ALL);
        assert!(has(&store));
        store.confirm_user(&ALICE).unwrap_err();
        drop(store);
        let store = place.open().unwrap();
        compare(&store, &Table::of([("carol", 1000)]), &ALL);
        assert!(!has(&store));
        store.destroy(&key).unwrap().commit();
        compare(&store, &Table::of([("carol", 1000)]), &ALL);
        assert!(has(&store), "nothing is left that was another's");
        create(&store, &ALICE, "own");
        compare(&store, &Table::of([("carol", 1000)]), &ALL);
        assert!(has(&store));
    }

    #[test]
    fn nobody_inherits_what_was_said_of_a_user_who_had_the_number_before() {
        let place = TestStore::new();
        let store = place.open().unwrap();
        let key = create(&store, &ALICE, "web");
        store.set_acceptance("uid:7", &ALICE, Some(Verdict::Accepted)).unwrap();
        store.set_acceptance("uid:1000", &Principal::Uid(7), Some(Verdict::Accepted)).unwrap();
        let said = |store: &Store| (store.acceptances("uid:7").len(), store.acceptances("uid:1000").len());
        let there = |store: &Store| store.meant(interface::ProviderId::SOFTWARE, &ALICE, "web").is_some();
        compare(&store, &Table::of([("alice", 1000)]), &ALL);
        store.chown(&key, &Principal::Uid(7), Usage::NONE).unwrap();
        for same in [Table::of([("alice", 1000)]), Table::default()] {
            compare(&store, &same, &ALL);
            assert!(said(&store) == (1, 1) && there(&store));
        }
        compare(&store, &Table::of([("mallory", 1000)]), &ALL);
        assert!(said(&store) == (0, 0) && !there(&store) && has(&store));
        drop(store);
        let store = place.open().unwrap();
        assert!(said(&store) == (0, 0) && !there(&store) && store.damaged().is_empty());
    }

    #[test]
    fn whoever_grants_keys_to_a_number_does_not_take_it_from_its_next_user() {
        let place = TestStore::new();
        let store = place.open().unwrap();
        let root = Principal::Uid(0);
        store.grant(&create(&store, &root, "web"), &ALICE, Usage::SIGN).unwrap();
        compare(&store, &Table::of([("alice", 1000)]), &ALL);
        assert_eq!(store.replace_user(&ALICE).unwrap_err().status(), Status::PsaErrorDoesNotExist);
        let own = create(&store, &ALICE, "own");
        compare(&store, &Table::of([("bob", 1000)]), &ALL);
        assert!(!has(&store));
        assert_eq!(store.replace_user(&ALICE).unwrap_err().status(), Status::PsaErrorNotPermitted);
        store.chown(&own, &root, Usage::NONE).unwrap();
        store.replace_user(&ALICE).unwrap();
        let web = store.key(interface::ProviderId::SOFTWARE, &root, "web").unwrap();
        assert!(has(&store) && !web.visible(&ALICE));
        drop(store);
        let store = place.open().unwrap();
        assert!(has(&store) && store.key(interface::ProviderId::SOFTWARE, &root, "web").unwrap().grants.is_empty());
    }

    #[test]
    fn many_numbers_without_names_are_asked_for_in_turns() {
        #[derive(Default)]
        struct Asked(std::sync::Mutex<Vec<u32>>);
        impl Host for Asked {
            fn name(&self, uid: u32) -> Option<String> {
                self.0.lock().unwrap().push(uid);
                (uid == 1000).then(|| "alice".to_owned())
            }
            fn is(&self, _: &str, _: u32) -> Option<bool> {
                Some(false)
            }
        }
        let place = TestStore::new();
        let store = place.open().unwrap();
        create(&store, &ALICE, "web");
        (1..6).for_each(|uid| drop(create(&store, &Principal::Uid(uid), "web")));
        let (host, mut after) = (Asked::default(), 0);
        let mut turn = || {
            after = compare(&store, &host, &Round { known: false, new: 3, after });
            std::mem::take(&mut *host.0.lock().unwrap())
        };
        assert_eq!([turn(), turn(), turn()], [vec![1, 2, 3], vec![4, 5, 1000], vec![1, 2, 3]]);
        compare(&store, &host, &Round { known: true, new: 0, after: 0 });
        assert_eq!(*host.0.lock().unwrap(), [1000]);
    }

    #[test]
    fn whoever_was_granted_a_key_is_remembered_too_and_root_is_root() {
        let place = TestStore::new();
        let store = place.open().unwrap();
        let root = Principal::Uid(0);
        let key = create(&store, &root, "web");
        store.grant(&key, &ALICE, Usage::SIGN).unwrap();
        compare(&store, &Table::of([("root", 0), ("alice", 1000)]), &ALL);
        compare(&store, &Table::of([("admin", 0), ("bob", 1000)]), &ALL);
        assert!(!has(&store));
        assert_eq!(store.present(root.clone()), root);
        let key = store.key(interface::ProviderId::SOFTWARE, &root, "web").unwrap();
        store.revoke(&key, &ALICE).unwrap();
        compare(&store, &Table::of([("bob", 1000)]), &ALL);
        assert!(has(&store));
    }
}
