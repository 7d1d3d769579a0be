//! Keys that get another owner.

use super::{json, listed, parsec, signs, stranger};
use interface::attributes::Usage;
use interface::client::Client;
use interface::operations::{ChangeOwner, LookupKey};
use interface::{ProviderId, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tests::{CONFIG, Ran, STRANGER, Service, Setup, TENANT, TPM, TPM_SEALED, acting, eventually};

fn as_tenant(service: &Service) -> impl Fn(&str) -> Ran {
    let program = service.staged("parsec");
    move |line| {
        let mut command = service.command(&program);
        tests::run(tests::as_uid(&mut command, TENANT).args(line.split_whitespace()))
    }
}

#[test]
fn whoever_may_use_a_key_finds_it_under_its_former_owner() {
    if !tests::may_change_user() {
        return;
    }
    let mut service = Service::start();
    let (stranger_, tenant_) = (format!("uid:{STRANGER}"), format!("uid:{TENANT}"));
    parsec(&service, &format!("key new web --for tls-server --grant {tenant_}=sign --out web.pem")).ok();
    parsec(&service, "key rename web shop").ok();
    parsec(&service, "key csr shop --self-signed --cn shop --out shop.crt").ok();
    parsec(&service, "cert put shop shop.crt").ok();
    let uri = parsec(&service, "key uri shop").ok();
    let said = parsec(&service, &format!("key chown shop --to {stranger_} --keep-use")).ok();
    assert!(said.starts_with(&format!("Key 'shop' of uid:0 (root) belongs to {stranger_}")), "{said}");
    assert!(said.contains("may still use it: sign"), "{said}");
    let again = parsec(&service, &format!("key chown shop --to {stranger_} --keep-use")).ok();
    assert!(again.contains("belongs to"), "asked for twice, it is done once: {again}");
    service.logs(&["event=\"chown\"", "who=\"uid:0\"", "key=\"shop\"", "owner=\"uid:0\"", &format!("to=\"{stranger_}\"")]);
    for _ in 0..2 {
        signs(&service, "web.pem", "web");
        signs(&service, uri.trim(), "shop");
        let (mine, tenant) = (stranger(&service), as_tenant(&service));
        mine("key csr shop --cn shop").ok();
        assert!(mine("cert list").ok().contains("shop"));
        for line in ["key show web --owner uid:0", "key csr shop --owner uid:0 --cn x", "key csr shop --cn x"] {
            tenant(line).ok();
        }
        drop((mine, tenant));
        service.restart();
    }
    // the owner's word counts, and nobody else's
    parsec(&service, "key rename shop other").refused();
    let mine = stranger(&service);
    mine("key rename shop store").ok();
    mine(&format!("key revoke store {tenant_}")).ok();
    as_tenant(&service)("key show web --owner uid:0").refused();
    mine("key revoke store uid:0").ok();
    let said = parsec(&service, "key csr web --cn x").refused();
    assert!(said.contains("you have no key 'web'"), "{said}");
    drop(mine);
    // the name is free for another key, which it then means
    parsec(&service, "key new web --algorithm p384").ok();
    assert_eq!(json(&service, "key show web")["key"]["algorithm"], "p384");
}

#[test]
fn only_administrators_give_keys_away_and_only_what_fits() {
    if !tests::may_change_user() {
        return;
    }
    let service = Service::start();
    let (stranger_, tenant_) = (format!("uid:{STRANGER}"), format!("uid:{TENANT}"));
    let mine = stranger(&service);
    mine("key new web --for ssh").ok();
    for line in ["key chown web --to uid:0", "key chown web --owner uid:0 --to uid:1", "key same-user uid:7"] {
        let said = mine(line).refused();
        assert!(said.contains("administrators"), "{line}: {said}");
    }
    parsec(&service, "key new web --algorithm p256").ok();
    let said = parsec(&service, &format!("key chown web --owner {stranger_} --to uid:0")).refused();
    assert!(said.contains("uid:0 has a key 'web'"), "{said}");
    let said = parsec(&service, &format!("key chown none --owner {stranger_} --to uid:0")).refused();
    assert!(said.contains(&format!("{stranger_} has no key 'none'")), "{said}");
    parsec(&service, "key chown web --to nobody").refused();
    // without more, the former owner keeps nothing
    let said = parsec(&service, &format!("key chown web --owner {stranger_} --to {tenant_}")).ok();
    assert!(said.contains("may not use it any more"), "{said}");
    mine("key csr web --cn x").refused();
    mine(&format!("key csr web --cn x --owner {tenant_}")).refused();
    as_tenant(&service)("key csr web --cn x").ok();
    // what was given on is not given by its former owner's name
    let said = parsec(&service, &format!("key chown web --owner {stranger_} --to uid:5")).refused();
    assert!(said.contains(&format!("it is 'web' of {tenant_} now")), "{said}");
    assert_eq!(listed(&service, "--all --for ssh"), ["web"]);
}

#[test]
fn the_quota_of_the_new_owner_counts() {
    if !tests::may_change_user() {
        return;
    }
    let service = Setup::default().map_config(|config| format!("{config}\n[quotas]\nkeys = 2\n")).start();
    let mine = stranger(&service);
    for name in ["a", "b"] {
        mine(&format!("key new {name} --for ssh")).ok();
    }
    parsec(&service, "key new c --for ssh").ok();
    let said = parsec(&service, &format!("key chown c --to uid:{STRANGER}")).refused();
    assert!(said.contains("keys"), "{said}");
    mine("key rm a --yes").ok();
    parsec(&service, &format!("key chown c --to uid:{STRANGER}")).ok();
    mine("key csr c --cn c").ok();
}

#[test]
fn keys_of_every_tier_go_to_another_owner() {
    if !tests::may_change_user() || !tests::may_lock_memory() || tests::program("swtpm").is_none() {
        return;
    }
    let mut service = Service::with_config(&format!("{CONFIG}{TPM}{TPM_SEALED}"));
    let providers = ["software", "tpm", "tpm-sealed"];
    for provider in providers {
        parsec(&service, &format!("key new {provider} --algorithm p256 --provider {provider}")).ok();
        parsec(&service, &format!("key chown {provider} --to uid:{STRANGER}")).ok();
    }
    for _ in 0..2 {
        let mine = stranger(&service);
        for provider in providers {
            mine(&format!("key csr {provider} --cn x")).ok();
            parsec(&service, &format!("key csr {provider} --cn x")).refused();
        }
        drop(mine);
        service.restart();
    }
    let mine = stranger(&service);
    providers.iter().for_each(|provider| drop(mine(&format!("key rm {provider} --yes")).ok()));
}

/// What gives a key from one to the other.
fn change(from: u32, to: u32) -> ChangeOwner {
    let (key_name, principal) = ("web".to_owned(), format!("uid:{to}"));
    let keep = Some((Usage::SIGN | Usage::VERIFY).into());
    ChangeOwner { key_name, principal, keep, owner: Some(format!("uid:{from}")) }
}

fn give(service: &Service, from: u32, to: u32) -> Result<(), Option<Status>> {
    service.client().call(ProviderId::SOFTWARE, &change(from, to)).map(drop).map_err(|error| error.status())
}

fn look(service: &Service, owner: u32) -> Result<String, Option<Status>> {
    let lookup = LookupKey { key_name: "web".to_owned(), owner: Some(format!("uid:{owner}")) };
    service.client().call(ProviderId::SOFTWARE, &lookup).map(|record| record.owner).map_err(|error| error.status())
}

#[test]
fn a_key_is_found_while_it_goes_from_hand_to_hand_and_a_crash_leaves_it_in_one() {
    if !tests::may_change_user() {
        return;
    }
    let mut service = Service::start();
    parsec(&service, "key new web --for ssh --grant uid:7=sign").ok();
    give(&service, 0, STRANGER).unwrap();
    give(&service, STRANGER, TENANT).unwrap();
    for round in 1..=3 {
        let stop = AtomicBool::new(false);
        let (service_, stop_) = (&service, &stop);
        std::thread::scope(|scope| {
            // a grantee, who names either owner
            let seen = scope.spawn(move || {
                acting(7, || {
                    let mut seen = 0;
                    while !stop_.load(Ordering::Relaxed) {
                        look(service_, [0, STRANGER, TENANT][seen % 3]).unwrap();
                        seen += 1;
                    }
                    seen
                })
            });
            let is_strangers = look(service_, 0).unwrap() == format!("uid:{STRANGER}");
            let [mut from, mut to] = if is_strangers { [STRANGER, TENANT] } else { [TENANT, STRANGER] };
            for _ in 0..20 {
                give(service_, from, to).unwrap();
                std::mem::swap(&mut from, &mut to);
            }
            stop.store(true, Ordering::Relaxed);
            assert!(seen.join().unwrap() > 0);
        });
        // a crash at any moment of the next ones
        let (endpoint, end) = (service.endpoint(), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&end);
        let giver = std::thread::spawn(move || {
            let client = Client::new(endpoint.parse().unwrap());
            for [from, to] in [[TENANT, STRANGER], [STRANGER, TENANT]].into_iter().cycle() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let _ = client.call(ProviderId::SOFTWARE, &change(from, to));
            }
        });
        eventually("a few changes", || (service.log().matches("event=\"chown\"").count() > 30 * round).then_some(()));
        service.kill9();
        end.store(true, Ordering::Relaxed);
        service.restart();
        giver.join().unwrap();
        assert_eq!(listed(&service, "--all"), ["web"]);
        let owner = look(&service, 0).unwrap();
        assert!([STRANGER, TENANT].map(|uid| format!("uid:{uid}")).contains(&owner), "{owner}");
        let mine = stranger(&service);
        mine("key csr web --cn x").ok();
        assert!(!service.log().contains("damaged"));
    }
}
