//! One operation of one subject, under each fault at each of its calls.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use interface::Status;
use interface::client::Error;
use tempfile::TempDir;

use super::call::CHIP;
use super::operation::{Operation, Phase};
use super::stage::{Left, Shelf, Subject, arm, bare, folder, keep, lay_out, left, place, stored};
use super::{Call, Desk, Disk, Event, Fault, Journal, Keep, Random, Traced, World};
use crate::{Service, command};

/// What came of one fault.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Which call met it; none where the service took another way this time.
    pub at: Option<String>,
    /// What was promised and does not hold.
    pub violations: Vec<String>,
    /// A client was told of a failure, and it was done.
    pub unsure: bool,
}

/// One operation, done once without a fault.
pub struct Bench {
    pub subject: Subject,
    pub operation: &'static Operation,
    image: Arc<TempDir>,
    /// What clients see before and after.
    old: World,
    new: World,
    /// As it was left by a run without a fault: its files, and what is in its TPM.
    left: Left,
    calls: Vec<Call>,
    history: History,
}

/// A run without a fault, from its start to the loss of power.
struct History {
    disk: Disk,
    journal: Journal,
    /// How many events came before the operation.
    begun: usize,
    seen: World,
    /// Its TPM before.
    chip: TempDir,
}

impl Bench {
    /// Does it without a fault.
    ///
    /// # Panics
    /// When that fails.
    pub fn new(shelf: &Shelf, operation: &'static Operation) -> Self {
        let (subject, image) = (shelf.subject, shelf.image(operation.found));
        let see = |service: &Service| World::see(&Desk::new(subject, service), operation.pins).expect("an answer");
        let mut service = lay_out(subject, image.path());
        service.restart();
        let old = see(&service);
        drop(service);

        let mut service = lay_out(subject, image.path());
        let (disk, chip) = (Disk::of(service.dir(), stored), folder());
        keep(service.dir(), chip.path());
        let mut traced = Traced::start(&service, None, operation.phase == Phase::Start);
        assert!(traced.ready(), "{}: {}", operation.name, service.log());
        let mut begun = begin(&traced, operation, &service);
        let desk = Desk::new(subject, &service);
        (operation.run)(&desk).unwrap_or_else(|error| panic!("{}: {error}", operation.name));
        traced.acknowledge();
        let mut calls = traced.calls();
        // Its public keys are those that the power loss must leave.
        let seen = World::see(&desk, false).expect("an answer");
        if operation.phase == Phase::Stop {
            begun = traced.arm();
            traced.stop();
            calls = traced.calls();
        }
        let journal = traced.end();
        service.restart();
        let new = see(&service);
        let left = left(&mut service);
        Self { subject, operation, image, old, new, left, calls, history: History { disk, journal, begun, seen, chip } }
    }

    /// How many of the operation's calls this can happen at.
    pub fn points(&self, fault: Fault) -> usize {
        self.calls.iter().filter(|call| fault.fits(call)).count()
    }

    /// Does it with this fault at this call, counted from 1.
    pub fn fail(&self, fault: Fault, at: usize) -> Trial {
        let Self { subject, operation, .. } = self;
        let mut service = lay_out(*subject, self.image.path());
        let disk = Disk::of(service.dir(), stored);
        let mut traced = Traced::start(&service, Some((fault, at)), operation.phase == Phase::Start);
        let (mut done, mut again, mut told) = (None, None, None);
        if traced.ready() {
            let desk = Desk::new(*subject, &service);
            begin(&traced, operation, &service);
            let result = (operation.run)(&desk);
            if operation.phase == Phase::Stop {
                traced.arm();
                traced.stop();
            } else if result.is_ok() {
                told = World::see(&desk, false).ok();
            } else if traced.runs() && refused(&result) {
                traced.mend();
                again = Some((operation.run)(&desk));
            }
            done = Some(result);
        }
        let hit = traced.hit();
        let flush = hit.as_ref().is_some_and(|call| Fault::Unflushed.fits(call));
        let journal = traced.end();
        let mut trial = Trial { at: hit.map(|call| call.to_string()), ..Trial::default() };
        if fault == Fault::Unflushed {
            let chip = folder();
            keep(service.dir(), chip.path());
            service = self.after(disk, journal.events(), Keep::Nothing, chip.path());
        }
        if fault == Fault::Full && operation.phase == Phase::Request {
            let traced = Traced::start(&service, Some((fault, 1)), true);
            if !traced.ready() {
                trial.violations.push(format!("it does not start while the disk is full: {}", last_words(&service)));
            }
        }
        let sure = [&done, &again].into_iter().any(|result| matches!(result, Some(Ok(()))));
        let now = self.judge(service, sure, told.as_ref(), &mut trial);
        if let (Some(now), Some(Err(error))) = (now, again) {
            trial.unsure = now.like(&self.new) && !self.new.like(&self.old);
            if !trial.unsure && !flush {
                trial.violations.push(format!("it fails again although nothing is wrong any more: {error}"));
            }
        }
        trial
    }

    /// After how many events the power may go.
    pub fn losses(&self) -> std::ops::RangeInclusive<usize> {
        self.history.begun..=self.history.journal.len()
    }

    /// Each way to lose the power after so many events: nothing of what was not flushed has arrived, everything, and so many times
    /// something. Ways that come to the same are one.
    pub fn ways(&self, events: usize, seed: u64, times: usize) -> Vec<Keep> {
        let mut disk = self.history.disk.clone();
        self.history.journal.events()[..events].iter().for_each(|event| disk.apply(event));
        let mut random = Random(seed ^ u64::try_from(events).unwrap_or(0));
        let some = (0..times).map(|_| Keep::Some(Random(random.number())));
        let all = [Keep::Nothing, Keep::Everything].into_iter().chain(some);
        let mut images = HashSet::new();
        all.filter(|keep| images.insert(disk.image(keep.clone()))).collect()
    }

    /// Takes the power away after so many events.
    pub fn lose(&self, events: usize, keep: Keep) -> Trial {
        let history = &self.history;
        let events = &history.journal.events()[..events];
        let sure = events.contains(&Event::Acknowledged);
        let at = events.last().map_or_else(|| "nothing".to_owned(), name);
        let mut trial = Trial { at: Some(format!("{} after {at}", events.len())), ..Trial::default() };
        let chip = events.iter().rev().find_map(|event| match event {
            Event::Chip(chip) => Some(chip),
            _ => None,
        });
        let image = folder();
        command::run(Command::new("cp").arg("-r").arg(history.chip.path().join(".")).arg(image.path())).ok();
        chip.into_iter().for_each(|chip| std::fs::write(image.path().join(CHIP), chip).expect("write the state of a TPM"));
        let service = self.after(history.disk.clone(), events, keep, image.path());
        self.judge(service, sure, sure.then_some(&history.seen), &mut trial);
        trial
    }

    /// The service on a disk that has lost its power after these events, not started.
    fn after(&self, mut disk: Disk, events: &[Event], keep: Keep, chip: &Path) -> Service {
        events.iter().for_each(|event| disk.apply(event));
        let service = bare(self.subject, chip);
        disk.image(keep).iter().for_each(|(path, bytes)| place(&service, path, bytes));
        service
    }

    /// Starts it without faults and holds it to what was promised. What clients see first.
    fn judge(&self, mut service: Service, sure: bool, told: Option<&World>, trial: &mut Trial) -> Option<World> {
        let Self { subject, operation, old, new, .. } = self;
        let see = |service: &Service| World::see(&Desk::new(*subject, service), operation.pins);
        let found = &mut trial.violations;
        if let Err(status) = service.try_restart() {
            found.push(format!("it does not start ({status}): {}", last_words(&service)));
            return None;
        }
        let now = match see(&service) {
            Ok(now) => now,
            Err(error) => {
                service.stop();
                found.push(format!("it does not answer: {error}: {}", last_words(&service)));
                return None;
            }
        };
        let (is_old, is_new) = (now.like(old), now.like(new));
        let whole = is_old || is_new || operation.many && now.between(old, new);
        if !whole {
            found.push(format!("neither before nor after it:\n        {}", now.differences(new)));
        } else if sure && !is_new {
            found.push(format!("it was answered, and is undone:\n        {}", now.differences(new)));
        }
        if let Some(name) = now.changed(old).or_else(|| now.changed(told?)) {
            found.push(format!("the key '{name}' has another public key"));
        }
        if !is_new || is_old {
            let again = (operation.run)(&Desk::new(*subject, &service)).and_then(|()| see(&service));
            match again {
                Err(error) => found.push(format!("after it, it cannot be done again: {error}")),
                Ok(again) if !again.like(new) => {
                    found.push(format!("done again, it comes out differently:\n        {}", again.differences(new)));
                }
                Ok(_) => {}
            }
        }
        service.kill9();
        if let Err(status) = service.try_restart() {
            found.push(format!("it does not start a second time ({status}): {}", last_words(&service)));
            return Some(now);
        }
        match see(&service) {
            Ok(later) if !later.like(new) => found.push(format!("lost later:\n        {}", later.differences(new))),
            Ok(_) => {}
            Err(error) => found.push(format!("it does not answer later: {error}")),
        }
        let left = left(&mut service);
        if left != self.left {
            found.push(format!("left behind: {left:?}, without a fault {:?}", self.left));
        }
        Some(now)
    }
}

fn last_words(service: &Service) -> String {
    let log = service.log();
    // Where a program panicked is no part of what it says.
    let mut last: Vec<_> = log.lines().rev().filter(|line| !line.starts_with("  ")).take(3).collect();
    last.reverse();
    last.join(" | ")
}

/// Whether the service has answered, and that it did not do it.
fn refused(result: &Result<(), Error>) -> bool {
    result.as_ref().is_err_and(|error| error.status().is_some_and(|status| status != Status::ConnectionError))
}

/// Lets the calls of the operation count, where those of the start do not. How many events came before.
fn begin(traced: &Traced, operation: &Operation, service: &Service) -> usize {
    if operation.phase == Phase::Start { 0 } else { arm(traced, service) }
}

fn name(event: &Event) -> String {
    let file = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match event {
        Event::Write { path, offset, data } => format!("{} bytes at {offset} of {}", data.len(), file(path)),
        Event::Resize { path, len } => format!("{} got {len} bytes long", file(path)),
        Event::Create(path) => format!("{} was made", file(path)),
        Event::Rename { from, to } => format!("{} became {}", file(from), file(to)),
        Event::Remove(path) => format!("{} was removed", file(path)),
        Event::Sync(path) => format!("{} was flushed", file(path)),
        Event::Lost(path) => format!("{} was not flushed", file(path)),
        Event::Chip(_) => "the TPM changed".to_owned(),
        Event::Acknowledged => "the answer".to_owned(),
    }
}
