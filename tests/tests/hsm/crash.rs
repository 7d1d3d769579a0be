//! kill -9 of the service, or of its worker, at every step to the disk while a key is made and destroyed: nothing is left half done, in
//! the store or in the token.

use super::keys::{Keys, ec};
use super::{PKCS11, await_token, setup};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::{Service, faults};

/// More steps than either ever takes.
const ENOUGH: usize = 1000;

#[test]
fn the_service_killed_before_each_step() {
    at_each_step("before", "serve");
}

#[test]
fn the_worker_killed_before_each_step() {
    at_each_step("before", "worker");
}

fn at_each_step(when: &str, whose: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(faults) = faults(folder.path()) else { return };
    let mut service = prepared(&faults);
    // Every step by `tests/run --all`.
    let stride = if std::env::var_os("PARSEC_TESTS_ALL").is_some() { 1 } else { 4 };
    for step in (1..ENOUGH).step_by(stride) {
        let plan = service.dir().join("key/plan");
        fs::write(&plan, format!("{when} {step} {whose}")).unwrap();
        let told = live(&mut service);
        let untouched = fs::remove_file(&plan).is_ok();
        if lost(&service) {
            service = prepared(&faults);
            continue;
        }
        check(&mut service, told, &format!("{when} step {step} of {whose}"));
        if untouched {
            assert!(step > 1, "{whose} takes no steps");
            assert_eq!(told, (true, true), "nothing happened, and it failed");
            return;
        }
    }
    panic!("{whose} takes more than {ENOUGH} steps");
}

/// A service with a token, which has run before and is stopped.
fn prepared(faults: &Path) -> Service {
    let setup = setup().map_config(|config| {
        let place = "store_key_path = \"{dir}/key/store.key\"\nsqlite_db_path = \"{dir}/state/keys";
        config.replace("sqlite_db_path = \"{dir}/keys", place)
    });
    let mut service = setup.env("LD_PRELOAD", faults).env("FAULT_PLAN", "key/plan").prepare();
    fs::create_dir(service.dir().join("key")).unwrap();
    service.restart();
    await_token(&service.client());
    service.stop();
    service
}

/// Whether the key was made, and destroyed, as far as the client was told.
fn live(service: &mut Service) -> (bool, bool) {
    if service.try_restart().is_err() {
        return (false, false);
    }
    let client = service.client().with_wait(Duration::ZERO);
    let token = Keys(&client, PKCS11);
    let there = || client.providers().is_ok_and(|all| all.iter().any(|(id, info)| *id == PKCS11 && info.away.is_empty()));
    let up = || fs::exists(service.socket()).unwrap_or_default() && client.providers().is_ok();
    while up() && !there() {
        if lost(service) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let kept = token.make("kept", &ec()).is_ok();
    let made = kept && token.make("k", &ec()).is_ok();
    let destroyed = made && token.destroy("k").is_ok();
    service.kill9();
    (made, destroyed)
}

/// Whether SoftHSM has lost its whole token: it empties files before it writes them.
fn lost(service: &Service) -> bool {
    service.log().contains("has no token that is initialized")
}

fn check(service: &mut Service, (made, destroyed): (bool, bool), at: &str) {
    service.restart();
    let client = service.client();
    await_token(&client);
    let token = Keys(&client, PKCS11);
    let names: Vec<_> = ["kept", "k"].into_iter().filter(|name| token.ecdsa(name).is_ok()).collect();
    assert!(names.contains(&"kept") || !made, "{at}: a key is lost");
    assert!(!names.contains(&"k") || !destroyed, "{at}: a destroyed key is back");
    let objects = service.token().objects();
    assert_eq!(objects.len(), 2 * names.len(), "{at}: the token has something else than {names:?}: {objects:?}");
    for name in ["kept", "k"] {
        if !names.contains(&name) {
            token.make(name, &ec()).unwrap_or_else(|error| panic!("{at}: '{name}' is not free: {error}"));
        }
        token.ecdsa(name).unwrap();
    }
    ["kept", "k"].iter().for_each(|name| token.destroy(name).unwrap());
    assert!(service.token().objects().is_empty(), "{at}");
    service.stop();
}
