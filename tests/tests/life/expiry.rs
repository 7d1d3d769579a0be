//! Until when keys are meant to be used.

use super::{cell, json, listed, parsec};
use serde_json::Value;
use std::fs;
use tests::{Service, run};

#[test]
fn an_end_is_kept_with_the_key_and_shown() {
    let mut service = Service::start();
    parsec(&service, "key new plain --for ssh").ok();
    assert!(!parsec(&service, "key list").ok().contains("EXPIRES"), "nothing has an end");
    parsec(&service, "key new web --for tls-server --expires 2099-01-31").ok();
    run(service.command("openssl").args(["genpkey", "-algorithm", "ed25519", "-out", "brought.pem"])).ok();
    parsec(&service, "key import brought brought.pem --for ssh --expires 12d").ok();
    service.restart();
    assert_eq!(cell(&service, "web", "EXPIRES"), "2099-01-31");
    assert_eq!(cell(&service, "plain", "EXPIRES"), "-");
    assert!(cell(&service, "brought", "EXPIRES").ends_with(" (in 12 days)"));
    let key = |name: &str| json(&service, &format!("key show {name}"))["key"].clone();
    assert_eq!((&key("web")["expires"], &key("web")["expired"]), (&Value::from("2099-01-31"), &Value::from(false)));
    assert_eq!(key("plain")["expires"], Value::Null);
    parsec(&service, "key expire web 2001-02-03").ok();
    assert_eq!(cell(&service, "web", "EXPIRES"), "2001-02-03 (expired)");
    assert_eq!(key("web")["expired"], Value::from(true));
    parsec(&service, "key csr web --cn web").ok();
    for name in ["web", "brought"] {
        parsec(&service, &format!("key expire {name} never")).ok();
    }
    assert!(!parsec(&service, "key list").ok().contains("EXPIRES"));
    for wrong in ["key expire web 31.1.2027", "key expire web never --enforce", "key new x --for ssh --enforce"] {
        parsec(&service, wrong).refused();
    }
    assert_eq!(listed(&service, ""), ["brought", "plain", "web"]);
}

#[test]
fn a_key_that_is_held_to_its_end_makes_nothing_after_it() {
    let service = Service::start();
    parsec(&service, "key new web --for tls-server --expires 2001-02-03").ok();
    parsec(&service, "key new vault --for encryption --expires 2001-02-03 --enforce").ok();
    fs::write(service.dir().join("message"), "hello").unwrap();
    parsec(&service, "key pem web --out web.pem").ok();
    parsec(&service, "key pem vault --out vault.pem").ok();
    let sign = || run(&mut service.openssl(["dgst", "-sha256", "-sign", "web.pem", "-out", "signature", "message"]));
    sign().ok();
    let shown = parsec(&service, "key expire web 2001-02-03 --enforce").ok();
    assert!(shown.contains("expires     2001-02-03 (expired); it makes nothing new any more"), "{shown}");
    sign().refused();
    let said = parsec(&service, "key csr web --cn web").refused();
    for part in ["key 'web' of uid:0 expired", "2001-02-03", "parsec key rotate web", "parsec key expire web 90d"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    service.logs(&["event=\"refuse\"", "key=\"web\"", "expired: its last day to sign was 2001-02-03"]);
    // what is public of it, and what was encrypted to it, stays of use
    parsec(&service, "key public vault --out vault.pub").ok();
    let oaep = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"];
    let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "vault.pub", "-in", "message", "-out", "secret"];
    run(service.command("openssl").args(encrypt).args(oaep)).ok();
    let decrypt = ["pkeyutl", "-decrypt", "-inkey", "vault.pem", "-in", "secret"];
    assert_eq!(run(service.openssl(decrypt).args(oaep)).ok(), "hello");
    parsec(&service, "key expire web 1d --enforce").ok();
    sign().ok();
}

#[test]
fn keys_that_end_are_warned_of_in_the_log_and_by_the_doctor() {
    let mut service = Service::start();
    parsec(&service, "key new past --for ssh --expires 2001-02-03").ok();
    parsec(&service, "key new soon --for ssh --expires 9d").ok();
    parsec(&service, "key new later --for ssh --expires 99d").ok();
    service.restart();
    service.logs(&["WARN", "key 'past' of uid:0 expired: its last day was 2001-02-03; it still works", "parsec key rotate past"]);
    service.logs(&["WARN", "key 'soon' of uid:0 expires: its last day is"]);
    let told = parsec(&service, "doctor").out;
    let line = |name: &str| told.lines().find(|line| line.contains(&format!("key '{name}'"))).map(str::to_owned);
    assert!(line("past").unwrap().starts_with("WRONG  expiry"), "{told}");
    assert!(line("soon").unwrap().starts_with("note   expiry"), "{told}");
    assert_eq!(line("later"), None);
    assert!(!service.log().contains("key 'later' of uid:0 expires"));
}

#[test]
fn programs_of_pkcs11_keep_the_same_date() {
    use interface::expiry::{END_DATE, Expiry};
    use interface::message::Pkcs11Attribute;
    use interface::operations::{RecordKind, SetMetadata};
    let service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    let pkcs11 = vec![Pkcs11Attribute { kind: END_DATE, value: b"20990131".to_vec() }];
    let set = SetMetadata { kind: RecordKind::Key.into(), name: "web".into(), pkcs11, ..SetMetadata::default() };
    service.client().call(interface::ProviderId::SOFTWARE, &set).unwrap();
    assert_eq!(cell(&service, "web", "EXPIRES"), "2099-01-31");
    parsec(&service, "key expire web 2098-12-31 --enforce").ok();
    let record = service.client().lookup(interface::ProviderId::SOFTWARE, None, "web").unwrap();
    assert!(record.pkcs11.contains(&Pkcs11Attribute { kind: END_DATE, value: b"20981231".to_vec() }));
    assert!(Expiry::of(&record.pkcs11).unwrap().enforced);
}
