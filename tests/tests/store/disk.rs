//! A disk that is full, or keeps nothing.

use crate::crash::{compiled, faulty};
use crate::{destroy, generate, usable};
use interface::Status;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;

/// More keys than the spare pages hold.
const MANY: usize = 200;

#[test]
fn on_a_full_disk_keys_are_used_and_destroyed_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let Some(faults) = compiled(folder.path()) else { return };
    let (mut service, plan) = faulty(&faults);
    let full = plan.with_extension("full");
    service.restart();
    let client = service.client();
    for name in 0..MANY {
        generate(&client, &name.to_string()).unwrap();
    }
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
    service.kill9();
    service.restart();
    let client = service.client();
    assert!(usable(&client, &(MANY - 1).to_string()) && !usable(&client, "0"));
    assert!(service.stop().success());
    service.restart();
    let client = service.client();
    assert!(usable(&client, &(MANY - 1).to_string()), "{}", service.log());

    fs::remove_file(full).unwrap();
    generate(&client, &name).unwrap();
    generate(&client, "0").unwrap();
}

#[test]
fn after_a_flush_that_failed_nothing_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(faults) = compiled(folder.path()) else { return };
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
