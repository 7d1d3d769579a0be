//! The long form of the clients over kills. `tests/faults clients` runs it.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "it prints what it finds")]

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::Crowd;

/// Programs at once.
const CLIENTS: usize = 20;
/// From one kill to the next.
const PERIOD: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let seconds: u64 = std::env::args().nth(1).map_or(600, |seconds| seconds.parse().expect("a number of seconds"));
    let mut crowd = Crowd::start(CLIENTS, None).expect("a C compiler");
    let begun = Instant::now();
    for kill in 1.. {
        let at = PERIOD * kill;
        if at > Duration::from_secs(seconds) {
            break;
        }
        sleep(at.saturating_sub(begun.elapsed()));
        crowd.kill();
    }
    crowd.go_on();
    let account = crowd.end();
    println!("{CLIENTS} programs for {} s: {account}", begun.elapsed().as_secs());
    let sound = account.violations.is_empty() && account.errors.len() <= 10;
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
