//! The faults of the moment: a file with one a line, `FUNCTION TIMES ACTION`.
//!
//! `FUNCTION` is a name, or `*` for all. `TIMES` is `always`, or `once`: then the first process that meets the line takes it, and a
//! restart of the program does not meet it again. `ACTION` is one of [`Action`], with a return code in hexadecimal where it has one.

use cryptoki_sys::CK_RV;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// What happens in the place of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `return CODE`: nothing is done.
    Return(CK_RV),
    /// `late CODE`: it is done, and the caller is told that it failed.
    Late(CK_RV),
    /// `pretend`: nothing is done, and the caller is told that it was.
    Pretend,
    /// `gone CODE`: this call and all others fail until the library is finalised.
    Gone(CK_RV),
    /// `garbage`: it is done, and the length that is told is none.
    Garbage,
    /// `hang`: the call never ends.
    Hang,
    /// `die`: the process aborts.
    Die,
    /// `late-die`: it is done, and the process aborts.
    LateDie,
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        let (word, code) = text.split_once(' ').unwrap_or((text, ""));
        let code = || CK_RV::from_str_radix(code.trim().trim_start_matches("0x"), 16).ok();
        Some(match word {
            "return" => Self::Return(code()?),
            "late" => Self::Late(code()?),
            "pretend" => Self::Pretend,
            "gone" => Self::Gone(code()?),
            "garbage" => Self::Garbage,
            "hang" => Self::Hang,
            "die" => Self::Die,
            "late-die" => Self::LateDie,
            _ => return None,
        })
    }
}

/// The fault that meets a call of this function now.
pub(crate) fn rule(function: &str) -> Option<Action> {
    let file = PathBuf::from(std::env::var_os("FAULTING_RULES")?);
    let rules = fs::read_to_string(&file).ok()?;
    rules.lines().enumerate().find_map(|(number, line)| {
        let mut words = line.splitn(3, ' ');
        let (name, times, action) = (words.next()?, words.next()?, words.next()?);
        let action = Action::parse(action)?;
        let taken = || {
            let mark = file.with_extension(format!("taken-{number}"));
            times == "always" || OpenOptions::new().write(true).create_new(true).open(mark).is_ok()
        };
        ((name == "*" || name == function) && taken()).then_some(action)
    })
}

/// Writes a call down.
pub(crate) fn note(line: &str) {
    let Some(file) = std::env::var_os("FAULTING_CALLS") else { return };
    if let Ok(mut calls) = OpenOptions::new().append(true).create(true).open(file) {
        drop(calls.write_all(format!("{line}\n").as_bytes()));
    }
}
