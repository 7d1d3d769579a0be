//! A disk that is full, or keeps nothing.

use crate::token::{login, set, user};
use crate::{SOFTWARE, destroy, generate, usable};
use interface::Status;
use interface::attributes::Usage;
use interface::operations::{Grant, ListGrants, Revoke, Role};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use tempfile::TempDir;
use tests::{CONFIG, Setup, faults, faulty, may_change_user, may_mount, run};

/// More keys than the spare pages hold.
const MANY: usize = 200;

#[test]
fn on_a_full_disk_what_ends_something_works_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let Some(faults) = faults(folder.path()) else { return };
    let (mut service, plan) = faulty(&faults);
    let full = plan.with_extension("full");
    service.restart();
    let client = service.client();
    for name in 0..MANY {
        generate(&client, &name.to_string()).unwrap();
    }
    let last = (MANY - 1).to_string();
    for uid in 0..MANY {
        let (principal, usage) = (format!("uid:{}", 1 + uid), Some(Usage::SIGN_HASH.into()));
        client.call(SOFTWARE, &Grant { key_name: last.clone(), principal, usage, owner: None }).unwrap();
    }
    set(&client, None, "1234").unwrap();
    File::create(&full).unwrap();
    let refused = (0..).map(|number| format!("more {number}")).find_map(|name| {
        let refused = generate(&client, &name).err()?;
        Some((name, refused))
    });
    let (name, refused) = refused.unwrap();
    assert_eq!(refused.status(), Some(Status::PsaErrorInsufficientStorage));
    assert!(refused.to_string().contains("keys.sqlite3 lies on is full"), "{refused}");
    assert!(usable(&client, "0"));
    // More than go into the log before it is written into the file.
    for name in 0..MANY - 1 {
        destroy(&client, &name.to_string()).unwrap();
        assert!(name > 0 || !usable(&client, "0"));
    }
    for uid in 0..MANY {
        let (key_name, principal) = (last.clone(), format!("uid:{}", 1 + uid));
        client.call(SOFTWARE, &Revoke { key_name, principal, owner: None }).unwrap();
    }
    assert_eq!(login(&client, Role::User, "4321").unwrap_err().status(), Some(Status::PsaErrorInvalidSignature));
    service.kill9();
    service.restart();
    let client = service.client();
    assert!(usable(&client, &last) && !usable(&client, "0"));
    let grants = client.call(SOFTWARE, &ListGrants { key_name: last.clone(), owner: None }).unwrap();
    assert!(grants.grants.is_empty(), "a grant that was revoked is back");
    assert_eq!(user(&client).failures, 1);
    login(&client, Role::User, "1234").unwrap();
    assert!(service.stop().success());
    service.restart();
    let client = service.client();
    assert!(usable(&client, &last), "{}", service.log());

    fs::remove_file(full).unwrap();
    generate(&client, &name).unwrap();
    generate(&client, "0").unwrap();
}

#[test]
fn on_a_disk_that_is_full_at_the_start_what_ends_something_works() {
    if !may_change_user() || !may_mount() {
        return;
    }
    let disk = Disk::new();
    let database = disk.0.path().join("keys.sqlite3");
    let config = CONFIG.replace("{dir}/keys.sqlite3", database.to_str().unwrap());
    let mut service = Setup::default().config(config).start();
    let client = service.client();
    for name in 0..MANY {
        generate(&client, &name.to_string()).unwrap();
    }
    let grant = Grant { key_name: "0".into(), principal: "uid:1".into(), usage: Some(Usage::SIGN_HASH.into()), owner: None };
    client.call(SOFTWARE, &grant).unwrap();
    set(&client, None, "1234").unwrap();
    for _ in 0..2 {
        assert!(service.stop().success());
        let filling = disk.0.path().join("filling");
        let full = File::create(&filling).and_then(|mut file| std::io::copy(&mut std::io::repeat(7), &mut file));
        assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
        service.restart();
        let client = service.client();
        for name in 1..MANY {
            destroy(&client, &name.to_string()).unwrap();
        }
        let revoke = Revoke { key_name: "0".into(), principal: "uid:1".into(), owner: None };
        client.call(SOFTWARE, &revoke).unwrap();
        login(&client, Role::User, "1234").unwrap();
        assert!(usable(&client, "0") && !usable(&client, "1"));

        fs::remove_file(filling).unwrap();
        client.call(SOFTWARE, &grant).unwrap();
        for name in 1..MANY {
            generate(&client, &name.to_string()).unwrap();
        }
    }
}

/// A small file system of its own.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs"]).arg(place.path())).ok();
        Self(place)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(self.0.path())).ok();
    }
}

#[test]
fn after_a_flush_that_failed_nothing_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(faults) = faults(folder.path()) else { return };
    let (mut service, plan) = faulty(&faults);
    let unflushed = plan.with_extension("unflushed");
    service.restart();
    let client = service.client();
    generate(&client, "kept").unwrap();
    File::create(&unflushed).unwrap();
    generate(&client, "doubtful").unwrap_err();
    fs::remove_file(unflushed).unwrap();
    generate(&client, "later").unwrap_err();
    assert_eq!(service.stop().signal(), Some(libc::SIGABRT));
    assert!(service.log().contains("the disk failed to keep a change"), "{}", service.log());

    service.restart();
    let client = service.client();
    assert!(usable(&client, "kept") && !usable(&client, "later"));
    generate(&client, "doubtful").unwrap();
}
