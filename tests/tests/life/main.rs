//! Keys through their life, on the command line: what they are for, what they are called, and their end.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod expiry;
mod owner;
mod rotation;
mod user;

use serde_json::Value;
use std::fs;
use tests::{Ran, Service, feed, run};

#[track_caller]
fn parsec(service: &Service, line: &str) -> Ran {
    run(&mut service.parsec(line.split_whitespace()))
}

#[track_caller]
fn json(service: &Service, line: &str) -> Value {
    serde_json::from_str(&parsec(service, &format!("{line} --json")).ok()).unwrap()
}

/// Another user's command line.
fn stranger(service: &Service) -> impl Fn(&str) -> Ran {
    let program = service.staged("parsec");
    move |line| {
        let mut command = service.command(&program);
        run(tests::as_uid(&mut command, tests::STRANGER).args(line.split_whitespace()))
    }
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

#[test]
fn lists_are_of_an_algorithm_or_a_family() {
    let service = Service::start();
    for algorithm in ["p256", "rsa-2048", "rsa-3072"] {
        parsec(&service, &format!("key new {algorithm} --algorithm {algorithm}")).ok();
    }
    assert_eq!(listed(&service, "--algorithm p256"), ["p256"]);
    assert_eq!(listed(&service, "--algorithm rsa-3072"), ["rsa-3072"]);
    assert_eq!(listed(&service, "--algorithm rsa"), ["rsa-2048", "rsa-3072"]);
    assert_eq!(listed(&service, "--algorithm rs"), [""; 0]);
}

/// The command on a terminal, where somebody types this.
#[track_caller]
fn on_a_terminal(service: &Service, line: &str, typed: &str) -> (bool, String) {
    let bin = tests::built("parsec");
    let mut script = service.command("script");
    let Ran { status, out, .. } =
        feed(script.args(["-qec", &format!("{} {line}", bin.display()), "/dev/null"]), typed.as_bytes());
    (status.success(), out)
}

#[test]
fn the_end_of_a_key_is_asked_for_on_a_terminal() {
    let service = Service::start();
    parsec(&service, "key new web --for tls-server --grant uid:33=sign").ok();
    parsec(&service, "key csr web --self-signed --cn www.example.com --out web.crt").ok();
    parsec(&service, "cert put site web.crt").ok();
    for no in ["n\n", "\n", "\u{4}"] {
        let (done, said) = on_a_terminal(&service, "key rm web", no);
        assert!(!done && said.contains("key 'web' is still there"), "{no:?}: {said}");
        for part in ["p256 for tls-server", "uid:33", ": sign", "certificate 'site'", "Type y for yes"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(listed(&service, ""), ["web"]);
    let (done, said) = on_a_terminal(&service, "key rm web", "y\n");
    assert!(done && said.contains("Destroyed 'web'."), "{said}");
    for (line, typed) in [("key rm plain --yes", ""), ("key rm plain -y", "")] {
        parsec(&service, "key new plain --algorithm p256").ok();
        let (done, said) = on_a_terminal(&service, line, typed);
        assert!(done && !said.contains("Type y"), "{said}");
    }
    // scripts are not asked
    parsec(&service, "key new script --algorithm p256").ok();
    assert_eq!(parsec(&service, "key rm script").ok(), "Destroyed 'script'.\n");
    assert_eq!(listed(&service, ""), [""; 0]);
}

#[test]
fn a_label_changes_and_references_stay() {
    let mut service = Service::start();
    parsec(&service, "key new web --for tls-server --out web.pem").ok();
    parsec(&service, "key label web shop").ok();
    service.restart();
    assert_eq!(cell(&service, "web", "LABEL"), "shop");
    assert_eq!(listed(&service, "--label shop"), ["web"]);
    assert_eq!(listed(&service, "--label web"), [""; 0]);
    fs::write(service.dir().join("message"), "hello").unwrap();
    run(&mut service.openssl(["dgst", "-sha256", "-sign", "web.pem", "-out", "signature", "message"])).ok();
    let said = parsec(&service, "key label none shop").refused();
    assert!(said.contains("you have no key 'none'"), "{said}");
}

#[test]
fn who_is_no_user_any_more_is_called_so() {
    if !tests::may_change_user() {
        return;
    }
    const GONE: u32 = 3_999_999_999;
    let service = Service::start();
    let program = service.staged("parsec");
    let gone = |line: &str| {
        let mut command = service.command(&program);
        run(tests::as_uid(&mut command, GONE).args(line.split_whitespace())).ok()
    };
    gone("key new lost --algorithm p256");
    for line in ["key list", "key show lost"] {
        let said = gone(line);
        assert!(said.contains(&format!("uid:{GONE} (no such user)")), "{line}: {said}");
    }
}

/// A signature by openssl with this key, that openssl verifies with the public key of the other.
#[track_caller]
fn signs(service: &Service, reference: &str, name: &str) {
    fs::write(service.dir().join("message"), "hello").unwrap();
    let _ = fs::remove_file(service.dir().join("signature"));
    run(&mut service.openssl(["dgst", "-sha256", "-sign", reference, "-out", "signature", "message"])).ok();
    parsec(service, &format!("key public {name} --out public.pem")).ok();
    let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
    run(service.command("openssl").args(verify)).ok();
}

#[test]
fn what_was_written_before_a_rename_still_finds_the_key() {
    let mut service = Service::start();
    parsec(&service, "key new web --for tls-server --out web.pem").ok();
    let uri = parsec(&service, "key uri web").ok();
    let said = parsec(&service, "key rename web shop").ok();
    assert!(said.starts_with("Key 'web' is now 'shop'."), "{said}");
    for _ in 0..2 {
        assert_eq!(listed(&service, ""), ["shop"]);
        assert_eq!(cell(&service, "shop", "FOR"), "tls-server");
        signs(&service, "web.pem", "shop");
        signs(&service, uri.trim(), "shop");
        assert_eq!(json(&service, "key show web")["key"]["name"], "shop");
        service.restart();
    }
    // twice renamed, and back: every name that no other key has leads to it
    parsec(&service, "key rename web store").ok();
    for name in ["web", "shop", "store"] {
        signs(&service, &format!("parsec:object={name}"), "store");
    }
    parsec(&service, "key rename store web").ok();
    signs(&service, "parsec:object=shop", "web");
    signs(&service, "parsec:object=web", "web");
}

#[test]
fn a_name_means_the_key_that_has_it() {
    let service = Service::start();
    for (name, after) in [("one", "first"), ("one", "second")] {
        parsec(&service, &format!("key new {name} --algorithm p256")).ok();
        parsec(&service, &format!("key rename {name} {after}")).ok();
    }
    assert_eq!(json(&service, "key show one")["key"]["name"], "second", "it had the name last");
    parsec(&service, "key new one --algorithm p384").ok();
    assert_eq!(json(&service, "key show one")["key"]["algorithm"], "p384");
    let said = parsec(&service, "key rename first one").refused();
    assert!(said.contains("has a key 'one'"), "{said}");
    parsec(&service, "key rename none other").refused();
    // nothing ends by a name that it had once
    parsec(&service, "key rm one").ok();
    let said = parsec(&service, "key rm one").refused();
    assert!(said.contains("it is called 'second' now (to destroy it: parsec key rm second)"), "{said}");
    let destroy = interface::operations::DestroyKey { key_name: "one".to_owned(), owner: None };
    service.client().call(interface::ProviderId::SOFTWARE, &destroy).unwrap_err();
    assert_eq!(listed(&service, ""), ["first", "second"]);
}

#[test]
fn whom_a_key_was_granted_to_finds_it_by_its_former_name() {
    if !tests::may_change_user() {
        return;
    }
    let service = Service::start();
    let stranger = stranger(&service);
    parsec(&service, &format!("key new web --algorithm p256 --grant uid:{}=sign", tests::STRANGER)).ok();
    parsec(&service, "key new private --algorithm p256").ok();
    parsec(&service, "key rename web shop").ok();
    parsec(&service, "key rename private hidden").ok();
    for line in ["key show web", "key show web --owner uid:0", "key csr web --cn web"] {
        stranger(line).ok();
    }
    stranger("key show private --owner uid:0").refused();
    let said = stranger("key rename web mine").refused();
    assert!(said.contains("belongs to uid:0"), "{said}");
    assert_eq!(listed(&service, ""), ["hidden", "shop"]);
}

#[test]
fn administrators_see_everybodys_keys_and_use_none() {
    if !tests::may_change_user() {
        return;
    }
    let service = Service::start();
    let stranger = stranger(&service);
    for name in ["a", "b"] {
        stranger(&format!("key new {name} --for ssh")).ok();
    }
    parsec(&service, "key new mine --algorithm p256").ok();
    assert_eq!(listed(&service, ""), ["mine"]);
    assert_eq!(listed(&service, "--all"), ["mine", "a", "b"]);
    assert_eq!(listed(&service, "--all --for ssh"), ["a", "b"]);
    let owner = format!("uid:{}", tests::STRANGER);
    assert_eq!(listed(&service, &format!("--all --owner {owner}")), ["a", "b"]);
    assert_eq!(listed(&service, &format!("--owner {owner}")), [""; 0]);
    parsec(&service, &format!("key csr a --owner {owner} --cn a")).refused();
    let said = stranger("key list --all").refused();
    assert!(said.contains("only administrators see everybody's keys"), "{said}");
}

#[test]
fn what_cannot_be_done_is_told_before_there_is_a_key() {
    let service = Service::start();
    let refused = parsec(&service, "key new foo --for ssh --out /nonexistent/foo.pem").refused();
    assert!(refused.contains("write /nonexistent/foo.pem"), "{refused}");
    assert!(!parsec(&service, "key ls").ok().contains("foo"), "no key is left");
    parsec(&service, "key create foo --for ssh -o foo.pem").ok();
    parsec(&service, "key delete foo").ok();
    let refused = parsec(&service, "serve --endpoint unix:/run/x.sock").refused();
    assert!(refused.contains("socket_path"), "{refused}");
}

#[test]
fn grants_to_one_user_add_up_and_those_in_vain_are_told() {
    let service = Service::start();
    let made = parsec(&service, "key new web --for tls-server --grant uid:7=sign --grant uid:7=decrypt,verify");
    assert!(made.out.contains("Granted to uid:7") && made.out.contains("sign, verify, decrypt"), "{}", made.out);
    assert!(made.err.contains("the grant of decrypt is in vain"), "{}", made.err);
    let grants = json(&service, "key grants web");
    assert_eq!(grants["grants"][0]["roles"], serde_json::json!(["sign", "verify", "decrypt"]));
    let fit = parsec(&service, "key grant web uid:8=use");
    assert!(fit.err.is_empty(), "{}", fit.err);
}

#[test]
fn keys_of_openssh_and_encrypted_ones_are_imported() {
    let service = Service::start();
    fs::write(service.dir().join("pass"), "secret\n").unwrap();
    let keygen = |kind: &str, file: &str, passphrase: &str| {
        let mut command = service.command("ssh-keygen");
        run(command.args(["-q", "-t", kind, "-N", passphrase, "-f", file])).ok();
        run(service.command("ssh-keygen").args(["-y", "-P", passphrase, "-f", file])).ok()
    };
    for (kind, passphrase) in [("ed25519", ""), ("ed25519", "secret"), ("rsa", "secret")] {
        let name = format!("{kind}{passphrase}");
        let public = keygen(kind, &name, passphrase);
        let imported = parsec(&service, &format!("key import {name} {name} --passphrase-file pass --out {name}.pem")).ok();
        assert!(imported.starts_with(&format!("Imported key '{name}'")), "{imported}");
        let own = parsec(&service, &format!("key public {name} --ssh")).ok();
        assert_eq!(own.split_whitespace().nth(1), public.split_whitespace().nth(1), "{kind}");
        assert!(service.dir().join(format!("{name}.pem")).exists());
    }
    fs::write(service.dir().join("pass"), "another").unwrap();
    let wrong = parsec(&service, "key import again rsasecret --passphrase-file pass").refused();
    assert!(wrong.contains("cannot import rsasecret: its passphrase is another one"), "{wrong}");
}
