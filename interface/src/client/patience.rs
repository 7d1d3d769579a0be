//! How to wait for an answer.
//!
//! Waking a sleeping processor takes longer than a fast signature. So the thread polls for answers that usually come fast. If
//! polling does not pay, because the service takes longer or other threads need the processor, the thread sleeps at once.

use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Answers that usually take longer gain nothing worth mentioning from a thread that is awake.
const FAST: Duration = Duration::from_micros(150);
/// How long beyond the usual time the wait stays awake.
const GRACE: Duration = Duration::from_micros(60);
/// After two waits awake in vain, so many answers are slept for before it is tried again.
const REST: u32 = 64;
/// Spins between two looks at the socket: about a microsecond.
const PAUSES: u32 = 64;

/// What is known of the pace of a connection.
#[derive(Debug)]
pub(super) struct Patience {
    asked: Option<Instant>,
    usual: Duration,
    misses: u32,
    rest: u32,
    alone: bool,
}

impl Patience {
    pub(super) fn new() -> Self {
        let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
        Self { asked: None, usual: Duration::ZERO, misses: 0, rest: 0, alone: processors < 2 }
    }

    /// A request is about to be sent.
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// The first part of its answer has come.
    pub(super) fn served(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.usual = (self.usual * 7 + asked.elapsed()) / 8;
        }
    }

    /// Calls `receive` until it no longer says [`Errno::AGAIN`], or for as long as staying awake pays.
    pub(super) fn wait<T>(&mut self, mut receive: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        if self.alone || self.asked.is_none() || self.usual > FAST {
            return Err(Errno::AGAIN);
        }
        if self.rest > 0 {
            self.rest -= 1;
            return Err(Errno::AGAIN);
        }
        let start = Instant::now();
        loop {
            match receive() {
                Err(Errno::AGAIN) if start.elapsed() < self.usual + GRACE => pause(),
                Err(Errno::AGAIN) => {
                    self.misses += 1;
                    if self.misses >= 2 {
                        self.rest = REST;
                    }
                    return Err(Errno::AGAIN);
                }
                other => {
                    self.misses = 0;
                    return other;
                }
            }
        }
    }
}

/// Lets others have the processor: other threads, and the other half of a core, where the service may be at work.
fn pause() {
    rustix::thread::sched_yield();
    for _ in 0..PAUSES {
        std::hint::spin_loop();
    }
}
