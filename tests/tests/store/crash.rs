//! kill -9 or an error of the disk at every step that the service takes on its way there.
//!
//! The service is started, makes two keys, destroys one and stops. It is killed before, after or in the middle of the n-th durable
//! step, or that step fails, for every n until it gets through untouched. Each time it then starts again on what was left, and every
//! key must be as promised: what was answered holds, what was not is done or not done, never half.

use crate::{destroy, generate, usable};
use interface::ProviderId;
use interface::operations::ListKeys;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;
use tests::{Service, faults, faulty};

/// More steps than the service ever takes.
const ENOUGH: usize = 1000;

#[test]
fn killed_before_each_step() {
    at_each_step("before");
}

#[test]
fn killed_after_each_step() {
    at_each_step("after");
}

#[test]
fn killed_in_the_middle_of_each_write() {
    at_each_step("torn");
}

#[test]
fn each_step_failing() {
    at_each_step("fail");
}

/// What a client was told before the service died.
#[derive(Debug, Default)]
struct Told {
    kept: bool,
    made: bool,
    destroyed: bool,
}

fn at_each_step(when: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(faults) = faults(folder.path()) else { return };
    let mut hit = BTreeSet::new();
    for step in 1..ENOUGH {
        let (mut service, plan) = faulty(&faults);
        fs::write(&plan, format!("{when} {step}")).unwrap();
        let told = live(&mut service);
        let untouched = fs::remove_file(&plan).is_ok();
        check(&mut service, &told, &format!("{when} step {step}"));
        let stage = [told.kept, told.made, told.destroyed];
        let stage = stage.into_iter().take_while(|told| *told).count();
        if untouched {
            assert_eq!(stage, 3, "nothing happened, and it failed");
            // a step was hit while starting or making the first key, the second, destroying it, and stopping
            assert!(hit.into_iter().eq(0..=3));
            return;
        }
        hit.insert(stage);
    }
    panic!("the service takes more than {ENOUGH} steps");
}

/// The life of a service that may be cut short at any point.
fn live(service: &mut Service) -> Told {
    let mut told = Told::default();
    let status = match service.try_restart() {
        Err(status) => status,
        Ok(()) => {
            let client = service.client().with_wait(Duration::ZERO);
            told.kept = generate(&client, "kept").is_ok();
            told.made = generate(&client, "made").is_ok();
            told.destroyed = told.made && destroy(&client, "made").is_ok();
            service.stop()
        }
    };
    // a service that gives up at start may meet the signal to stop on its way out, and one whose flush fails ends
    let expected = [None, Some(libc::SIGKILL), Some(libc::SIGTERM), Some(libc::SIGABRT)];
    assert!(expected.contains(&status.signal()), "{status}");
    told
}

fn check(service: &mut Service, told: &Told, at: &str) {
    service.restart();
    let client = service.client();
    let names = ["kept", "made"];
    let there = names.map(|name| usable(&client, name));
    let [kept, made] = there;
    assert!(kept || !told.kept, "{at}: a key is lost");
    assert!(!made || !told.destroyed, "{at}: a destroyed key is back");
    let listed = client.call(ProviderId::CORE, &ListKeys {}).unwrap().keys;
    let listed: Vec<_> = listed.into_iter().map(|key| key.name).collect();
    let expected = names.into_iter().zip(there).filter(|(_, there)| *there);
    assert!(listed.iter().eq(expected.clone().map(|(name, _)| name)), "{at}: {listed:?}");
    for (name, there) in names.into_iter().zip(there) {
        if !there {
            generate(&client, name).unwrap_or_else(|error| panic!("{at}: '{name}' is not free: {error}"));
        }
    }

    service.kill9();
    service.restart();
    let client = service.client();
    assert!(names.iter().all(|name| usable(&client, name)), "{at}: lost later");
    assert!(service.stop().success());
    nothing_left_over(service.dir(), at);
}

fn nothing_left_over(place: &Path, at: &str) {
    let folder = place.join("state");
    for file in fs::read_dir(&folder).unwrap().chain(fs::read_dir(place.join("key")).unwrap()) {
        let name = file.unwrap().file_name();
        let known = ["keys.sqlite3", "keys.sqlite3-wal", "keys.sqlite3-room", "store.key", "store.key.rows-signed"];
        assert!(known.iter().any(|known| name == *known), "{at}: {name:?}");
    }
    let db = Connection::open(folder.join("keys.sqlite3")).unwrap();
    let ask = |query: &str| db.query_row(query, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("PRAGMA integrity_check"), "ok", "{at}");
    assert_eq!(ask("SELECT group_concat(state) FROM key"), "1,1", "{at}");
}
