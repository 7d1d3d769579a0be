//! Tokens have PINs of their own for each client; what wrong ones have led to outlives the service.

use crate::access::{as_stranger, refused};
use crate::{SOFTWARE, destroy, generate, generate_with, sign, usable};
use interface::Status;
use interface::client::{Client, Error};
use interface::message::Pkcs11Attribute;
use interface::operations::{
    CopyKey, Find, InitToken, Login, Logout, Pin, PinState, PutObject, RecordKind, Role, SetMetadata, SetPin, Token, TokenStatus,
};
use std::sync::atomic::{AtomicBool, Ordering};
use tests::{Service, may_change_user};

fn pin(value: &str) -> Option<Pin> {
    Some(Pin { value: value.into() })
}

pub(crate) fn login(client: &Client, role: Role, value: &str) -> Result<Token, Error> {
    client.call(SOFTWARE, &Login { role: role.into(), pin: pin(value) })
}

pub(crate) fn set(client: &Client, old: Option<&str>, new: &str) -> Result<Token, Error> {
    let role = Role::User.into();
    client.call(SOFTWARE, &SetPin { role, old: old.and_then(pin), new: pin(new) })
}

fn set_officer(client: &Client, old: Option<&str>, new: Option<&str>) -> Result<Token, Error> {
    let role = Role::Officer.into();
    client.call(SOFTWARE, &SetPin { role, old: old.and_then(pin), new: new.and_then(pin) })
}

/// Says of the key that it is trusted.
fn trust(client: &Client, name: &str) -> Result<(), Error> {
    let trusted = Pkcs11Attribute { kind: 0x86, value: vec![1] };
    let (kind, name) = (RecordKind::Key.into(), name.to_owned());
    client.call(SOFTWARE, &SetMetadata { kind, name, pkcs11: vec![trusted], ..SetMetadata::default() }).map(drop)
}

fn init(client: &Client, value: &str) -> Result<Token, Error> {
    client.call(SOFTWARE, &InitToken { pin: pin(value), label: "mine".to_owned() })
}

pub(crate) fn user(client: &Client) -> PinState {
    client.call(SOFTWARE, &TokenStatus {}).unwrap().user.unwrap()
}

#[test]
fn a_token_is_initialised_once_without_and_then_with_the_officers_pin() {
    let service = Service::start();
    let client = service.client();
    generate(&client, "web").unwrap();
    let data = PutObject { kind: RecordKind::Data.into(), name: "web".to_owned(), value: vec![1], ..PutObject::default() };
    client.call(SOFTWARE, &data).unwrap();
    assert_eq!(refused(init(&client, "123"), &["4 to 255"]), Status::PsaErrorInvalidArgument);
    assert!(usable(&client, "web"), "a refusal destroys nothing");

    let token = init(&client, "officer").unwrap();
    assert_eq!((token.label.as_deref(), token.user, token.officer.is_some()), (Some("mine"), None, true));
    assert!(client.find(SOFTWARE, &Find::default()).unwrap().is_empty());
    generate(&client, "web").unwrap();
    assert_eq!(refused(login(&client, Role::User, "1234"), &["--init-pin"]), Status::PsaErrorDoesNotExist);
    set(&client, None, "1234").unwrap();
    assert_eq!(refused(init(&client, "another"), &["SO PIN is wrong"]), Status::PsaErrorInvalidSignature);
    assert!(usable(&client, "web"), "a refusal destroys nothing");
    assert_eq!(init(&client, "officer").unwrap().user, None);
    assert!(client.find(SOFTWARE, &Find::default()).unwrap().is_empty());
}

#[test]
fn a_pin_is_changed_by_whoever_knows_it() {
    let service = Service::start();
    let client = service.client();
    set(&client, None, "1234").unwrap();
    assert_eq!(refused(set(&client, Some("4321"), "5678"), &["wrong"]), Status::PsaErrorInvalidSignature);
    assert_eq!(user(&client).failures, 1);
    assert_eq!(refused(set(&client, Some("1234"), "5"), &["255"]), Status::PsaErrorInvalidArgument);
    set(&client, Some("1234"), "5678").unwrap();
    assert_eq!(refused(login(&client, Role::User, "1234"), &["wrong"]), Status::PsaErrorInvalidSignature);
    login(&client, Role::User, "5678").unwrap();
    assert!(!service.log().contains("5678"));
}

#[test]
fn nobody_becomes_the_officer_of_keys_without_the_pin() {
    let service = Service::start();
    let client = service.client();
    generate(&client, "web").unwrap();
    login(&client, Role::Officer, "any").unwrap();
    assert_eq!(refused(trust(&client, "web"), &["SO", "C_InitToken"]), Status::AdminOperation, "any PIN proves nothing");
    for old in [None, Some("any")] {
        assert_eq!(refused(set_officer(&client, old, Some("mine")), &["--init-token"]), Status::PsaErrorDoesNotExist);
    }
    init(&client, "officer").unwrap();
    generate(&client, "web").unwrap();
    assert_eq!(refused(set_officer(&client, None, Some("mine")), &["reset-pin so"]), Status::PsaErrorNotPermitted);
    assert_eq!(refused(set_officer(&client, Some("wrong"), Some("mine")), &["wrong"]), Status::PsaErrorInvalidSignature);
    set_officer(&client, Some("officer"), Some("mine")).unwrap();
    login(&client, Role::Officer, "mine").unwrap();
    trust(&client, "web").unwrap();
    set_officer(&client, None, None).unwrap();
    assert_eq!(refused(trust(&client, "web"), &["SO"]), Status::AdminOperation, "the login ends with the PIN");
    assert_eq!(refused(set_officer(&client, Some("mine"), Some("mine")), &["--init-token"]), Status::PsaErrorDoesNotExist);
}

#[test]
fn the_officer_is_logged_in_in_one_process_until_it_logs_out() {
    let service = Service::start();
    let (client, other) = (service.client(), service.client());
    init(&client, "officer").unwrap();
    generate(&client, "web").unwrap();
    let make = || generate_with(&client, "trusted", vec![Pkcs11Attribute { kind: 1 << 32 | 0x86, value: vec![1] }]);
    assert_eq!(refused(make(), &["SO"]), Status::AdminOperation, "not when it is made either");
    login(&client, Role::Officer, "officer").unwrap();
    trust(&client, "web").unwrap();
    make().unwrap();
    assert_eq!(refused(trust(&other, "web"), &["SO"]), Status::AdminOperation);
    client.call(SOFTWARE, &Logout {}).unwrap();
    assert_eq!(refused(trust(&client, "web"), &["SO"]), Status::AdminOperation);
    login(&client, Role::Officer, "officer").unwrap();
    init(&client, "officer").unwrap();
    generate(&client, "web").unwrap();
    assert_eq!(refused(trust(&client, "web"), &["SO"]), Status::AdminOperation, "the token is another one");
}

#[test]
fn a_lock_out_survives_a_crash() {
    let mut service = Service::start();
    let client = service.client();
    set(&client, None, "1234").unwrap();
    for failures in 1..=2 {
        refused(login(&client, Role::User, "4321"), &["wrong"]);
        service.kill9();
        service.restart();
        assert_eq!(user(&client).failures, failures);
    }
    // as if the last try had been long ago, and then just now
    service.alter_store("UPDATE pin SET failures = 9, failed = 0");
    assert_eq!(refused(login(&client, Role::User, "4321"), &["locked"]), Status::PsaErrorInvalidSignature);
    service.kill9();
    service.restart();
    assert!(user(&client).locked);
    assert_eq!(refused(login(&client, Role::User, "1234"), &["locked"]), Status::PsaErrorBadState);
    service.alter_store("UPDATE pin SET failures = 9, failed = 1 << 60");
    assert_eq!(refused(login(&client, Role::User, "1234"), &["try again in 320 s"]), Status::PsaErrorBadState);
    service.kill9();
    service.restart();
    assert_eq!(refused(login(&client, Role::User, "1234"), &["try again in"]), Status::PsaErrorBadState);
    set(&client, None, "5678").unwrap();
    login(&client, Role::User, "5678").unwrap();
}

#[test]
fn nobody_locks_another_out() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let client = service.client();
    set(&client, None, "1234").unwrap();
    generate(&client, "web").unwrap();
    as_stranger(&service, |stranger| {
        assert_eq!(stranger.call(SOFTWARE, &TokenStatus {}).unwrap(), Token::default());
        set(stranger, None, "9876").unwrap();
        for _ in 0..3 {
            refused(login(stranger, Role::User, "1234"), &["wrong"]);
        }
        assert_eq!(user(stranger).failures, 3);
        init(stranger, "officer").unwrap();
    });
    assert_eq!(user(&client), PinState::default());
    login(&client, Role::User, "1234").unwrap();
    sign(&client, None, "web").unwrap();
    destroy(&client, "web").unwrap();
}

#[test]
fn no_copy_of_a_key_escapes_the_reset_of_its_token() {
    let service = Service::start();
    let client = service.client();
    (0..20).for_each(|number| generate(&client, &format!("key {number:02}")).unwrap());
    let (victim, copying) = ("key 19", AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (other, copying) = (service.client(), &copying);
        let attributes = other.lookup(SOFTWARE, None, victim).unwrap().attributes;
        scope.spawn(move || {
            for number in 0.. {
                let copy = CopyKey {
                    key_name: format!("copy {number}"),
                    of: victim.to_owned(),
                    attributes: attributes.clone(),
                    ..CopyKey::default()
                };
                match other.call(SOFTWARE, &copy).map_err(|error| error.status()) {
                    Ok(_) | Err(Some(Status::PsaErrorBadState)) => copying.store(true, Ordering::Relaxed),
                    Err(status) => {
                        assert_eq!(status, Some(Status::PsaErrorDoesNotExist));
                        break;
                    }
                }
            }
        });
        while !copying.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        init(&client, "officer").unwrap();
    });
    let left = client.find(SOFTWARE, &Find::default()).unwrap();
    assert!(left.is_empty(), "{:?}", left.iter().map(|record| &record.name).collect::<Vec<_>>());
}
