//! Another user sees nothing, and with a grant may do what it says and nothing else.

use crate::{SOFTWARE, destroy, generate, sign, usable, verify};
use interface::attributes::Usage;
use interface::client::{Client, Error};
use interface::operations::{DestroyKey, ExportPublicKey, Find, Grant, ListKeys, LookupKey, Revoke, VerifyHash};
use interface::{Operation, ProviderId, Status};
use tests::{STRANGER, Service, acting, may_change_user};

/// Runs this on a thread of another user, which the kernel tells the service.
pub(crate) fn as_stranger<T: Send>(service: &Service, run: impl FnOnce(&Client) -> T + Send) -> T {
    acting(STRANGER, || run(&service.client()))
}

/// The status of a refusal whose words name all these.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>, words: &[&str]) -> Status {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    error.status().unwrap()
}

fn grant(client: &Client, owner: Option<&str>) -> Result<(), Error> {
    let grant = Grant {
        key_name: "web".to_owned(),
        principal: format!("uid:{STRANGER}"),
        usage: Some(Usage::SIGN_HASH.into()),
        owner: owner.map(str::to_owned),
    };
    client.call(SOFTWARE, &grant).map(drop)
}

#[test]
fn strangers_see_nothing_and_grantees_may_what_was_granted() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let owner = service.client();
    generate(&owner, "web").unwrap();
    let root = Some("uid:0");
    as_stranger(&service, |stranger| nothing_to_see(stranger, root));

    grant(&owner, None).unwrap();
    let signature = as_stranger(&service, |stranger| {
        only_signing(stranger, root);
        sign(stranger, root, "web").unwrap()
    });
    verify(&owner, "web", signature).unwrap();

    let revoke = Revoke { key_name: "web".to_owned(), principal: format!("uid:{STRANGER}"), owner: None };
    owner.call(SOFTWARE, &revoke).unwrap();
    as_stranger(&service, |stranger| nothing_to_see(stranger, root));
}

#[test]
fn a_grant_ends_with_the_key_and_lasts_over_restarts() {
    if !may_change_user() {
        return;
    }
    let mut service = Service::start();
    let root = Some("uid:0");
    generate(&service.client(), "web").unwrap();
    grant(&service.client(), None).unwrap();
    service.kill9();
    service.restart();
    as_stranger(&service, |stranger| sign(stranger, root, "web").unwrap());
    let owner = service.client();
    destroy(&owner, "web").unwrap();
    generate(&owner, "web").unwrap();
    as_stranger(&service, |stranger| nothing_to_see(stranger, root));
}

#[test]
fn a_name_is_each_owners_own() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let owner = service.client();
    generate(&owner, "web").unwrap();
    let signature = as_stranger(&service, |stranger| {
        assert!(!usable(stranger, "web"));
        generate(stranger, "web").unwrap();
        assert!(usable(stranger, "web"));
        sign(stranger, None, "web").unwrap()
    });
    let other = verify(&owner, "web", signature);
    assert_eq!(refused(other, &[]), Status::PsaErrorInvalidSignature);
    as_stranger(&service, |stranger| destroy(stranger, "web").unwrap());
    assert!(usable(&owner, "web"));
}

fn nothing_to_see(stranger: &Client, root: Option<&str>) {
    let keys = stranger.call(ProviderId::CORE, &ListKeys {}).unwrap();
    assert!(keys.keys.is_empty(), "{keys:?}");
    let found = stranger.call(SOFTWARE, &Find::default()).unwrap();
    assert!(found.records.is_empty(), "{found:?}");
    let advice = ["'web'", "uid:0", "parsec key grant"];
    let signed = sign(stranger, root, "web");
    assert_eq!(refused(signed, &advice), Status::PsaErrorDoesNotExist);
    let web = || "web".to_owned();
    let owner = || root.map(str::to_owned);
    hidden(stranger, &LookupKey { key_name: web(), owner: owner() });
    hidden(stranger, &ExportPublicKey { key_name: web(), owner: owner() });
    hidden(stranger, &DestroyKey { key_name: web(), owner: owner() });
    assert_eq!(refused(grant(stranger, root), &[]), Status::PsaErrorDoesNotExist);
}

#[track_caller]
fn hidden<O: Operation>(stranger: &Client, op: &O) {
    let result = stranger.call(SOFTWARE, op).map(drop);
    let status = refused(result, &["'web'"]);
    assert_eq!(status, Status::PsaErrorDoesNotExist, "{:?}", O::OPCODE);
}

fn only_signing(grantee: &Client, root: Option<&str>) {
    let found = grantee.call(SOFTWARE, &Find::default()).unwrap().records;
    let [record] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((record.name.as_str(), record.owner.as_str()), ("web", "uid:0"));
    let usage = record.usage.as_ref().map(Usage::from).unwrap();
    assert_eq!(usage, Usage::SIGN);

    let web = || "web".to_owned();
    let owner = || root.map(str::to_owned);
    let verify = VerifyHash {
        key_name: web(),
        alg: Some(crate::ecdsa().into()),
        hash: crate::DIGEST.to_vec(),
        signature: sign(grantee, root, "web").unwrap(),
        owner: owner(),
        ..Default::default()
    };
    forbidden(grantee.call(SOFTWARE, &verify), "but not verify");
    let destroy = DestroyKey { key_name: web(), owner: owner() };
    forbidden(grantee.call(SOFTWARE, &destroy), "uid:0");
    forbidden(grant(grantee, root), "uid:0");
}

#[track_caller]
fn forbidden<T: std::fmt::Debug>(result: Result<T, Error>, word: &str) {
    let status = refused(result, &["'web'", word]);
    assert_eq!(status, Status::PsaErrorNotPermitted);
}
