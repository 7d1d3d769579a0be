//! Every message with which somebody is refused or failed says what, why and what to do next: the tables of messages in
//! `service/docs/troubleshooting.md`. Each row is provoked here, in the words of the page.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod import;
mod keys;
mod reach;
mod start;
mod tpm;

use std::collections::BTreeSet;
use std::fs;

use tests::{Page, STRANGER, Service, as_uid, run};

/// What provokes a message, and what is told then; `None` where this machine cannot.
type Provoke = fn(&mut Service) -> Option<String>;

/// A message as the page has it, what its last words must have as the next step, and what provokes it. `…` stands for what differs.
struct Row(&'static str, &'static str, Provoke);

/// The messages below one headline of the page.
struct Table {
    section: &'static str,
    /// What all rows begin with; `None` where this machine has it not.
    start: fn() -> Option<Service>,
    rows: &'static [Row],
}

const TABLES: [&Table; 6] = [&reach::REACH, &reach::OPENSSL, &keys::KEYS, &import::IMPORT, &start::START, &tpm::TPM];

impl Table {
    #[track_caller]
    fn check(&self) {
        let Some(mut service) = (self.start)() else { return };
        for Row(message, next, provoke) in self.rows {
            let Some(said) = provoke(&mut service) else { continue };
            // what others say stands in backquotes
            let message = message.replace('`', "");
            let after = follows(&said, &message);
            assert!(after.is_some(), "nobody says '{message}': {said}");
            assert!(after.and_then(|rest| follows(rest, next)).is_some(), "'{message}' does not lead to '{next}': {said}");
        }
    }
}

/// What stands behind the first place where all parts of a pattern follow each other.
fn follows<'t>(text: &'t str, pattern: &str) -> Option<&'t str> {
    pattern.split('…').map(str::trim).filter(|part| !part.is_empty()).try_fold(text, |rest, part| Some(rest.split_once(part)?.1))
}

/// The messages of each section of the page.
fn told() -> BTreeSet<(String, String)> {
    let page = Page::read("service/docs/troubleshooting.md");
    let (mut rows, mut section, mut inside) = (BTreeSet::new(), String::new(), false);
    for line in page.text.lines() {
        match line.split('|').nth(1).map(str::trim) {
            None => {
                section = line.strip_prefix("## ").map_or(section, str::to_owned);
                inside = false;
            }
            Some("message") => inside = true,
            Some(cell) if inside && !cell.starts_with('-') => drop(rows.insert((section.clone(), cell.to_owned()))),
            Some(_) => {}
        }
    }
    rows
}

#[test]
fn each_message_of_the_page_is_provoked_and_no_other() {
    let provoked = TABLES.iter().flat_map(|table| table.rows.iter().map(|row| (table.section.to_owned(), row.0.to_owned())));
    let (provoked, told) = (provoked.collect::<BTreeSet<_>>(), told());
    assert!(told.len() > 50, "{told:?}");
    let differ: Vec<_> = provoked.symmetric_difference(&told).collect();
    assert!(differ.is_empty(), "on the page or in the tables of the test alone: {differ:#?}");
}

#[test]
fn who_reaches_no_service_is_told_what_to_do() {
    reach::REACH.check();
}

#[test]
fn openssls_programs_tell_what_to_do() {
    reach::OPENSSL.check();
}

#[test]
fn refused_uses_of_keys_tell_what_to_do() {
    keys::KEYS.check();
}

#[test]
fn files_that_are_not_imported_tell_what_to_do() {
    import::IMPORT.check();
}

#[test]
fn a_service_that_does_not_start_tells_what_to_do() {
    start::START.check();
}

#[test]
fn a_tpm_that_does_not_serve_tells_what_to_do() {
    tpm::TPM.check();
}

/// What the command line says when it refuses this line.
#[track_caller]
fn refused(service: &Service, line: &str) -> String {
    run(&mut service.parsec(line.split(' '))).refused()
}

#[track_caller]
fn done(service: &Service, line: &str) -> String {
    run(&mut service.parsec(line.split(' '))).ok()
}

/// As [`refused`], to another user.
#[track_caller]
fn refused_stranger(service: &Service, line: &str) -> Option<String> {
    tests::may_change_user().then(|| {
        let mut command = service.command(service.staged("parsec"));
        run(as_uid(command.args(line.split(' ')), STRANGER)).refused()
    })
}

fn write(service: &Service, name: &str, text: impl AsRef<[u8]>) {
    fs::write(service.dir().join(name), text).unwrap();
}
