//! `parsec doctor`: looks at all that an installation needs, and names what mends each thing that is missing.
//!
//! It changes nothing, and asks only what the user who types may see.

mod files;
mod keys;
mod service;

use super::context::{Connection, Context};
use super::error::{Error, Result};
use super::output::{Text, show};
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

/// A service that takes longer to answer hangs.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct Doctor {
    /// Look at the files below this folder, as those of the image of a container, and at no service
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

/// How it is with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Nothing is wrong, and something is not used.
    Note,
    Wrong,
}

/// What was found of one thing.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    told: Text,
    /// What mends it.
    cure: Option<Text>,
}

impl Finding {
    fn ok(what: &'static str, told: impl ToString) -> Self {
        Self { what, state: State::Ok, told: Text::new(told), cure: None }
    }

    fn note(what: &'static str, told: impl ToString, cure: impl ToString) -> Self {
        Self { what, state: State::Note, told: Text::new(told), cure: Some(Text::new(cure)) }
    }

    fn wrong(what: &'static str, told: impl ToString, cure: impl ToString) -> Self {
        Self { what, state: State::Wrong, told: Text::new(told), cure: Some(Text::new(cure)) }
    }
}

#[derive(Serialize)]
struct Report {
    findings: Vec<Finding>,
}

impl Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
        for Finding { what, state, told, cure } in &self.findings {
            let state = match state {
                State::Ok => "ok   ",
                State::Note => "note ",
                State::Wrong => "WRONG",
            };
            write!(f, "{state}  {what:<width$}  {told}")?;
            match cure {
                Some(cure) => writeln!(f, ": {cure}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

impl Doctor {
    pub(crate) fn run(&self, connection: &Connection) -> Result<()> {
        let mut findings = Vec::new();
        if self.root.is_none() {
            let Context { client, json } = Context::new(connection)?;
            findings.extend(service::examine(&Context { client: client.with_deadline(PATIENCE), json }));
        }
        findings.extend(files::examine(self.root.as_deref()));
        let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
        show(connection.json, &Report { findings })?;
        match wrong {
            0 => Ok(()),
            1 => Err(Error::Failed("one thing is wrong; its line says what mends it".to_owned())),
            _ => Err(Error::Failed(format!("{wrong} things are wrong; their lines say what mends them"))),
        }
    }
}
