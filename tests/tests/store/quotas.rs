//! How much one client may keep, and what it is told when that is all.

use crate::access::refused;
use crate::{SOFTWARE, destroy, generate, usable};
use interface::algorithm::{Algorithm, Cipher};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::{Client, Error, Identity};
use interface::operations::{Find, GenerateKey, Grant, ListKeys, PutObject, RecordKind, ServiceStatus, SetMetadata};
use interface::{ProviderId, Status};
use tests::{CONFIG, STRANGER, Service, acting, may_change_user, run};

fn service(quotas: &str) -> Service {
    let config = CONFIG
        .replace("auth_type = \"UnixPeerCredentials\"", "auth_types = [\"UnixPeerCredentials\", \"Direct\"]")
        .replace("\"0\"", "\"uid:0\"");
    Service::with_config(&format!("{config}\n[quotas]\n{quotas}\n"))
}

fn put(client: &Client, name: &str, len: usize) -> Result<(), Error> {
    let kind = RecordKind::Data.into();
    client.call(SOFTWARE, &PutObject { kind, name: name.to_owned(), value: vec![7; len], ..PutObject::default() }).map(drop)
}

fn volatile(client: &Client, name: &str) -> Result<(), Error> {
    let policy = Policy { usage: Usage::ENCRYPT, algorithm: Algorithm::Cipher(Cipher::Ctr), also: vec![] };
    let attributes = Attributes { key_type: KeyType::Aes, bits: 256, policy };
    let key_name = name.to_owned();
    let generate = GenerateKey { key_name, attributes: Some((&attributes).into()), volatile: true, ..GenerateKey::default() };
    client.call(SOFTWARE, &generate).map(drop)
}

#[test]
fn what_is_over_a_limit_is_refused_and_named_and_an_exception_permits_it() {
    let me = rustix::process::geteuid().as_raw();
    let service =
        service(&format!("keys = 2\nobjects = 2\nvolatile_keys = 1\nbytes = 3000\n[[quotas.for]]\nwho = \"uid:{me}\"\nkeys = 3"));
    let client = service.client();
    for name in ["a", "b", "c"] {
        generate(&client, name).unwrap();
    }
    let who = format!("uid:{me}");
    let over = refused(generate(&client, "d"), &[&who, "3 keys", "keys in [quotas]", "[[quotas.for]]"]);
    assert_eq!(over, Status::PsaErrorInsufficientStorage);
    destroy(&client, "a").unwrap();
    generate(&client, "d").unwrap();

    volatile(&client, "session").unwrap();
    let over = refused(volatile(&client, "another"), &["1 volatile keys", "volatile_keys in [quotas]"]);
    assert_eq!(over, Status::PsaErrorInsufficientMemory);

    put(&client, "one", 1000).unwrap();
    put(&client, "one", 1200).unwrap();
    let over = refused(put(&client, "two", 1500), &["3000 bytes", "bytes in [quotas]"]);
    assert_eq!(over, Status::PsaErrorInsufficientStorage);
    put(&client, "two", 10).unwrap();
    refused(put(&client, "three", 10), &["objects in [quotas]"]);
    let set = |len| {
        let value = Some(vec![8; len]);
        let set = SetMetadata { kind: RecordKind::Data.into(), name: "one".to_owned(), value, ..SetMetadata::default() };
        client.call(SOFTWARE, &set).map(drop)
    };
    refused(set(3000), &["bytes in [quotas]"]);
    set(1201).unwrap();
    let grant = |uid: u32| {
        let principal = format!("uid:{uid}");
        let grant = Grant { key_name: "d".to_owned(), principal, usage: Some(Usage::SIGN_HASH.into()), owner: None };
        client.call(SOFTWARE, &grant).map(drop)
    };
    let granted = (70_000..).map_while(|uid| grant(uid).ok()).count();
    assert!((1..20).contains(&granted), "{granted}");
    refused(grant(1), &["bytes in [quotas]"]);
    grant(70_000).unwrap();
}

#[test]
fn a_list_of_keys_is_no_longer_than_what_one_may_have_in_flight_and_a_search_goes_on() {
    let service = service("bytes_in_flight = 2048");
    let client = service.client();
    let name = |number: usize| format!("{number:0>500}");
    for number in 0..3 {
        generate(&client, &name(number)).unwrap();
    }
    assert_eq!(client.call(ProviderId::CORE, &ListKeys {}).unwrap().keys.len(), 3);
    generate(&client, &name(3)).unwrap();
    let over = refused(
        client.call(ProviderId::CORE, &ListKeys {}).map(drop),
        &["2048 bytes", "bytes_in_flight in [quotas]", "parsec key list"],
    );
    assert_eq!(over, Status::PsaErrorInsufficientMemory);
    assert_eq!(client.find(SOFTWARE, &Find::default()).unwrap().len(), 4);
    assert!(run(&mut service.parsec(["key", "list"])).ok().contains(&name(3)));
}

#[test]
fn the_status_tells_everybody_its_own_part_and_administrators_all() {
    if !may_change_user() {
        return;
    }
    let service = service(&format!("keys = 2\n[[quotas.for]]\nwho = \"uid:{STRANGER}\"\nkeys = 1"));
    generate(&service.client(), "web").unwrap();
    let keys = |client: &Client| {
        let quotas = client.call(ProviderId::CORE, &ServiceStatus {}).unwrap().quotas;
        quotas.into_iter().find(|quota| quota.name == "keys").unwrap()
    };
    let stranger = acting(STRANGER, || {
        let client = service.client();
        generate(&client, "k").unwrap();
        refused(generate(&client, "l"), &["1 keys"]);
        keys(&client)
    });
    assert_eq!((stranger.used, stranger.limit, stranger.refused, stranger.greediest.len()), (1, 1, 0, 0));
    let all = keys(&service.client());
    let greediest: Vec<_> = all.greediest.iter().map(|share| (share.principal.as_str(), share.used)).collect();
    assert_eq!((all.used, all.limit, all.refused), (1, 2, 1));
    assert_eq!(greediest, [("uid:0", 1), (&format!("uid:{STRANGER}"), 1)]);
    let shown = run(&mut service.parsec(["status"])).ok();
    assert!(
        shown.lines().any(|line| line.split_whitespace().collect::<Vec<_>>()[..].starts_with(&["keys", "1", "2", "1", "uid:0"]))
    );
}

#[test]
fn a_user_has_no_more_by_having_many_names() {
    if !may_change_user() {
        return;
    }
    let mut service = service("keys = 2");
    let named = |name: &str| service.client().with_identity(Identity::Direct(name.to_owned()));
    acting(STRANGER, || {
        for name in ["one", "two"] {
            generate(&named(name), "k").unwrap();
        }
        refused(generate(&named("three"), "k"), &[&format!("uid:{STRANGER}"), "2 keys", "keys in [quotas]"]);
    });
    acting(STRANGER + 1, || {
        generate(&named("three"), "k").unwrap();
        generate(&named("three"), "l").unwrap();
        refused(generate(&named("three"), "m"), &["app:three", "2 keys"]);
    });
    acting(STRANGER, || {
        destroy(&named("one"), "k").unwrap();
        generate(&named("four"), "k").unwrap();
    });
    service.restart();
    for name in ["two", "three", "four"] {
        assert!(usable(&service.client().with_identity(Identity::Direct(name.to_owned())), "k"), "{name}");
    }
}

#[test]
fn a_limit_that_was_lowered_takes_nothing_away() {
    let mut service = service("keys = 3");
    let client = service.client();
    for name in ["a", "b", "c"] {
        generate(&client, name).unwrap();
    }
    let file = service.dir().join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("keys = 3", "keys = 1")).unwrap();
    service.restart();
    let client = service.client();
    assert!(["a", "b", "c"].iter().all(|name| usable(&client, name)));
    refused(generate(&client, "d"), &["1 keys"]);
}
