//! What releases have written opens, and what they answered is answered still.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod files;
mod replay;
mod stores;

use tests::{Release, may_change_user, may_lock_memory};

/// Runs this for every release that is kept.
fn each_release(test: impl Fn(&Release)) {
    // root owns what is kept
    if may_change_user() {
        Release::all().iter().for_each(test);
    }
}

/// As [`each_release`], for the keys of a TPM and those that it seals.
fn each_release_with_a_tpm(test: impl Fn(&Release)) {
    if may_lock_memory() {
        each_release(test);
    }
}
