//! The C edge of the module: its binary interface, and calls that no sane program makes. On a running service, nothing may crash, hang, or
//! answer what is no return code of the standard.
//!
//! Each run of calls happens in a child, so that a crash is a failed test which names the call. The choices come from a seed: CI replays a few;
//! `PARSEC_FUZZ_SECONDS=1800 cargo test --release -p pkcs11-module --test edge` tries new ones for that long, and names the seed of a
//! failure, to be added to the list of the test that found it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod abi;
mod bindings;
mod garbage;
mod liar;
mod memory;
mod sequences;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use memory::Note;
use tests::Service;

/// How long one run may take, in seconds.
const DEADLINE: u32 = 120;

/// Runs `child` in a process of its own with each of these seeds, then with new ones for as long as the environment says.
fn replay(seeds: impl IntoIterator<Item = u64>, child: impl Fn(u64, &Note)) {
    for seed in seeds {
        run(seed, &child);
    }
    let time = std::env::var("PARSEC_FUZZ_SECONDS").map_or(0, |seconds| seconds.parse().unwrap());
    let (start, first) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() << 20);
    for seed in first.. {
        if start.elapsed() >= Duration::from_secs(time) {
            break;
        }
        run(seed, &child);
    }
}

fn run(seed: u64, child: &impl Fn(u64, &Note)) {
    let service = Service::start();
    let note = Note::new();
    // SAFETY: the child's thread has the memory to itself; it leaves without cleaning up, and in time.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: it ends a child that hangs.
        unsafe { libc::alarm(DEADLINE) };
        lead_to(&service.endpoint());
        std::panic::set_hook(Box::new(|_| {}));
        let result = catch_unwind(AssertUnwindSafe(|| child(seed, &note)));
        if let Err(panic) = &result {
            let why = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            note.write(&format!("{}\n{}", note.read(), why.unwrap_or_default()));
        }
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let mut status = -1;
    // SAFETY: the place outlives the call.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(status, 0, "seed {seed}: the child ended with this status, in: {}", note.read());
}

/// Says in a child where the service is. Rust's own way waits for a lock, which a thread that is not in the child may have held.
fn lead_to(endpoint: &str) {
    let endpoint = std::ffi::CString::new(endpoint).unwrap();
    // SAFETY: both end in NUL; nothing else in the child has the environment meanwhile.
    assert_eq!(unsafe { libc::setenv(c"PARSEC_SERVICE_ENDPOINT".as_ptr(), endpoint.as_ptr(), 1) }, 0);
}

#[test]
fn before_initialize_every_function_says_so() {
    garbage::Standard::new().before_initialize();
}

#[test]
fn no_argument_makes_a_function_crash_or_hang() {
    let standard = garbage::Standard::new();
    replay(0..4, |seed, note| garbage::run(&standard, seed, note));
}

#[test]
fn every_sequence_of_calls_is_answered_as_the_standard_says() {
    let standard = garbage::Standard::new();
    replay((0..8).chain([1_882_665_657_565_253]), |seed, note| sequences::run(&standard, seed, note));
}

#[test]
fn a_service_that_answers_nonsense_makes_nothing_crash() {
    let standard = garbage::Standard::new();
    replay(0..4, |seed, note| liar::run(&standard, seed, note));
}
