//! An older copy of the store in the place of the newest: the chip's counter tells.

use super::keys::{Keys, ec, status};
use super::service;
use interface::{ProviderId, Status};
use std::fs;
use std::time::Duration;
use tests::eventually;

#[test]
fn an_older_copy_of_the_store_is_refused_while_the_newest_is_not() {
    let mut service = service();
    let store = service.dir().join("keys.sqlite3");
    let client = service.client();
    Keys(&client, ProviderId::TPM).make("k", &ec()).unwrap();
    assert!(service.stop().success());
    let older = fs::read(&store).unwrap();

    service.restart();
    Keys(&client, ProviderId::TPM).destroy("k").unwrap();
    service.kill9();
    service.restart();
    assert_eq!(status(Keys(&client, ProviderId::TPM).ecdsa("k")), Status::PsaErrorDoesNotExist);
    assert!(service.stop().success());
    let newest = fs::read(&store).unwrap();

    fs::write(&store, older).unwrap();
    assert!(!service.fail_to_start().success());
    assert!(service.log().contains("older copy"), "{}", service.log());
    assert!(service.log().contains("parsec serve --accept-loss"), "{}", service.log());
    fs::write(&store, newest).unwrap();
    service.restart();
    assert_eq!(status(Keys(&client, ProviderId::TPM).ecdsa("k")), Status::PsaErrorDoesNotExist);
}

#[test]
fn an_older_copy_ends_the_service_when_a_chip_that_was_away_tells() {
    let mut service = service();
    let files = ["keys.sqlite3", "store.key.rows-signed"].map(|name| service.dir().join(name));
    let client = service.client();
    Keys(&client, ProviderId::TPM).make("k", &ec()).unwrap();
    assert!(service.stop().success());
    let older = files.each_ref().map(|file| fs::read(file).unwrap());
    service.restart();
    Keys(&client, ProviderId::TPM).destroy("k").unwrap();
    assert!(service.stop().success());
    files.iter().zip(older).for_each(|(file, older)| fs::write(file, older).unwrap());
    service.tpm().kill9();
    service.restart();
    service.logs(&["the tpm provider is away"]);
    service.tpm().restart();
    service.logs(&["older copy", "the service stops"]);
    let alone = service.client().with_wait(Duration::ZERO);
    eventually("the end of the service", || alone.providers().is_err().then_some(()));
    assert!(!service.stop().success(), "it ends as a failure");
    assert!(!service.fail_to_start().success(), "nor does it start again");
}

#[test]
fn a_chip_that_was_cleared_tells_nothing_and_keeps_nobody_from_the_store() {
    let mut service = service();
    let client = service.client();
    Keys(&client, ProviderId::SOFTWARE).make("k", &ec()).unwrap();
    assert!(service.stop().success());
    service.tpm().exchange("another");
    for _ in 0..2 {
        service.restart();
        Keys(&client, ProviderId::SOFTWARE).ecdsa("k").unwrap();
        assert!(service.stop().success());
    }
    assert_eq!(service.log().matches("cannot be told this time").count(), 1);
}
