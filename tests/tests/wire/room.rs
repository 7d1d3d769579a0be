//! What happens when all connections are in use.

use super::{ping, process, rsa, volatile};
use interface::message::Pkcs11Attribute;
use interface::operations::{InitToken, Login, LookupKey, Pin, Ping, RecordKind, Role, SetMetadata};
use interface::wire::Header;
use interface::{ProviderId, Status};
use std::net::Shutdown;
use std::time::{Duration, Instant};
use tests::{CONFIG, Raw, STRANGER, Service, acting, as_user, eventually, may_change_user, run};

fn with_room_for(connections: usize) -> Service {
    let config = CONFIG.replace("[core_settings]", &format!("[core_settings]\nmax_connections = {connections}"));
    Service::with_config(&config)
}

fn answers(client: &mut Raw) -> bool {
    client.ask(&ping()).status() == Status::Success
}

#[test]
fn a_further_connection_takes_the_place_of_the_idlest() {
    let service = with_room_for(2);
    let [mut first, mut second] = [Raw::connect(&service), Raw::connect(&service)];
    assert!(answers(&mut second) && answers(&mut first));
    std::thread::sleep(Duration::from_millis(2));
    assert!(answers(&mut second));
    let mut third = Raw::connect(&service);
    assert!(answers(&mut third) && answers(&mut second) && first.closed());
}

#[test]
fn a_user_with_every_connection_keeps_nobody_out() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let (kept, mut all) = acting(STRANGER, || {
        let client = service.client();
        client.call(ProviderId::CORE, &Ping {}).unwrap();
        let all: Vec<_> = (0..1100).map(|_| Raw::connect(&service)).collect();
        (client, all)
    });
    run(&mut service.parsec(["status"])).ok();
    let others = acting(STRANGER + 1, || (0..200).map(|_| Raw::connect(&service)).collect::<Vec<_>>());
    for mut other in others {
        assert!(answers(&mut other), "another user");
    }
    assert!(all[0].closed(), "the greedy user's idlest has made room");
    assert!(answers(all.last_mut().unwrap()), "and no more than was needed");
    acting(STRANGER, || kept.call(ProviderId::SOFTWARE, &rsa("own", 4096)).map(drop)).unwrap();
}

#[test]
fn who_finds_no_place_is_told_at_once() {
    let service = with_room_for(2);
    let working = ["first", "second"].map(|name| {
        let mut client = Raw::connect(&service);
        client.send(&[ping(), as_user(ProviderId::SOFTWARE, &rsa(name, 4096))].concat());
        assert_eq!(client.answer().status(), Status::Success);
        client
    });
    let mut third = Raw::connect(&service);
    assert_eq!(third.answer().header, Header::rejection(Status::PsaErrorInsufficientMemory));
    assert!(third.closed());
    let refusal = service.client().call(ProviderId::CORE, &Ping {}).unwrap_err().to_string();
    assert!(refusal.contains("no room for a further connection"), "{refusal}");
    eventually("the log tells what mends it", || service.log().contains("max_connections in [core_settings]").then_some(()));
    for mut client in working {
        assert_eq!(client.answer().status(), Status::Success);
    }
}

#[test]
fn a_process_whose_connection_made_room_keeps_its_keys_and_its_login() {
    let service = with_room_for(3);
    let pin = || Some(Pin { value: "officer".into() });
    let trust = || {
        let pkcs11 = vec![Pkcs11Attribute { kind: 0x86, value: vec![1] }];
        let set = SetMetadata { kind: RecordKind::Key.into(), name: "web".to_owned(), pkcs11, ..SetMetadata::default() };
        as_user(ProviderId::SOFTWARE, &set)
    };
    let lookup = |key_name: &str| as_user(ProviderId::SOFTWARE, &LookupKey { key_name: key_name.to_owned(), owner: None });
    let mut holder = process(&service, 1);
    for request in [
        as_user(ProviderId::SOFTWARE, &InitToken { pin: pin(), label: "mine".to_owned() }),
        as_user(ProviderId::SOFTWARE, &rsa("web", 4096)),
        as_user(ProviderId::SOFTWARE, &Login { role: Role::Officer.into(), pin: pin() }),
        volatile("stays"),
    ] {
        assert_eq!(holder.ask(&request).status(), Status::Success);
    }
    let (mut observer, mut leaves) = (process(&service, 3), process(&service, 2));
    assert_eq!(leaves.ask(&volatile("leaves")).status(), Status::Success);
    assert!(answers(&mut observer));
    let _further = process(&service, 4);
    assert!(holder.closed(), "it has made room");
    leaves.0.shutdown(Shutdown::Both).unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while observer.ask(&lookup("leaves")).status() != Status::PsaErrorDoesNotExist {
        assert!(Instant::now() < patience, "its process has gone");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(observer.ask(&lookup("stays")).status(), Status::Success, "its process is there");
    let mut back = process(&service, 1);
    assert_eq!(back.ask(&trust()).status(), Status::Success, "it is still the security officer");
    assert_eq!(back.ask(&lookup("stays")).status(), Status::Success);
}
