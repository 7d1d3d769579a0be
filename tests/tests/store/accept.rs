//! Whose granted keys are listed with one's own, and which key a name alone means.

use crate::access::refused;
use crate::{DIGEST, SOFTWARE, destroy, ecdsa, generate, sign, verify};
use interface::attributes::Usage;
use interface::client::{Client, Error, Identity};
use interface::operations::{Accept, Find, Grant, Hello, ListAccepted, SignHash, Verdict};
use interface::{ProviderId, Status};
use tests::{Raw, Service, Setup, as_user, request};

/// A service that believes names, and whose administrator is root.
fn service() -> Service {
    let (alone, both) = (r#"auth_type = "UnixPeerCredentials""#, r#"auth_types = ["UnixPeerCredentials", "Direct"]"#);
    Setup::default().config(tests::CONFIG.replace(alone, both).replace(r#"name = "0""#, r#"name = "uid:0""#)).start()
}

fn application(service: &Service, name: &str) -> Client {
    service.client().with_identity(Identity::Direct(name.to_owned()))
}

/// An application with a key `web` that these may sign with.
fn owner(service: &Service, name: &str, grantees: &[&str]) -> Client {
    let owner = application(service, name);
    generate(&owner, "web").unwrap();
    for grantee in grantees {
        let (key_name, principal) = ("web".to_owned(), (*grantee).to_owned());
        owner.call(SOFTWARE, &Grant { key_name, principal, usage: Some(Usage::SIGN_HASH.into()), owner: None }).unwrap();
    }
    owner
}

fn say(client: &Client, owner: &str, verdict: Verdict, callers: Option<&str>) -> Result<(), Error> {
    let (owner, callers) = (owner.to_owned(), callers.map(str::to_owned));
    client.call(ProviderId::CORE, &Accept { owner, verdict: verdict.into(), callers }).map(drop)
}

/// The owners of the keys that a client is shown.
fn listed(client: &Client) -> Vec<String> {
    client.find(SOFTWARE, &Find::default()).unwrap().into_iter().map(|record| record.owner).collect()
}

#[test]
fn a_name_alone_means_ones_own_key_and_else_that_of_the_one_accepted_owner() {
    let mut service = service();
    let victim = application(&service, "victim");
    let [alice, bob] = ["alice", "bob"].map(|name| owner(&service, name, &["app:victim"]));

    assert!(listed(&victim).is_empty());
    let unknown = refused(sign(&victim, None, "web"), &["app:victim has no key 'web'", "parsec key accept app:alice"]);
    assert_eq!(unknown, Status::PsaErrorDoesNotExist);
    let signature = sign(&victim, Some("app:alice"), "web").expect("whoever is named needs no acceptance");
    verify(&alice, "web", signature).unwrap();

    say(&victim, "app:alice", Verdict::Accepted, None).unwrap();
    service.restart();
    assert_eq!(listed(&victim), ["app:alice"]);
    verify(&alice, "web", sign(&victim, None, "web").unwrap()).unwrap();
    assert_eq!(refused(destroy(&victim, "web"), &["app:victim has no key 'web'"]), Status::PsaErrorDoesNotExist);

    say(&victim, "app:bob", Verdict::Accepted, None).unwrap();
    let ambiguous = refused(sign(&victim, None, "web"), &["app:alice", "app:bob", "parsec key reject"]);
    assert_eq!(ambiguous, Status::PsaErrorInvalidArgument);
    generate(&victim, "web").unwrap();
    verify(&victim, "web", sign(&victim, None, "web").unwrap()).unwrap();
    assert_eq!(listed(&victim)[0], "app:victim");
    destroy(&victim, "web").unwrap();

    say(&victim, "app:alice", Verdict::Rejected, None).unwrap();
    assert_eq!(listed(&victim), ["app:bob"]);
    verify(&bob, "web", sign(&victim, None, "web").unwrap()).unwrap();
    assert_eq!(refused(say(&victim, "app:victim", Verdict::Accepted, None), &[]), Status::PsaErrorInvalidArgument);
}

#[test]
fn administrators_accept_for_those_who_cannot() {
    let service = service();
    let (root, victim) = (service.client(), application(&service, "victim"));
    let alice = owner(&service, "alice", &["app:victim"]);
    let meddling = refused(say(&alice, "app:alice", Verdict::Accepted, Some("app:victim")), &["app:alice", "app:victim"]);
    assert_eq!(meddling, Status::AdminOperation);
    assert_eq!(refused(say(&alice, "app:alice", Verdict::Accepted, Some("*")), &["admins"]), Status::AdminOperation);
    assert_eq!(refused(say(&root, "app:alice", Verdict::Accepted, Some("uid:3*")), &["uid:*"]), Status::PsaErrorInvalidArgument);

    say(&root, "app:alice", Verdict::Accepted, Some("app:w*")).unwrap();
    assert!(listed(&victim).is_empty());
    say(&root, "app:alice", Verdict::Accepted, Some("app:v*")).unwrap();
    assert_eq!(listed(&victim), ["app:alice"]);
    let owners = |client: &Client, callers: Option<&str>| {
        let callers = callers.map(str::to_owned);
        client.call(ProviderId::CORE, &ListAccepted { callers }).unwrap().owners
    };
    let [alices] = &owners(&victim, None)[..] else { panic!("one owner") };
    assert_eq!((alices.owner.as_str(), alices.verdict, alices.listed, alices.keys), ("app:alice", 0, true, 1));
    assert_eq!(owners(&root, Some("app:v*")).len(), 1);
    assert_eq!(owners(&root, Some("app:victim")).len(), 1);

    say(&victim, "app:alice", Verdict::Rejected, None).unwrap();
    assert!(listed(&victim).is_empty(), "the caller's own word counts more");
    // an application whose name looks like many is one
    let many = application(&service, "*");
    say(&many, "app:alice", Verdict::Accepted, None).unwrap();
    assert!(listed(&victim).is_empty());
}

#[test]
fn to_clients_that_say_no_hello_a_name_is_their_own() {
    let service = service();
    let root = service.client();
    let caller = format!("uid:{}", rustix::process::geteuid().as_raw());
    owner(&service, "alice", &[&caller]);
    say(&root, "app:alice", Verdict::Accepted, None).unwrap();
    let sign = SignHash { key_name: "web".into(), alg: Some(ecdsa().into()), hash: DIGEST.to_vec(), ..SignHash::default() };
    let mut line = Raw::connect(&service);
    assert_eq!(line.ask(&as_user(SOFTWARE, &sign)).status(), Status::PsaErrorDoesNotExist);
    line.ask(&request(ProviderId::CORE, &Hello { version: 1, ..Hello::default() }));
    assert_eq!(line.ask(&as_user(SOFTWARE, &sign)).status(), Status::Success);
}
