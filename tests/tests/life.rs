//! Keys through their life, on the command line: what they are for, what they are called, and their end.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use tests::{Ran, Service, run};

#[track_caller]
fn parsec(service: &Service, line: &str) -> Ran {
    run(&mut service.parsec(line.split_whitespace()))
}

#[track_caller]
fn json(service: &Service, line: &str) -> Value {
    serde_json::from_str(&parsec(service, &format!("{line} --json")).ok()).unwrap()
}

/// The names of the keys that this lists.
#[track_caller]
fn listed(service: &Service, options: &str) -> Vec<String> {
    let keys = json(service, &format!("key list {options}"));
    keys["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

/// The cells of a key's line in the list, by the heads of their columns.
#[track_caller]
fn cell(service: &Service, name: &str, column: &str) -> String {
    let table = parsec(service, "key list").ok();
    let head = table.lines().next().unwrap();
    let line = table.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    let cell: String = line.chars().skip(head.find(column).unwrap()).collect();
    cell.split("  ").next().unwrap().to_owned()
}

#[test]
fn the_purpose_is_kept_with_the_key() {
    let mut service = Service::start();
    parsec(&service, "key new login --for ssh").ok();
    parsec(&service, "key new web --for tls-server").ok();
    parsec(&service, "key new plain --algorithm p256").ok();
    run(service.command("openssl").args(["genpkey", "-algorithm", "ed25519", "-out", "brought.pem"])).ok();
    parsec(&service, "key import brought brought.pem --for ssh").ok();
    service.restart();
    let all = [("login", Some("ssh")), ("web", Some("tls-server")), ("plain", None), ("brought", Some("ssh"))];
    for (name, purpose) in all {
        assert_eq!(json(&service, &format!("key show {name}"))["key"]["purpose"], Value::from(purpose), "{name}");
        assert_eq!(cell(&service, name, "FOR"), purpose.unwrap_or("-"), "{name}");
        let shown = parsec(&service, &format!("key show {name}")).ok();
        let line = purpose.map(|purpose| format!("for         {purpose}"));
        assert_eq!(shown.lines().find(|line| line.starts_with("for ")), line.as_deref());
    }
    assert_eq!(listed(&service, "--for ssh"), ["brought", "login"]);
    assert_eq!(listed(&service, "--for tls-server"), ["web"]);
    assert_eq!(listed(&service, "--for jwt"), [""; 0]);
    assert_eq!(listed(&service, ""), ["brought", "login", "plain", "web"]);
}

#[test]
fn programs_do_not_see_what_is_kept_of_the_purpose() {
    let service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    if tests::program("pkcs11-tool").is_none() {
        return;
    }
    let objects = run(&mut service.pkcs11_tool(["--list-objects"])).ok();
    assert!(objects.contains("label:      web") && !objects.contains("tls-server"), "{objects}");
}
