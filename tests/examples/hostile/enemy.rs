//! The hostile process: some threads, each of which does one thing for as long as it is let.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use interface::{Operation, ProviderId, Status};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use tests::as_user;

use crate::Scale;
use crate::floods::Flood;
use crate::line::Line;

/// How long the first answer to a flood is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all threads of a flood share.
pub(crate) struct Enemy {
    /// Of the service.
    pub(crate) socket: PathBuf,
    /// How much.
    pub(crate) scale: Scale,
    done: AtomicU64,
    refused: AtomicU64,
}

impl Enemy {
    /// A new connection that has said Hello.
    pub(crate) fn open(&self) -> std::io::Result<Line> {
        Line::open(&self.socket)
    }

    /// Counts what came back, and shows the first refusal.
    pub(crate) fn answered(&self, (status, body): (Status, Vec<u8>)) {
        let count = if status == Status::Success { &self.done } else { &self.refused };
        if count.fetch_add(1, Ordering::Relaxed) == 0 && status != Status::Success {
            eprintln!("  the hostile user is refused: {status}: {}", String::from_utf8_lossy(&body));
        }
    }

    /// Answers so far.
    fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed)
    }

    /// Asks and counts.
    pub(crate) fn ask<O: Operation>(&self, line: &mut Line, provider: ProviderId, op: &O) -> std::io::Result<()> {
        self.answered(line.ask(&as_user(provider, op))?);
        Ok(())
    }

    /// Asks once, before the flood.
    pub(crate) fn prepare<O: Operation>(&self, provider: ProviderId, op: &O) {
        let mut line = self.open().expect("a connection");
        let (status, body) = line.ask(&as_user(provider, op)).expect("an answer");
        let refusal = String::from_utf8_lossy(&body);
        assert!(status == Status::Success, "the hostile user cannot prepare the flood: {status}: {refusal}");
    }

    /// Asks for all of these on so many connections, each until it is refused.
    pub(crate) fn share<O: Operation>(&self, threads: usize, count: usize, op: impl Fn(usize) -> O + Sync) {
        let op = &op;
        let one = move |thread: usize| {
            let Ok(mut line) = self.open() else { return };
            for number in (thread..count).step_by(threads) {
                if !matches!(line.ask(&as_user(ProviderId::SOFTWARE, &op(number))), Ok((Status::Success, _))) {
                    return;
                }
            }
        };
        std::thread::scope(|scope| (0..threads).for_each(|thread| drop(scope.spawn(move || one(thread)))));
    }
}

/// Prepares a flood, and lets it loose from one line of the standard input to the next.
pub(crate) fn run(flood: &'static Flood, socket: &Path, scale: Scale) {
    let files = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files });
    let enemy = Arc::new(Enemy { socket: socket.to_owned(), scale, done: AtomicU64::new(0), refused: AtomicU64::new(0) });
    (flood.prepare)(&enemy);
    println!("ready");
    let _ = std::io::stdout().flush();
    let mut lines = std::io::stdin().lock().lines();
    let _go = lines.next();
    let begun = Instant::now();
    for number in 0..flood.threads {
        let enemy = Arc::clone(&enemy);
        let attack = move || {
            // whoever is turned away comes back
            loop {
                let _ = (flood.attack)(&enemy, number);
                std::thread::sleep(Duration::from_micros(200));
            }
        };
        Builder::new().stack_size(128 << 10).spawn(attack).expect("start a thread");
    }
    while flood.answered && enemy.count() == 0 && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
    println!("under way");
    let _ = std::io::stdout().flush();
    let _enough = lines.next();
    println!("{} {}", enemy.done.load(Ordering::Relaxed), enemy.refused.load(Ordering::Relaxed));
}
