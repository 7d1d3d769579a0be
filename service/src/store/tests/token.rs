//! PINs, and what wrong ones lead to. The clock is the tests' own.

use super::*;
use interface::operations::{PinState, Role};

const START: u64 = 1_000_000;

fn set(store: &Store, owner: &Principal, role: Role, pin: &[u8]) {
    store.token(SOFTWARE, owner, START).set(role, Some(&Pin::new(pin).unwrap())).unwrap();
}

fn user(store: &Store, now: u64) -> PinState {
    store.token(SOFTWARE, &ROOT, now).status().user.unwrap()
}

/// The status of a try, and in words what became of it.
fn try_pin(store: &Store, role: Role, pin: &[u8], now: u64) -> (Status, String) {
    match store.token(SOFTWARE, &ROOT, now).check(role, pin) {
        Ok(()) => (Status::Success, String::new()),
        Err(error) => (error.status(), error.to_string()),
    }
}

const WRONG: Status = Status::PsaErrorInvalidSignature;
const NOT_HEARD: Status = Status::PsaErrorBadState;

#[test]
fn without_pins_any_is_right_until_the_officer_has_one() {
    let store = TestStore::new().open().unwrap();
    let token = store.token(SOFTWARE, &ROOT, START);
    for role in [Role::User, Role::Officer] {
        token.check(role, b"").unwrap();
    }
    assert_eq!(token.status(), interface::operations::Token::default());
    token.init("mine", &Pin::new(b"officer").unwrap()).unwrap();
    assert_eq!(token.status().label.as_deref(), Some("mine"));
    assert_eq!(status(token.check(Role::User, b"1234")), Status::PsaErrorDoesNotExist);
    assert_eq!(status(token.check(Role::Officer, b"1234")), WRONG);
    set(&store, &ROOT, Role::User, b"1234");
    token.check(Role::User, b"1234").unwrap();
    token.init("again", &Pin::new(b"officer").unwrap()).unwrap();
    assert_eq!(token.status().user, None, "the user's PIN goes with the keys");
}

#[test]
fn pins_are_kept_as_hashes_of_a_checked_length() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    for len in [0, 3, 256] {
        assert_eq!(status(Pin::new(&vec![b'1'; len])), Status::PsaErrorInvalidArgument);
    }
    Pin::new(&[b'1'; 4]).unwrap();
    set(&store, &ROOT, Role::User, &[b'1'; 255]);
    drop(store);
    let db = Connection::open(place.database()).unwrap();
    let hash: String = db.query_row("SELECT hash FROM pin", [], |row| row.get(0)).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
    drop(db);
    assert!(!format!("{:?}", place.open().unwrap()).contains("argon2id"), "nor shown");
}

#[test]
fn wrong_tries_wait_ever_longer_and_the_user_pin_locks_at_the_tenth() {
    let store = TestStore::new().open().unwrap();
    set(&store, &ROOT, Role::User, b"1234");
    let mut now = START;
    for (failures, wait) in [0, 0, 5, 10, 20, 40, 80, 160, 320].into_iter().enumerate() {
        let state = user(&store, now);
        assert_eq!((state.failures as usize, state.wait, state.locked), (failures, 0, false));
        assert_eq!(state.last_try, failures >= 2, "{failures}");
        let (refused, told) = try_pin(&store, Role::User, b"4321", now);
        assert_eq!(refused, WRONG, "{told}");
        if wait > 0 {
            assert!(told.contains(&format!("in {wait} s")), "{told}");
            let (early, told) = try_pin(&store, Role::User, b"1234", now + wait - 1);
            assert_eq!(early, NOT_HEARD, "not even the right one: {told}");
            assert!(told.contains("try again in 1 s"), "{told}");
        }
        now += wait;
    }
    assert_eq!(try_pin(&store, Role::User, b"4321", now).0, WRONG);
    let (locked, told) = try_pin(&store, Role::User, b"1234", now + 1_000_000);
    assert_eq!(locked, NOT_HEARD);
    assert!(told.contains("--init-pin") && told.contains("parsec token reset-pin"), "{told}");
    assert!(user(&store, now).locked && !user(&store, now).last_try);

    set(&store, &ROOT, Role::User, b"5678");
    assert_eq!(try_pin(&store, Role::User, b"5678", now).0, Status::Success);
}

#[test]
fn the_officer_waits_at_most_an_hour_and_is_never_locked_out() {
    let store = TestStore::new().open().unwrap();
    set(&store, &ROOT, Role::Officer, b"officer");
    let mut now = START;
    for _ in 0..20 {
        assert_eq!(try_pin(&store, Role::Officer, b"wrong", now).0, WRONG);
        now += store.token(SOFTWARE, &ROOT, now).status().officer.unwrap().wait;
    }
    assert_eq!(try_pin(&store, Role::Officer, b"officer", now - 1).0, NOT_HEARD);
    assert_eq!(try_pin(&store, Role::Officer, b"wrong", now).0, WRONG);
    assert_eq!(try_pin(&store, Role::Officer, b"officer", now + 3600).0, Status::Success);
}

#[test]
fn the_right_pin_forgives_and_others_are_not_touched() {
    let store = TestStore::new().open().unwrap();
    set(&store, &ROOT, Role::User, b"1234");
    set(&store, &WEB, Role::User, b"1234");
    for _ in 0..2 {
        assert_eq!(try_pin(&store, Role::User, b"4321", START).0, WRONG);
    }
    assert_eq!(try_pin(&store, Role::User, b"1234", START).0, Status::Success);
    assert_eq!(user(&store, START).failures, 0);
    for _ in 0..3 {
        assert_eq!(try_pin(&store, Role::User, b"4321", START).0, WRONG);
    }
    let other = store.token(SOFTWARE, &WEB, START);
    assert_eq!(other.status().user.unwrap().failures, 0);
    other.check(Role::User, b"1234").unwrap();
}

#[test]
fn neither_a_restart_nor_a_clock_that_is_set_back_ends_a_wait() {
    let place = TestStore::new();
    let store = place.open().unwrap();
    set(&store, &ROOT, Role::User, b"1234");
    for _ in 0..3 {
        assert_eq!(try_pin(&store, Role::User, b"4321", START).0, WRONG);
    }
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(try_pin(&store, Role::User, b"1234", START + 4).0, NOT_HEARD);
    let earlier = START - 500_000;
    assert_eq!(try_pin(&store, Role::User, b"1234", earlier).0, NOT_HEARD);
    assert_eq!(try_pin(&store, Role::User, b"1234", earlier + 5).0, Status::Success, "and does not prolong it for ever");
    let mut now = START;
    for _ in 0..10 {
        now += user(&store, now).wait;
        assert_eq!(try_pin(&store, Role::User, b"4321", now).0, WRONG);
    }
    drop(store);
    let store = place.open().unwrap();
    assert!(user(&store, now).locked);
}

#[test]
fn a_client_that_is_forgotten_leaves_no_pin() {
    let store = TestStore::new().open().unwrap();
    let token = store.token(SOFTWARE, &WEB, START);
    token.init("mine", &Pin::new(b"officer").unwrap()).unwrap();
    store.forget(&WEB).unwrap();
    assert_eq!(token.status(), interface::operations::Token::default());
}
