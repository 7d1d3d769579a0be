//! The owner of the connection to a chip. Threads borrow the connection one after another.
//!
//! A chip that hangs keeps the thread that waits for it. The lane gives up that request, and the next one opens a new connection. If
//! the answer comes after all, it is dropped, and the old thread sends no more commands.

use super::chip::Chip;
use super::failure::{Failure, silence};
use super::settings::Settings;
use super::turn::Turn;
use crate::provider::Device;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

/// Starts that may hang before no further one is tried.
const HANGING: usize = 4;
/// How often a busy chip is asked again, first after so many milliseconds, then after twice as many each time.
const PATIENCE: (u32, u64) = (8, 10);

static OWNERS: Mutex<Vec<Weak<ChipOwner>>> = Mutex::new(Vec::new());

/// Holds the chip while nobody uses it.
pub(super) struct ChipOwner {
    pub(super) settings: Settings,
    latest: Arc<AtomicU64>,
    state: Mutex<State>,
    free: Condvar,
    /// Starts that wait for the chip.
    hanging: AtomicUsize,
    /// Why the chip did not answer the last time.
    away: Mutex<Option<String>>,
}

#[derive(Default)]
struct State {
    /// When the chip was taken, while it is.
    taken: Option<Instant>,
    /// `None` also where there is no connection.
    chip: Option<Chip>,
}

impl ChipOwner {
    /// The owner of this chip, one for all providers that reach it in the same way: a bare chip takes one connection only.
    pub(super) fn shared(settings: Settings) -> Arc<Self> {
        let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
        let found = owners.iter().filter_map(Weak::upgrade).find(|chip_owner| chip_owner.settings.same_way(&settings));
        found.unwrap_or_else(|| {
            let free = Self {
                settings,
                latest: Arc::default(),
                state: Mutex::default(),
                free: Condvar::new(),
                hanging: AtomicUsize::new(0),
                away: Mutex::default(),
            };
            let chip_owner = Arc::new(free);
            owners.push(Arc::downgrade(&chip_owner));
            chip_owner
        })
    }

    /// Runs commands on the chip. If the chip has lost its loaded keys or does not answer, runs them once more on a new connection. If
    /// the chip is busy, repeats them for a while.
    pub(super) fn run<T>(&self, work: impl Fn(&mut Chip) -> Result<T, Failure>) -> Result<T, Failure> {
        let (turn, mut chip) = self.take();
        let attempt = |chip: &mut Option<Chip>| match chip {
            Some(chip) => work(chip),
            none => work(none.insert(Chip::connect(&self.settings, turn.clone())?)),
        };
        let mut renewed = false;
        let result = patiently(|| match attempt(&mut chip) {
            Err(failure) if failure.lost() && !renewed => {
                if chip.is_some() {
                    let why = if failure.unreachable() { silence(&self.settings) } else { failure.to_string() };
                    tracing::warn!("starting anew with the TPM: {why}");
                }
                renewed = true;
                chip.take().into_iter().for_each(Chip::close);
                attempt(&mut chip)
            }
            result => result,
        });
        self.put(&turn, chip);
        self.note(result.as_ref().err());
        result
    }

    /// Remembers whether the chip has answered.
    fn note(&self, failure: Option<&Failure>) {
        let away = failure.filter(|failure| failure.unreachable()).map(|_| silence(&self.settings));
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
    }

    /// As [`Self::run`], given up when it takes longer than a request may: for the start, which no lane bounds.
    pub(super) fn first<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Fn(&mut Chip) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        if self.hanging.fetch_add(1, Relaxed) >= HANGING {
            self.hanging.fetch_sub(1, Relaxed);
            return Err(Failure::Silent);
        }
        let (sender, receiver) = mpsc::channel();
        let chip_owner = Arc::clone(self);
        std::thread::spawn(move || {
            let result = chip_owner.run(work);
            chip_owner.hanging.fetch_sub(1, Relaxed);
            drop(sender.send(result));
        });
        receiver.recv_timeout(self.settings.limit).unwrap_or(Err(Failure::Silent))
    }

    /// Takes the chip when it is free, or when whoever has it has had it for as long as a request may.
    fn take(&self) -> (Turn, Option<Chip>) {
        let mut state = self.state();
        while let Some(left) = state.taken.and_then(|taken| self.settings.limit.checked_sub(taken.elapsed())) {
            (state, _) = self.free.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        if state.taken.replace(Instant::now()).is_some() {
            self.note(Some(&Failure::Silent));
        }
        let turn = Turn::new(&self.latest);
        let chip = state.chip.take().map(|chip| chip.in_turn(turn.clone()));
        (turn, chip)
    }

    fn put(&self, turn: &Turn, chip: Option<Chip>) {
        let mut state = self.state();
        if turn.check().is_ok() {
            *state = State { taken: None, chip };
            self.free.notify_one();
        } else if let Some(chip) = chip {
            drop(state);
            chip.close();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Device for ChipOwner {
    fn away(&self) -> Option<String> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever has the chip already will tell.
    fn look(&self) {
        if self.state().taken.is_none() {
            let _ = self.run(|_| Ok(()));
        }
    }
}

/// Does it again, for a while, when the chip is busy.
fn patiently<T>(mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let (times, first) = PATIENCE;
    for wait in (0..times).map(|time| Duration::from_millis(first << time)) {
        match work() {
            Err(failure) if failure.busy() => std::thread::sleep(wait),
            result => return result,
        }
    }
    work()
}
