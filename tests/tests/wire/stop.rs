//! The service is told to stop while it has a lot to do.

use super::{RSA, ping, rsa};
use interface::algorithm::Signature;
use interface::client::{Client, Error};
use interface::operations::{Hello, ListKeys, Ping, SignHash};
use interface::{ProviderId, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::{Flood, Raw, Service, Setup, as_user, may_change_user, request};

/// More than one client may have waiting.
const MANY: usize = 70;
/// Longer than a restart takes on any machine.
const LONG: Duration = Duration::from_secs(60);

/// A connection that has asked for a key that takes long to make, and whether as a client of ours.
fn asked(service: &Service, number: usize, ours: bool) -> Raw {
    let mut client = Raw::connect(service);
    if ours {
        let hello = request(ProviderId::CORE, &Hello { version: 1, ..Hello::default() });
        assert_eq!(client.ask(&hello).status(), Status::Success);
    }
    client.send(&as_user(ProviderId::SOFTWARE, &rsa(&format!("key {number}"), 4096)));
    client
}

#[test]
fn what_waits_when_the_service_stops_is_not_begun_and_told_so() {
    let mut service = Service::start();
    let mut clients: Vec<_> = (0..MANY).map(|number| asked(&service, number, number % 2 == 0)).collect();
    // The first answer is for one that is too many, so all others wait or run.
    let mut ends: Vec<_> = clients.iter().map(|client| PollFd::new(&client.0, PollFlags::IN)).collect();
    poll(&mut ends, Some(&Timespec { tv_sec: 60, tv_nsec: 0 })).unwrap();
    drop(ends);
    assert!(service.stop().success(), "{}", service.log());
    let answers: Vec<_> = clients.iter_mut().filter(|client| !client.closed_now()).map(Raw::answer).collect();
    let told: Vec<_> = answers.iter().filter(|answer| answer.status() == Status::ConnectionError).collect();
    assert!(told.len() > MANY / 2, "{} of {MANY} were told", told.len());
    assert!(told.iter().any(|answer| String::from_utf8_lossy(&answer.body).contains("was not begun")));
    service.restart();
    let left = service.client().call(ProviderId::CORE, &ListKeys {}).unwrap().keys.len();
    assert!(left + told.len() <= MANY, "{left} keys were made, {} not begun", told.len());
}

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
    kept.call(ProviderId::SOFTWARE, &rsa("kept", 2048)).unwrap();
    let alg = Some(Signature::try_from(RSA).unwrap().into());
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

#[test]
fn a_service_beside_one_that_answers_does_not_start() {
    let service = Service::start();
    assert!(!service.serve().status().unwrap().success());
    assert!(service.log().contains("another service answers at"), "{}", service.log());
    assert_eq!(Raw::connect(&service).ask(&ping()).status(), Status::Success);
}

trait ClosedNow {
    /// Whether it ended without an answer.
    fn closed_now(&self) -> bool;
}

impl ClosedNow for Raw {
    fn closed_now(&self) -> bool {
        use rustix::net::{RecvFlags, recv};
        !matches!(recv(&self.0, &mut [0_u8], RecvFlags::PEEK), Ok((1.., _)))
    }
}
