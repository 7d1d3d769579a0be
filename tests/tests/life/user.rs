//! Users whose number was another user's.

use super::{json, listed, parsec, stranger};
use std::fs;
use tests::{STRANGER, Service, Setup, TENANT, eventually, may_mount};

/// A service whose host has this table of users.
fn host(users: &str) -> Option<Service> {
    if !tests::may_change_user() || !may_mount() {
        return None;
    }
    let script = "mount --bind passwd /etc/passwd && exec \"$0\" \"$@\"";
    let mut service = Setup::default().by(["unshare", "--mount", "sh", "-c", script]).prepare();
    users_are(&service, users);
    service.restart();
    Some(service)
}

/// The stranger's number has this name on the host.
fn users_are(service: &Service, users: &str) {
    let users = ["root:0"].into_iter().chain(users.split_whitespace()).filter_map(|user| user.split_once(':'));
    let text: String = users.map(|(name, uid)| format!("{name}:x:{uid}:{uid}::/:/bin/sh\n")).collect();
    fs::write(service.dir().join("passwd"), text).unwrap();
}

fn alice() -> String {
    format!("alice:{STRANGER}")
}

fn bob() -> String {
    format!("bob:{STRANGER}")
}

/// A service that remembers alice, who has a key and was granted another one.
fn with_alice() -> Option<Service> {
    let mut service = host(&alice())?;
    let mine = stranger(&service);
    mine("key new web --for tls-server").ok();
    parsec(&service, &format!("key new shared --for ssh --grant uid:{STRANGER}=sign")).ok();
    mine("key csr shared --cn x").ok();
    drop(mine);
    // a start remembers the names before it answers
    service.restart();
    parsec(&service, "ping").ok();
    Some(service)
}

fn told(service: &Service) {
    service.logs(&["WARN", &format!("uid:{STRANGER} was the user 'alice' when it got its keys, and is 'bob' now")]);
}

#[test]
fn a_number_that_is_another_users_gets_no_keys() {
    let Some(mut service) = with_alice() else { return };
    users_are(&service, &bob());
    told(&service);
    for _ in 0..2 {
        let his = stranger(&service);
        let list = his("key list");
        assert!(list.err.contains("was the user 'alice'") && list.err.contains("parsec doctor"), "{}", list.err);
        assert!(list.ok().starts_with("No keys."));
        for line in [
            "key csr web --cn x",
            "key csr shared --cn x",
            "key csr shared --owner uid:0 --cn x",
            "key pem web",
            "key rm web --yes",
        ] {
            his(line).refused();
        }
        for line in ["key new mine --for ssh", "key new web --for ssh"] {
            let said = his(line).refused();
            for part in
                ["was the user 'alice'", "is 'bob' now", &format!("parsec key same-user uid:{STRANGER}"), "parsec key chown KEY"]
            {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        let said = his("doctor").out;
        assert!(said.contains("WRONG  caller") && said.contains("was the user 'alice'"), "{said}");
        his("ping").ok();
        his("key same-user uid:54321").refused();
        drop(his);
        // who was granted something of it goes on, and administrators see what it is
        assert_eq!(listed(&service, "--all"), ["shared", "web"]);
        let keys = json(&service, "key list --all");
        assert_eq!(keys["keys"][1]["former_user"], "alice");
        assert!(parsec(&service, "key list --all").ok().contains("was alice"));
        let said = parsec(&service, "doctor").out;
        assert!(said.contains("WRONG  owner") && said.contains("was the user 'alice'"), "{said}");
        let said = parsec(&service, &format!("key grant shared uid:{STRANGER}=sign")).refused();
        assert!(said.contains("was the user 'alice'"), "{said}");
        let said = parsec(&service, &format!("key chown shared --to uid:{STRANGER}")).refused();
        assert!(said.contains("was the user 'alice'"), "{said}");
        // a start changes nothing
        service.restart();
    }
}

#[test]
fn a_user_with_a_new_name_keeps_its_keys_when_an_administrator_says_so() {
    let Some(mut service) = with_alice() else { return };
    users_are(&service, &bob());
    told(&service);
    let said = parsec(&service, &format!("key same-user uid:{STRANGER}")).ok();
    assert!(said.contains("has its keys again"), "{said}");
    service.logs(&["event=\"admin\"", "operation=ConfirmUser", &format!("to=\"uid:{STRANGER}\"")]);
    for _ in 0..2 {
        let mine = stranger(&service);
        for line in ["key csr web --cn x", "key csr shared --cn x"] {
            mine(line).ok();
        }
        drop(mine);
        service.restart();
    }
    let said = parsec(&service, &format!("key same-user uid:{STRANGER}")).refused();
    assert!(said.contains("nothing to confirm"), "{said}");
    // the old name is another one now
    users_are(&service, &alice());
    service.logs(&["was the user 'bob' when it got its keys, and is 'alice' now"]);
}

#[test]
fn no_name_and_a_second_name_change_nothing() {
    let Some(mut service) = with_alice() else { return };
    let other = format!("carol:{TENANT}");
    for users in [String::new(), other, format!("{} {}", bob(), alice()), format!("{} {}", alice(), bob())] {
        users_are(&service, &users);
        service.restart();
        let mine = stranger(&service);
        mine("key csr web --cn x").ok();
        mine("key csr shared --cn x").ok();
    }
    assert!(!service.log().contains("was the user"));
    // nor do they give anything back
    users_are(&service, &bob());
    told(&service);
    users_are(&service, "");
    service.restart();
    stranger(&service)("key csr web --cn x").refused();
}

#[test]
fn a_number_whose_keys_were_given_away_is_as_new() {
    let Some(service) = with_alice() else { return };
    users_are(&service, &bob());
    told(&service);
    let another = || parsec(&service, &format!("key same-user uid:{STRANGER} --another"));
    assert!(another().refused().contains("parsec key chown KEY"));
    parsec(&service, &format!("key chown web --owner uid:{STRANGER} --to user:root")).ok();
    assert!(another().ok().contains("can make keys"));
    assert!(another().refused().contains("nothing to confirm"));
    let his = stranger(&service);
    his("key csr shared --cn x").refused();
    eventually("a user who has nothing of another's", || his("key new own --for ssh").status.success().then_some(()));
    assert!(his("key list").ok().contains("own"));
    his("key csr web --cn x").refused();
    assert_eq!(listed(&service, ""), ["shared", "web"]);
    parsec(&service, "key csr web --cn x").ok();
}
