//! `parsec setup`: makes a program use keys of the service, shows each change first, and can undo them all.

mod change;
mod plan;
mod record;
mod server;
mod tpm;
mod user;

use super::context::{Connection, Context, KeyArg, completions, provider};
use super::error::{Error, Result};
use super::output::Text;
use super::servers::{CANNOT, SERVERS};
use change::{Change, Desk, Place};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap_complete::engine::ArgValueCompleter;
use interface::ProviderId;
use interface::text::word;
use plan::{Lines, Plan, check};
use record::Records;
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Any other unit that uses OpenSSL: parsec openssl-env --install --unit UNIT")]
pub(crate) struct Setup {
    /// What to set up
    #[arg(value_parser = programs())]
    program: String,
    /// A key for it: a server's user may then sign with it, and /etc/parsec/NAME.pem refers to it
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(completions))]
    key: Option<String>,
    /// The provider of the key [default: the one that has it]
    #[arg(long, value_parser = provider, requires = "key")]
    provider: Option<ProviderId>,
    /// Show the changes and make none
    #[arg(long)]
    dry_run: bool,
    /// Make the changes without a question
    #[arg(short, long, conflicts_with = "dry_run")]
    yes: bool,
    /// Take back what was changed
    #[arg(long, conflicts_with_all = ["key", "provider"])]
    undo: bool,
    /// Set up a server whose files are below this folder, as for the image of a container
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    root: PathBuf,
}

fn programs() -> PossibleValuesParser {
    let servers = SERVERS.iter().map(|server| server.name);
    let known = servers.chain(["ssh", "git", "tpm"]).map(PossibleValue::new);
    PossibleValuesParser::new(known.chain(CANNOT.iter().map(|(name, _)| PossibleValue::new(name).hide(true))))
}

/// A change as people and scripts see it.
#[derive(Serialize)]
struct Step {
    what: &'static str,
    place: Text,
    old: Option<Text>,
    new: Option<Text>,
}

#[derive(Serialize)]
struct Changes {
    changes: Vec<Step>,
    /// What is not undone, and why.
    kept: Vec<Text>,
}

#[derive(Serialize)]
struct After {
    done: bool,
    /// Lines that the user writes.
    write: Vec<Lines>,
    /// Commands that are left to do.
    next: Vec<Text>,
}

#[derive(Serialize)]
struct Report<'a> {
    program: &'a str,
    #[serde(flatten)]
    changes: Changes,
    #[serde(flatten)]
    after: After,
}

impl Step {
    fn of(desk: &Desk<'_>, Change { place, old, new }: &Change, records: &Records) -> Self {
        let record = place.path() == Some(&records.path());
        let what = match place {
            _ if record => "record",
            Place::Folder { .. } => "folder",
            Place::File { .. } | Place::Blank { .. } => "file",
            Place::Block { .. } => "lines",
            Place::Git { .. } => "setting",
            Place::Grant { .. } => "grant",
        };
        let text = |text: &Option<String>| text.as_ref().map(|text| Text::new(if record { "" } else { text }));
        Self { what, place: Text(place.shown(desk)), old: text(old), new: text(new) }
    }
}

impl Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.changes.is_empty() {
            writeln!(f, "Nothing to change.")?;
        }
        for Step { what, place, old, new } in &self.changes {
            let verb = match (old, new) {
                (None, _) => "add",
                (_, None) => "remove",
                _ => "change",
            };
            let condition = if verb == "remove" && *what == "folder" { " (if it is empty)" } else { "" };
            writeln!(f, "{verb} {what}{condition}: {place}")?;
            let lines = |text: &Option<Text>| text.iter().flat_map(|text| text.0.lines()).map(str::to_owned).collect::<Vec<_>>();
            let (old, new) = (lines(old), lines(new));
            for line in old.iter().filter(|line| !new.contains(line)) {
                writeln!(f, "  - {line}")?;
            }
            for line in new.iter().filter(|line| !old.contains(line)) {
                writeln!(f, "  + {line}")?;
            }
        }
        self.kept.iter().try_for_each(|kept| writeln!(f, "leave {kept}"))
    }
}

impl Display for After {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Lines { file, lines } in &self.write {
            writeln!(f, "You write in {file}:")?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        self.next.iter().try_for_each(|next| writeln!(f, "then: {next}"))
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.changes, self.after)
    }
}

impl Setup {
    pub(crate) fn run(&self, connection: &Connection) -> Result<()> {
        if let Some((name, why)) = CANNOT.iter().find(|(name, _)| *name == self.program) {
            return Err(Error::Unsupported(format!("{name} cannot be set up: {why}")));
        }
        let context = Context::new(connection)?;
        let desk = Desk { root: &self.root, context: &context };
        let records = Records::load(&desk, &self.records()?, &self.program)?;
        let mut plan = self.plan(&desk, connection)?;
        let (write, next) = (std::mem::take(&mut plan.write), std::mem::take(&mut plan.next));
        let (steps, kept) = if self.undo { undoing(&desk, &records)? } else { (doing(&desk, plan, &records)?, Vec::new()) };
        let changes = steps.iter().map(|step| Step::of(&desk, step, &records));
        let changes = Changes { changes: changes.collect(), kept };
        if !context.json {
            context.show(&changes)?;
        }
        let done = !steps.is_empty() && self.agreed(&desk, &steps)?;
        if done {
            take(&desk, &steps)?;
        }
        let typed = (!steps.is_empty() && !done).then(|| self.command());
        let next = typed.into_iter().chain(next).map(Text).collect();
        let after = After { done, write, next };
        match context.json {
            true => context.show(&Report { program: &self.program, changes, after }),
            false => context.show(&after),
        }
    }

    fn plan(&self, desk: &Desk<'_>, connection: &Connection) -> Result<Plan> {
        let server = SERVERS.iter().find(|server| server.name == self.program);
        let tpm = self.program == "tpm";
        if self.undo {
            let next = if tpm { tpm::back() } else { server.map(server::back).unwrap_or_default() };
            return Ok(Plan { next, ..Plan::default() });
        }
        if tpm {
            return match self.key {
                Some(_) => {
                    Err(Error::Usage("a TPM takes any key: leave --key out, and make keys with --provider tpm".to_owned()))
                }
                None => tpm::plan(desk),
            };
        }
        let key = self.key.as_ref().map(|name| KeyArg { name: name.clone(), provider: self.provider, owner: None });
        let key = key.map(|key| desk.context.key(&key)).transpose()?;
        match server {
            Some(server) => server::plan(desk, server, key.as_ref(), connection.endpoint()?.as_ref()),
            None if self.program == "ssh" => user::ssh(key.as_ref()),
            None => user::git(desk, key.as_ref()),
        }
    }

    /// Where it is kept what was changed.
    fn records(&self) -> Result<PathBuf> {
        if self.program == "tpm" || SERVERS.iter().any(|server| server.name == self.program) {
            return Ok("/etc/parsec/setup".into());
        }
        match self.root == Path::new("/") {
            true => Ok(user::home()?.join(".local/state/parsec/setup")),
            false => {
                Err(Error::Usage(format!("--root is for servers and the TPM; {} is set up for you, in your home", self.program)))
            }
        }
    }

    /// Whether the user wants the changes, and may make them. Where nobody can be asked, only `--yes` says so.
    fn agreed(&self, desk: &Desk<'_>, steps: &[Change]) -> Result<bool> {
        let asks = !desk.context.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if self.dry_run || !self.yes && !asks {
            return Ok(false);
        }
        check(desk, steps)?;
        if self.yes {
            return Ok(true);
        }
        let mut answer = String::new();
        let asked = write!(std::io::stderr(), "Do this? [y/N] ");
        asked.and_then(|()| std::io::stdin().read_line(&mut answer)).map_err(Error::io("ask"))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            _ => Err(Error::Failed("nothing was changed".to_owned())),
        }
    }

    /// What to type for the changes to be made.
    fn command(&self) -> String {
        let mut command = format!("parsec setup {}", self.program);
        let root = (self.root != Path::new("/")).then(|| self.root.display().to_string());
        for (option, value) in
            [("--key", self.key.clone()), ("--provider", self.provider.map(|provider| provider.to_string())), ("--root", root)]
        {
            command += &value.map(|value| format!(" {option} {}", word(&value))).unwrap_or_default();
        }
        command + if self.undo { " --undo" } else { "" } + " --yes"
    }
}

/// The steps to what is wanted. The first ones write down what `--undo` has to know.
fn doing(desk: &Desk<'_>, mut plan: Plan, records: &Records) -> Result<Vec<Change>> {
    let mut after = records.clone();
    if plan.steps(desk, &mut after)?.is_empty() && after == *records {
        return Ok(Vec::new());
    }
    let (mut after, path) = (records.clone(), records.path());
    let folder = path.parent().unwrap_or(&path).to_owned();
    plan.wants.insert(0, (Place::Folder { path: folder }, String::new()));
    let mut steps = plan.steps(desk, &mut after)?;
    let above = |step: &&Change| step.place.path().is_some_and(|folder| path.starts_with(folder));
    let first = steps.iter().take_while(above).count();
    steps.insert(first, records.step(desk, Some(after.text()?))?);
    Ok(steps)
}

/// The steps back, and what stays. What another program needs goes when that is undone.
fn undoing(desk: &Desk<'_>, records: &Records) -> Result<(Vec<Change>, Vec<Text>)> {
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    let mut folders = Vec::new();
    for Change { place, old, new } in records.mine().iter().rev().filter(|change| !records.shared(&change.place)) {
        let now = place.read(desk)?;
        if now == *new {
            let steps = if matches!(place, Place::Folder { .. }) { &mut folders } else { &mut steps };
            steps.push(Change { place: place.clone(), old: now, new: old.clone() });
        } else if now != *old {
            kept.push(Text(format!("{}, which was changed since", place.shown(desk))));
        }
    }
    // The record goes when all that it tells of has gone, so that an undo which was killed can be done again; the folders may hold it.
    if !records.mine().is_empty() {
        steps.push(records.step(desk, None)?);
    }
    steps.append(&mut folders);
    Ok((steps, kept))
}

/// Takes all steps, or none.
fn take(desk: &Desk<'_>, steps: &[Change]) -> Result<()> {
    for (taken, step) in steps.iter().enumerate() {
        if let Err(error) = step.place.write(desk, step.new.as_deref()) {
            for step in steps[..taken].iter().rev() {
                let _ = step.place.write(desk, step.old.as_deref());
            }
            return Err(error);
        }
    }
    Ok(())
}
