//! Clients that never notice a restart, alone and beside a user who has filled the queue. They have a program of their own, since the
//! flood takes the processors from whoever is beside it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it measured")]

use interface::ProviderId;
use interface::algorithm::{Algorithm, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{GenerateKey, Ping, SignHash};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::{Flood, Service, Setup, may_change_user};

/// Longer than a restart takes on any machine.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn nobody_who_asks_for_what_may_be_repeated_notices_a_restart() {
    let mut service = Service::start();
    let longest = unnoticed(&mut service, 5, || ());
    eprintln!("5 restarts: {longest:?} at most");
}

#[test]
fn nor_does_anybody_where_another_user_has_filled_the_queue() {
    if !may_change_user() {
        return;
    }
    for activated in [false, true] {
        let mut service = Setup::default().prepare();
        if activated {
            service.activate();
        }
        service.restart();
        let flood = Flood::start(&service);
        let longest = unnoticed(&mut service, 2, || flood.fill());
        eprintln!("2 restarts under a flood, with the socket passed: {activated}: {longest:?} at most");
    }
}

/// Restarts the service beside a client that signs on a connection which it keeps, and one that connects for each request. Returns how
/// long an answer took at most: to the first, and to the second.
fn unnoticed(service: &mut Service, restarts: usize, before_each: impl Fn()) -> [Duration; 2] {
    let endpoint = service.client().endpoint().clone();
    let client = || Client::new(endpoint.clone()).with_wait(LONG);
    let (kept, over) = (client(), AtomicBool::new(false));
    kept.call(ProviderId::SOFTWARE, &key()).unwrap();
    let alg = Some(Signature::RsaPkcs1v15Raw.into());
    let sign = SignHash { key_name: "kept".to_owned(), alg, hash: vec![1; 32], ..SignHash::default() };
    let longest = |ask: &dyn Fn() -> Result<(), Error>| {
        let mut longest = Duration::ZERO;
        while !over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            ask().unwrap();
            longest = longest.max(asked.elapsed());
        }
        longest
    };
    std::thread::scope(|scope| {
        let kept = scope.spawn(|| longest(&|| kept.call(ProviderId::SOFTWARE, &sign).map(drop)));
        let fresh = scope.spawn(|| longest(&|| client().call(ProviderId::CORE, &Ping {}).map(drop)));
        for _ in 0..restarts {
            before_each();
            service.restart();
        }
        over.store(true, Ordering::Relaxed);
        [kept, fresh].map(|client| client.join().unwrap())
    })
}

fn key() -> GenerateKey {
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm: Algorithm::Signature(Signature::RsaPkcs1v15Raw), also: vec![] };
    let attributes = Attributes { key_type: KeyType::RsaKeyPair, bits: 2048, policy };
    GenerateKey { key_name: "kept".to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() }
}
