//! The corpus of the targets in interface and service.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parsec_service::fuzz::{attestations, rows};
use std::process::Command;

#[test]
fn requests() {
    fuzz::replay("requests", 5_000, fuzz::requests);
}

#[test]
fn responses() {
    fuzz::replay("responses", 5_000, fuzz::responses);
}

#[test]
fn formats() {
    fuzz::replay("formats", 1_000, fuzz::formats);
}

#[test]
fn store_rows() {
    fuzz::replay("rows", 200, rows);
}

/// In a process of its own: the library that reads them writes a line for each that it cannot read, unless the environment says otherwise.
#[test]
fn tpm_attestations() {
    if std::env::var_os("TSS2_LOG").is_some() {
        fuzz::replay("attestations", 5_000, attestations);
        return;
    }
    let mut quiet = Command::new(std::env::current_exe().unwrap());
    quiet.args(["--exact", "tpm_attestations", "--nocapture"]).env("TSS2_LOG", "all+NONE");
    assert!(quiet.status().unwrap().success());
}
