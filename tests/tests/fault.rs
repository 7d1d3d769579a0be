//! A sample of the faults, for each provider: kill -9, errors of the disk and the loss of power at calls that change what lasts.
//! `tests/faults` tries them all.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it tried")]

use tests::fault::{Disk, Event, Keep, Report, Subject};
use tests::{may_change_user, may_lock_memory};

/// Another one tries other points.
const SEED: &str = "PARSEC_FAULTS_SEED";

#[track_caller]
fn sample(subject: Subject, operations: usize, points: usize) {
    // Nobody else may look into a process that is not dumpable.
    if !may_change_user() {
        return;
    }
    let seed = std::env::var(SEED).ok().map_or(1, |seed| seed.parse().unwrap());
    let report = Report::sample(subject, operations, points, seed);
    eprintln!("{SEED}={seed}\n{}", report.table());
    assert!(report.points() > points, "hardly any fault was met");
    assert!(report.violations().is_empty(), "{}", report.violations().join("\n"));
}

#[test]
fn software_keys_survive() {
    sample(Subject::Software, 5, 6);
}

#[test]
fn keys_of_a_tpm_survive() {
    sample(Subject::Tpm, 2, 6);
}

#[test]
fn sealed_keys_survive() {
    if may_lock_memory() {
        sample(Subject::Sealed, 2, 6);
    }
}

#[test]
fn what_was_flushed_outlives_the_power_and_nothing_else_has_to() {
    let dir = tempfile::tempdir().unwrap();
    let (file, renamed) = (dir.path().join("file"), dir.path().join("renamed"));
    std::fs::write(&file, [1; 1024]).unwrap();
    let mut disk = Disk::of(dir.path(), |_| true);
    let write = |offset, byte| Event::Write { path: file.clone(), offset, data: vec![byte; 512] };
    let after = |disk: &Disk, keep| disk.image(keep).into_iter().collect::<Vec<_>>();
    let halves = |first: u8, second: u8| [[first; 512], [second; 512]].concat();

    disk.apply(&write(0, 2));
    assert_eq!(after(&disk, Keep::Nothing), [(file.clone(), halves(1, 1))]);
    assert_eq!(after(&disk, Keep::Everything), [(file.clone(), halves(2, 1))]);
    disk.apply(&Event::Sync(file.clone()));
    disk.apply(&write(512, 3));
    disk.apply(&Event::Lost(file.clone()));
    disk.apply(&Event::Sync(file.clone()));
    assert_eq!(
        after(&disk, Keep::Everything),
        [(file.clone(), halves(2, 1))],
        "a flush does not bring back what another one lost"
    );

    disk.apply(&Event::Rename { from: file.clone(), to: renamed.clone() });
    assert_eq!(after(&disk, Keep::Nothing), [(file, halves(2, 1))]);
    disk.apply(&Event::Sync(dir.path().to_owned()));
    assert_eq!(after(&disk, Keep::Nothing), [(renamed, halves(2, 1))]);
}
