//! One user who asks without end beside another who asks once.

use super::{RSA, ping, rsa};
use interface::algorithm::Signature;
use interface::operations::{GenerateKey, Hello, SignHash};
use interface::wire::Header;
use interface::{AuthType, Operation, ProviderId, Status};
use prost::Message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeSet;
use tests::{CONFIG, Raw, STRANGER, Service, acting, as_user, frame, may_change_user, request};

/// A connection of a user that the service knows by now.
fn connected(service: &Service, uid: u32) -> Raw {
    acting(uid, || {
        let mut client = Raw::connect(service);
        assert_eq!(client.ask(&ping()).status(), Status::Success);
        client
    })
}

/// Makes an RSA key of a user, and returns the request for a signature with it.
fn signature(service: &Service, uid: u32) -> Vec<u8> {
    let make = acting(uid, || as_user(ProviderId::SOFTWARE, &rsa("key", 2048)));
    assert_eq!(connected(service, uid).ask(&make).status(), Status::Success);
    let alg = Signature::try_from(RSA).unwrap();
    let sign = SignHash { key_name: "key".to_owned(), alg: Some(alg.into()), hash: vec![1; 32], ..SignHash::default() };
    acting(uid, || as_user(ProviderId::SOFTWARE, &sign))
}

/// How many whole answers have come of those that nobody has read yet; each has the same length.
fn come(client: &Raw, len: usize) -> usize {
    usize::try_from(rustix::io::ioctl_fionread(&client.0).unwrap()).unwrap() / len
}

#[test]
fn who_sends_many_requests_at_once_keeps_nobody_waiting() {
    if !may_change_user() {
        return;
    }
    const EACH: usize = 100;
    let service = Service::start();
    let (hostile, polite) = (signature(&service, STRANGER), signature(&service, STRANGER + 1));
    let mut client = connected(&service, STRANGER + 1);
    let mut flood: Vec<_> = (0..8).map(|_| connected(&service, STRANGER)).collect();
    for flood in &mut flood {
        flood.send(&hostile.repeat(EACH));
    }
    let len = 36 + flood[0].answer().body.len();
    for (what, request) in [("a signature", &polite), ("a ping", &ping())] {
        assert_eq!(client.ask(request).status(), Status::Success);
        let done: usize = flood.iter().map(|flood| come(flood, len)).sum();
        assert!(done < EACH * flood.len() / 2, "{what} has come after {done} of {}", EACH * flood.len());
    }
}

#[test]
fn a_users_queue_for_what_is_slow_has_an_end_whatever_names_it_uses() {
    if !may_change_user() {
        return;
    }
    let both = r#"auth_types = ["UnixPeerCredentials", "Direct"]"#;
    let config = CONFIG.replace(r#"auth_type = "UnixPeerCredentials""#, both).replace("\"0\"", "\"uid:0\"");
    let service = Service::with_config(&config);
    let flood = (0..300).map(|name| {
        let mut client = acting(STRANGER, || Raw::connect(&service));
        let header = Header { auth_type: AuthType::Direct as u8, ..Header::request(ProviderId::SOFTWARE, GenerateKey::OPCODE) };
        let make = frame(header, &rsa("key", 4096).encode_to_vec(), format!("name {name}").as_bytes());
        client.send(&[request(ProviderId::CORE, &Hello { version: 1, ..Hello::default() }), make].concat());
        assert_eq!(client.answer().status(), Status::Success);
        client
    });
    let mut flood: Vec<_> = flood.collect();
    let refused = |flood: &mut Vec<Raw>| {
        let mut ends: Vec<_> = flood.iter().map(|client| PollFd::new(&client.0, PollFlags::IN)).collect();
        poll(&mut ends, Some(&Timespec { tv_sec: 60, tv_nsec: 0 })).unwrap();
        let come: BTreeSet<_> =
            ends.iter().enumerate().filter(|(_, end)| !end.revents().is_empty()).map(|(place, _)| place).collect();
        come.into_iter().rev().map(|place| flood.swap_remove(place).answer()).find(|answer| answer.status() != Status::Success)
    };
    let refusal = (0..300).find_map(|_| refused(&mut flood)).unwrap();
    assert_eq!(refusal.status(), Status::PsaErrorInsufficientMemory);
    let text = String::from_utf8(refusal.body).unwrap();
    assert!(text.contains(&format!("uid:{STRANGER} would have more than 256 requests")), "{text}");
    signature(&service, STRANGER + 1);
}
