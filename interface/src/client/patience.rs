//! How to wait for an answer.
//!
//! Waking a sleeping processor takes longer than a fast signature, so the last moment before an answer is due is spent awake. The
//! time that answers usually take is learnt; until shortly before it is over, the thread sleeps. Where that does not pay, because
//! other threads need the processor or the service takes long, the thread just sleeps.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long beyond the usual time the wait stays awake.
const AWAKE: Duration = Duration::from_micros(60);
/// A timer wakes a thread as much too late as this, so it is set to wake it so much earlier.
const SLACK: Duration = Duration::from_micros(120);
/// Answers that take longer gain nothing worth mentioning from a thread that is awake.
const SLOW: Duration = Duration::from_millis(4);
/// After two waits awake in vain, so many answers are slept for before it is tried again.
const REST: u32 = 64;

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

    /// Calls `receive` until it no longer says [`Errno::AGAIN`], or for as long as waiting awake pays.
    pub(super) fn wait<T>(
        &mut self,
        socket: impl AsFd,
        mut receive: impl FnMut() -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        if self.alone || self.asked.is_none() || self.usual > SLOW {
            return Err(Errno::AGAIN);
        }
        if self.rest > 0 {
            self.rest -= 1;
            return Err(Errno::AGAIN);
        }
        let sleep = self.usual.saturating_sub(SLACK);
        if !sleep.is_zero() {
            let timeout = Timespec::try_from(sleep).map_err(|_| Errno::AGAIN)?;
            let _ = poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&timeout));
        }
        let awake = self.usual - sleep + AWAKE;
        let start = Instant::now();
        loop {
            match receive() {
                Err(Errno::AGAIN) if start.elapsed() < awake => rustix::thread::sched_yield(),
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
