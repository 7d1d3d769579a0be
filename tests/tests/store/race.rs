//! Many clients want one name.

use crate::{generate, usable};
use interface::Status;
use std::sync::Barrier;
use tests::Service;

#[test]
fn of_many_clients_exactly_one_creates_a_name_and_its_key_works() {
    const CLIENTS: usize = 16;
    const NAMES: usize = 60;
    let mut service = Service::start();
    let start = Barrier::new(CLIENTS);
    let race = || {
        let client = service.client();
        let name = |number| {
            start.wait();
            match generate(&client, &format!("key {number}")) {
                Ok(()) => true,
                Err(error) if error.status() == Some(Status::PsaErrorAlreadyExists) => false,
                Err(error) => panic!("key {number}: {error}"),
            }
        };
        (0..NAMES).map(name).collect::<Vec<_>>()
    };
    let won: Vec<Vec<bool>> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(race)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    for number in 0..NAMES {
        let winners = won.iter().filter(|won| won[number]).count();
        assert_eq!(winners, 1, "key {number}");
    }
    service.kill9();
    service.restart();
    let client = service.client();
    for number in 0..NAMES {
        assert!(usable(&client, &format!("key {number}")), "key {number}");
    }
}
