//! Programs that load PKCS#11 modules, each with a job of its own, on a token without a PIN. Nobody is there to be asked for one:
//! they have neither a terminal nor an input.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod images;
mod kerberos;
mod knot;
mod languages;
mod pam;
mod prompts;
mod providers;
mod signing;
mod strongswan;

use std::process::Command;

use interop::{Desk, Row};
use tests::run;

/// A service with one key of its own for each of these kinds, which is also its name, and its certificate in a file and in the token.
fn desk(row: Option<Row>, kinds: &[&str]) -> Option<Desk> {
    let desk = Desk::with(row?);
    desk.certify(kinds);
    desk.write("message", "hello");
    Some(desk)
}

/// A program that cannot ask anybody for a PIN. The module writes its calls to `calls`.
fn alone(desk: &Desk, line: &str) -> Command {
    let mut command = desk.command(&format!("setsid --wait {line}"));
    command.env("PARSEC_PKCS11_TRACE", desk.path("calls"));
    command
}

/// The output of a program, which has to succeed without a word of a PIN.
#[track_caller]
fn unasked(command: &mut Command) -> String {
    let ran = run(command);
    assert!(!ran.out.contains("PIN") && !ran.err.contains("PIN"), "{}{}", ran.out, ran.err);
    ran.ok()
}

/// The CKA_ID of a key, in hexadecimal digits.
fn id(desk: &Desk, key: &str) -> String {
    let listed = desk.pkcs11_tool(&format!("-O --type privkey --label {key}")).ok();
    listed.lines().find_map(|line| line.trim().strip_prefix("ID:")).unwrap().trim().to_owned()
}
