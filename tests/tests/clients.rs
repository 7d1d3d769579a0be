//! Programs with the PKCS#11 module over kills of the service: the short form of `tests/faults clients`.
#![allow(clippy::print_stderr, reason = "it says what it counted")]

use tests::Crowd;

/// Longer than the service takes to start on any machine, so that no error comes from that.
const WAIT: u32 = 60;

#[test]
fn programs_over_kills_lose_no_key_and_see_no_error() {
    let Some(mut crowd) = Crowd::start(8, Some(WAIT)) else { return };
    for _ in 0..3 {
        crowd.kill();
        crowd.go_on();
    }
    let account = crowd.end();
    eprintln!("{account}");
    assert!(account.violations.is_empty() && account.errors.is_empty() && account.settled.is_empty(), "{account}");
}
