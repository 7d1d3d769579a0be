//! The PKCS#11 provider on a real token of SoftHSM: where its keys are, what it survives, and what it never does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod crash;
mod faults;
#[path = "../tpm/keys.rs"]
#[allow(dead_code, reason = "shared with the tests of the TPM")]
mod keys;
mod pin;
mod worker;

use interface::algorithm::{Cipher, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::Client;
use interface::operations::{ChangeOwner, GenerateKey, ProviderInfo, SignHash, Tier};
use interface::{ProviderId, Status};
use keys::{DIGEST, Keys, SHA256, ec, pair, status};
use tests::{CONFIG, HSM, STRANGER, Service, Setup, SoftHsm, eventually, run};

const PKCS11: ProviderId = ProviderId::PKCS11;

/// With the token's provider first.
fn setup() -> Setup {
    let (rest, software) = CONFIG.split_at(CONFIG.find("[[provider]]").unwrap());
    Setup::default().config(format!("{rest}{HSM}{software}"))
}

/// What the service tells of the token's provider.
fn info(client: &Client) -> ProviderInfo {
    client.providers().unwrap().into_iter().find(|(id, _)| *id == PKCS11).unwrap().1
}

fn await_token(client: &Client) {
    eventually("the token", || info(client).away.is_empty().then_some(()));
}

/// A service whose token is there.
fn start(setup: Setup) -> (Service, Client) {
    let service = setup.start();
    let client = service.client();
    await_token(&client);
    (service, client)
}

#[test]
fn a_key_is_in_the_token_under_its_uuid_and_nothing_else_is_touched() {
    let service = setup().prepare();
    run(&mut service.token().tool(["--keypairgen", "--key-type", "EC:prime256v1", "--id", "0102", "--label", "foreign"])).ok();
    let foreign = service.token().objects();
    assert_eq!(foreign.len(), 2, "{foreign:?}");
    let mut service = service;
    service.restart();
    let client = service.client();
    await_token(&client);
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    let record = token.record("k");
    assert_eq!((record.tier, record.local, record.missing), (Tier::Hsm.into(), true, false));
    let ours = |objects: &[String]| objects.iter().filter(|object| object.ends_with(&record.uuid)).count();
    assert_eq!(ours(&service.token().objects()), 2, "both halves");
    let shown = run(&mut service.parsec(["key", "list"])).ok();
    assert!(shown.contains("hsm"), "{shown}");
    service.restart();
    await_token(&client);
    token.ecdsa("k").unwrap();
    token.destroy("k").unwrap();
    assert_eq!(service.token().objects(), foreign);
}

#[test]
fn private_keys_leave_the_token_only_where_policy_and_configuration_let_them() {
    let config =
        |allow: bool| setup().map_config(|config| config.replace("user_pin", &format!("allow_export = {allow}\nuser_pin")));
    for allow in [true, false] {
        let (service, client) = start(config(allow));
        let token = Keys(&client, PKCS11);
        let mut policy = ec();
        token.make("open", &policy).unwrap();
        policy.policy.usage = Usage::SIGN_HASH | Usage::VERIFY_HASH;
        token.make("closed", &policy).unwrap();
        if allow {
            let data = token.export("open").unwrap();
            token.import("copy", &ec(), &data).unwrap();
            assert_eq!(token.public("copy"), token.public("open"));
            token.ecdsa("copy").unwrap();
        } else {
            assert_eq!(status(token.export("open")), Status::PsaErrorNotSupported);
        }
        assert_eq!(status(token.export("closed")), Status::PsaErrorNotPermitted);
        let shown = run(&mut service.token().tool(["--list-objects", "--type", "privkey"])).ok();
        let kept = shown.matches("never extractable").count();
        assert_eq!(kept, if allow { 1 } else { 2 }, "{shown}");
    }
}

#[test]
fn what_ends_with_its_program_is_kept_by_the_service_and_said_so() {
    let (service, client) = start(setup());
    let token = Keys(&client, PKCS11);
    let policy = Policy { usage: Usage::ALL, algorithm: Cipher::Ctr.into(), also: Vec::new() };
    let aes = Attributes { key_type: KeyType::Aes, bits: 128, policy };
    let volatile =
        GenerateKey { key_name: "v".to_owned(), attributes: Some((&aes).into()), volatile: true, ..GenerateKey::default() };
    token.call(&volatile).unwrap();
    assert_eq!(token.record("v").tier, i32::from(Tier::Software));
    assert!(service.token().objects().is_empty());
}

#[test]
fn a_key_that_gets_another_owner_stays_where_it_is() {
    let (service, client) = start(setup());
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    let objects = service.token().objects();
    let keep = Some((Usage::SIGN_HASH | Usage::VERIFY_HASH).into());
    let change = ChangeOwner { key_name: "k".to_owned(), principal: format!("uid:{STRANGER}"), keep, owner: None };
    token.call(&change).unwrap();
    let sign = SignHash {
        key_name: "k".to_owned(),
        alg: Some(Signature::Ecdsa { hash: SHA256 }.into()),
        hash: DIGEST.to_vec(),
        owner: Some(format!("uid:{STRANGER}")),
        ..SignHash::default()
    };
    token.call(&sign).unwrap();
    assert_eq!(service.token().objects(), objects);
}

#[test]
fn one_session_is_enough() {
    let (service, client) = start(setup().map_config(|config| config.replace("user_pin", "max_sessions = 1\nuser_pin")));
    service.logs(&["the token 'tests'", "1 sessions"]);
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let own = service.client();
                (0..20).for_each(|_| Keys(&own, PKCS11).ecdsa("k").unwrap());
            });
        }
    });
}

#[test]
fn a_key_that_somebody_destroys_in_the_token_is_missing() {
    let (service, client) = start(setup());
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    token.make("other", &pair(KeyType::RsaKeyPair, 2048, Signature::RsaPss { hash: SHA256 })).unwrap();
    let uuid = token.record("k").uuid;
    run(&mut service.token().tool(["--delete-object", "--type", "privkey", "--id", &uuid])).ok();
    let mut service = service;
    service.restart();
    await_token(&client);
    assert_eq!(status(token.ecdsa("k")), Status::PsaErrorHardwareFailure);
    assert!(token.record("k").missing && !token.record("other").missing);
    token.sign("other", Signature::RsaPss { hash: SHA256 }).unwrap();
    token.destroy("k").unwrap();
    assert_eq!(service.token().objects().len(), 2);
}

#[test]
fn of_several_tokens_one_has_to_be_named_and_one_that_comes_late_is_found() {
    let service = setup().map_config(|config| config.replace("token_label", "#")).prepare();
    service.token().add("second");
    let mut service = service;
    service.restart();
    let client = service.client();
    let told = service.logs(&["the pkcs11 provider is away", "has several tokens"]);
    assert!(told.contains("token_label = \\\"second\\\"") || told.contains("token_label = \"second\""), "{told}");
    Keys(&client, ProviderId::SOFTWARE).make("s", &ec()).unwrap();
    assert_eq!(status(Keys(&client, PKCS11).make("k", &ec())), Status::PsaErrorCommunicationFailure);

    let service = setup().map_config(|config| config.replace("\"{token}\"", "\"late {token}\"")).start();
    let client = service.client();
    service.logs(&["the pkcs11 provider is away", "no token as the configuration wants it"]);
    service.token().add(&format!("late {}", SoftHsm::LABEL));
    service.logs(&["the pkcs11 provider is back"]);
    Keys(&client, PKCS11).make("k", &ec()).unwrap();
}
