//! The service is told to stop while it has a lot to do.

use super::{ping, rsa};
use interface::operations::{Hello, ListKeys};
use interface::{ProviderId, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tests::{Raw, Service, as_user, request};

/// More than one client may have waiting.
const MANY: usize = 70;

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
