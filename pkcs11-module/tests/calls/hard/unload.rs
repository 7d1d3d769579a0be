//! A module that is unloaded while its host goes on, and used when the host is about to end.

use std::process::Command;

use cryptoki_sys::CKF_RW_SESSION;
use tests::{built, run};

use super::{Fixture, generate, open};

#[test]
fn a_thousand_unloads_leave_nothing_behind_and_the_exit_handler_may_still_finalise() {
    let fixture = Fixture::new();
    generate(open(CKF_RW_SESSION), true).unwrap();
    let program = fixture.service.dir().join("unload");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Werror", "-rdynamic", "-pthread", "-I/usr/include/p11-kit-1", "-o"]).arg(&program);
    run(cc.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calls/hard/unload.c")).arg("-ldl")).ok();
    let mut unload = fixture.service.command(&program);
    unload.arg(built("libparsec_pkcs11.so")).arg("1000");
    assert_eq!(run(&mut unload).ok(), "finalised at exit\n");
}
