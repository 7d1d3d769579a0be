//! Keys and their successors.

use super::{cell, json, listed, parsec, signs};
use tests::{Service, run};

/// The successor that a rotation names.
fn successor(service: &Service, name: &str) -> String {
    json(service, &format!("key rotate {name}"))["successor"].as_str().unwrap().to_owned()
}

fn uuid(service: &Service, name: &str) -> String {
    json(service, &format!("key show {name}"))["key"]["uuid"].as_str().unwrap().to_owned()
}

fn service() -> Service {
    let service = Service::start();
    parsec(&service, "key new web --for tls-server --label shop --grant uid:33=sign --out web.pem").ok();
    service
}

#[test]
fn both_keys_live_until_the_old_one_is_removed() {
    let mut service = service();
    let old = uuid(&service, "web");
    let said = parsec(&service, "key rotate web").ok();
    let new = successor(&service, "web");
    assert!(new.starts_with("web.new-20"), "{new}");
    for part in [
        format!("Key 'web' has a successor, '{new}': p256, in the software provider. Both work."),
        format!("parsec key csr {new} --cn www.example.com"),
        format!("parsec key pem {new} --out {new}.pem"),
        "parsec key rotate web --finish".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert_eq!(listed(&service, ""), ["web", new.as_str()], "asked for twice, it is made once");
    assert_eq!(cell(&service, &new, "FOR"), "tls-server");
    assert_eq!(cell(&service, &new, "LABEL"), new, "a label means the old key until the end");
    assert_eq!(json(&service, &format!("key grants {new}"))["grants"], json(&service, "key grants web")["grants"]);
    let what = |name: &str| json(&service, &format!("key show {name}"))["key"]["permitted"].clone();
    assert_eq!(what(&new), what("web"));
    // what was written before still leads to the old key, so that it fits its certificate
    assert_eq!(uuid(&service, "web"), old);
    signs(&service, "web.pem", "web");
    parsec(&service, &format!("key pem {new} --out new.pem")).ok();
    signs(&service, "new.pem", &new);
    let made = uuid(&service, &new);
    service.restart();

    let said = parsec(&service, "key rotate web --finish").ok();
    let [kept] = &listed(&service, "")[1..] else { panic!("{said}") };
    assert!(kept.starts_with("web.old-20") && said.contains(&format!("the old one is '{kept}'")), "{said}");
    assert!(said.contains(&format!("parsec key rm {kept}")), "{said}");
    assert_eq!((uuid(&service, "web"), uuid(&service, kept)), (made.clone(), old));
    assert_eq!((cell(&service, "web", "LABEL"), &cell(&service, kept, "LABEL")), ("shop".to_owned(), kept));
    // the file that was written for the successor leads to it, for good; that of the old key does too now
    signs(&service, "new.pem", "web");
    signs(&service, "web.pem", "web");
    assert_eq!(parsec(&service, "key rotate web --finish").ok(), said, "asked for twice, it is done once");
    parsec(&service, &format!("key rm {kept}")).ok();

    // on the same day again: no name comes twice, so that no file leads to another key
    let next = successor(&service, "web");
    assert_eq!(next, format!("{new}.2"));
    parsec(&service, "key rotate web --finish").ok();
    assert_ne!(uuid(&service, "web"), made);
    parsec(&service, &format!("key public {} --out public.pem", listed(&service, "")[1])).ok();
}

#[test]
fn a_rotation_that_was_cut_off_goes_on_where_it_ended() {
    let renames: [&[&str]; 3] = [
        &["key rename web web.old-2026-01-01"],
        &["key rename web web.old-2026-01-01", "key rename NEW web"],
        &["key rename web web.old-2026-01-01", "key rename NEW web", "key label web shop"],
    ];
    for done in renames {
        let service = service();
        let old = uuid(&service, "web");
        let new = successor(&service, "web");
        let made = uuid(&service, &new);
        for line in done {
            parsec(&service, &line.replace("NEW", &new)).ok();
            // whatever has happened, the name leads to one of them
            assert!([&old, &made].contains(&&uuid(&service, "web")));
        }
        parsec(&service, "key rotate web --finish").ok();
        assert_eq!((uuid(&service, "web"), uuid(&service, "web.old-2026-01-01")), (made, old), "{done:?}");
        assert_eq!(cell(&service, "web", "LABEL"), "shop");
        assert_eq!(cell(&service, "web.old-2026-01-01", "LABEL"), "web.old-2026-01-01");
        assert_eq!(listed(&service, "").len(), 2);
    }
    // a successor without its grants
    let service = service();
    let new = successor(&service, "web");
    parsec(&service, &format!("key revoke {new} uid:33")).ok();
    parsec(&service, "key rotate web").ok();
    assert!(parsec(&service, &format!("key grants {new}")).ok().contains("uid:33"));
}

#[test]
fn what_cannot_be_rotated_is_told() {
    let service = service();
    let said = parsec(&service, "key rotate web --finish").refused();
    assert!(said.contains("key 'web' has no successor yet: parsec key rotate web"), "{said}");
    run(service.command("openssl").args(["genpkey", "-algorithm", "ed25519", "-out", "k.pem"])).ok();
    run(service.command("openssl").args(["pkey", "-in", "k.pem", "-pubout", "-out", "k.pub"])).ok();
    parsec(&service, "key new short --for ssh --expires 9d --enforce").ok();
    let said = parsec(&service, "key rotate short").ok();
    assert!(said.contains("The old key expires, and the new one does not"), "{said}");
    parsec(&service, "key new long --for ssh --expires 9d --enforce").ok();
    let said = parsec(&service, "key rotate long --expires 2099-01-31").ok();
    assert!(!said.contains("does not"), "{said}");
    let new = successor(&service, "long");
    assert_eq!(cell(&service, &new, "EXPIRES"), "2099-01-31");
    let shown = parsec(&service, &format!("key show {new}")).ok();
    assert!(shown.contains("it makes nothing new after that"), "{shown}");
    parsec(&service, "key rotate none").refused();
}
