//! A module that is unloaded while its host goes on, and used when the host is about to end.

use tests::{built, run};

use super::memory::compiled;

#[test]
fn a_thousand_unloads_leave_nothing_behind_and_the_exit_handler_may_still_finalise() {
    let (fixture, unload) = compiled("unload");
    let mut unload = fixture.service.command(unload);
    assert_eq!(run(unload.arg(built("libparsec_pkcs11.so")).arg("1000")).ok(), "finalised at exit\n");
}
