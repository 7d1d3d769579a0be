//! Completions: a shell asks this program, which knows its grammar, and what an argument can be.

use super::error::{Error, Result};
use clap_complete::env::{CompleteEnv, Shells};

/// In which a shell says its name when it asks.
const VARIABLE: &str = "PARSEC_COMPLETE";
const PROGRAM: &str = "parsec";

/// Answers a shell that asks, and ends the program then.
pub(crate) fn answer(grammar: fn() -> clap::Command) {
    CompleteEnv::with_factory(grammar).var(VARIABLE).complete();
}

/// What has a shell ask.
pub(crate) fn script(shell: clap_complete::Shell) -> Result<Vec<u8>> {
    let (mut script, shells) = (Vec::new(), Shells::builtins());
    if let Some(shell) = shells.completer(&shell.to_string()) {
        let written = shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script);
        written.map_err(Error::io("write the completions".to_owned()))?;
    }
    Ok(script)
}
