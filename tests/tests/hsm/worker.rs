//! The library's process: it dies, hangs and ends, and nobody else does.

use super::keys::{Keys, ec, pair, status};
use super::{PKCS11, SHA256, await_token, setup, start};
use interface::algorithm::Signature;
use interface::attributes::KeyType;
use interface::{ProviderId, Status};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use tests::{Service, SoftHsm, eventually};

/// The children of a process.
fn children(of: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok())
    };
    // one that has ended is none
    let parent = |pid: u32| parent(pid).filter(|_| fs::read_link(format!("/proc/{pid}/exe")).is_ok());
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|pid| parent(*pid) == Some(of)).collect()
}

/// The launcher and its worker, if there is one.
fn processes(service: &Service) -> (u32, Option<u32>) {
    let launcher = *children(service.pid()).first().expect("a launcher");
    (launcher, children(launcher).into_iter().next())
}

pub(super) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// A worker that is not this one.
pub(super) fn worker(service: &Service, before: Option<u32>) -> u32 {
    eventually("a worker", || processes(service).1.filter(|pid| Some(*pid) != before))
}

#[test]
fn a_worker_that_is_killed_in_mid_load_costs_nobody_anything() {
    let (service, client) = start(setup());
    let (token, software) = (Keys(&client, PKCS11), Keys(&client, ProviderId::SOFTWARE));
    let rsa = Signature::RsaPss { hash: SHA256 };
    token.make("e", &ec()).unwrap();
    token.make("r", &pair(KeyType::RsaKeyPair, 2048, rsa)).unwrap();
    software.make("s", &ec()).unwrap();
    let (stop, done) = (AtomicBool::new(false), [(); 4].map(|()| AtomicUsize::new(0)));
    // each client has its answer to what it had asked
    let progress = || {
        let had = done.each_ref().map(|done| done.load(Ordering::Relaxed));
        eventually("requests", || done.iter().zip(had).all(|(done, had)| done.load(Ordering::Relaxed) > had + 2).then_some(()));
    };
    thread::scope(|scope| {
        for client in 0..4 {
            let (service, stop, done) = (&service, &stop, &done);
            scope.spawn(move || {
                let own = service.client();
                let (token, software) = (Keys(&own, PKCS11), Keys(&own, ProviderId::SOFTWARE));
                while !stop.load(Ordering::Relaxed) {
                    match client {
                        0 => token.sign("r", rsa).map(drop).unwrap(),
                        1 => software.ecdsa("s").unwrap(),
                        _ => token.ecdsa("e").unwrap(),
                    }
                    done[client].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut before = None;
        for _ in 0..3 {
            let victim = worker(&service, before);
            await_token(&client);
            progress();
            signal(victim, Signal::KILL);
            before = Some(victim);
        }
        progress();
        stop.store(true, Ordering::Relaxed);
    });
    await_token(&client);
    let record = token.record("e");
    assert!(!record.away && !record.missing);
    token.make("new", &ec()).unwrap();
}

#[test]
fn a_library_that_hangs_is_given_up_and_started_anew() {
    let (service, client) = start(setup().map_config(|config| config.replace("user_pin", "timeout = 300\nuser_pin")));
    let (token, software) = (Keys(&client, PKCS11), Keys(&client, ProviderId::SOFTWARE));
    token.make("k", &ec()).unwrap();
    software.make("s", &ec()).unwrap();
    let hung = worker(&service, None);
    signal(hung, Signal::STOP);
    software.ecdsa("s").unwrap();
    token.ecdsa("k").unwrap();
    assert_ne!(worker(&service, Some(hung)), hung);
    service.logs(&["starting anew with the token", "has not answered within 300ms"]);

    let hung = worker(&service, None);
    signal(hung, Signal::STOP);
    token.destroy("k").unwrap();
    assert!(service.token().objects().is_empty(), "it was looked for before it was done once more");
}

#[test]
fn a_key_that_was_being_made_when_the_library_hung_leaves_nothing() {
    let (service, client) = start(setup().map_config(|config| config.replace("user_pin", "timeout = 300\nuser_pin")));
    let token = Keys(&client, PKCS11);
    signal(worker(&service, None), Signal::STOP);
    let made = token.make("k", &ec());
    assert_eq!(status(made), Status::PsaErrorCommunicationFailure);
    await_token(&client);
    eventually("the name", || token.make("k", &ec()).ok());
    assert_eq!(service.token().objects().len(), 2);
    token.ecdsa("k").unwrap();
}

#[test]
fn no_process_outlives_the_service() {
    for stop in [Service::kill9 as fn(&mut Service), |service| assert!(service.stop().success())] {
        let (mut service, _) = start(setup());
        let (launcher, worker) = processes(&service);
        stop(&mut service);
        for pid in [Some(launcher), worker].into_iter().flatten() {
            let gone = || {
                // a zombie waits for whoever adopts it
                let state = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let zombie = state.lines().any(|line| line.starts_with("State:") && line.contains('Z'));
                (zombie || test_kill_process(Pid::from_raw(pid.cast_signed()).unwrap()).is_err()).then_some(())
            };
            eventually("the end of a process", gone);
        }
    }
}

#[test]
fn a_token_whose_files_are_away_comes_back_with_its_keys() {
    let (mut service, client) = start(setup());
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    let (here, there) = (service.token().tokens(), service.dir().join("elsewhere"));
    fs::rename(&here, &there).unwrap();
    fs::create_dir(&here).unwrap();
    service.restart();
    service.logs(&["the pkcs11 provider is away", "no token that is initialized"]);
    assert_eq!(status(token.ecdsa("k")), Status::PsaErrorCommunicationFailure);
    assert!(token.record("k").away && !token.record("k").missing);
    fs::remove_dir(&here).unwrap();
    fs::rename(&there, &here).unwrap();
    await_token(&client);
    token.ecdsa("k").unwrap();
}

#[test]
fn a_key_that_was_destroyed_while_its_token_was_away_is_destroyed_there_later() {
    let (service, client) = start(setup().map_config(|config| config.replace("user_pin", "timeout = 300\nuser_pin")));
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    let (here, there) = (service.token().tokens(), service.dir().join("elsewhere"));
    fs::rename(&here, &there).unwrap();
    fs::create_dir(&here).unwrap();
    signal(worker(&service, None), Signal::KILL);
    assert_eq!(status(token.destroy("k")), Status::PsaErrorCommunicationFailure);
    assert_eq!(status(token.ecdsa("k")), Status::PsaErrorDoesNotExist, "nobody can use it any more");
    fs::remove_dir(&here).unwrap();
    fs::rename(&there, &here).unwrap();
    await_token(&client);
    assert!(service.token().objects().is_empty());
    token.make("k", &ec()).unwrap();
}

#[test]
fn a_library_that_others_may_write_is_not_loaded() {
    let setup = setup().map_config(|config| config.replace("{library}", "{dir}/library.so"));
    let mut service = setup.prepare();
    let library = service.dir().join("library.so");
    fs::copy(SoftHsm::library(), &library).unwrap();
    fs::set_permissions(&library, Permissions::from_mode(0o666)).unwrap();
    service.restart();
    let client = service.client();
    let told = service.logs(&["the pkcs11 provider is away", "is not loaded"]);
    assert!(told.contains("chmod go-w"), "{told}");
    fs::set_permissions(&library, Permissions::from_mode(0o644)).unwrap();
    await_token(&client);
    // the service, which may be taken over, is not asked which one it is
    let (launcher, worker) = processes(&service);
    for pid in [launcher, worker.unwrap()] {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(line.contains(library.to_str().unwrap()), "{line:?}");
    }
}
