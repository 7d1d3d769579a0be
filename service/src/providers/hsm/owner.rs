//! The owner of a token: keeps a worker running, and lends its channels.
//!
//! A worker that is gone, hangs or has lost its token is replaced by a new one, by a thread that nobody waits for longer than a moment.
//! If that fails, it is tried again, less and less often.

use super::settings::Settings;
use crate::credential;
use crate::error::{Error, Result};
use crate::key::Uuid;
use crate::log::Kind as Event;
use crate::provider::Device;
use crate::store::Store;
use crate::worker::{Channel, Fault, Kind, Launcher, Login, Token};
use interface::operations::DestroyKey;
use interface::{ProviderId, Secret, Status};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Loading a library, and making a key, take so many times as long as any other request may.
pub(super) const MAKING: u32 = 10;
/// How long the start of the service, or a look at the token, waits for a worker.
const MOMENT: Duration = Duration::from_millis(500);
/// A worker that has lasted so long is replaced at once.
const LASTING: Duration = Duration::from_secs(5);
/// How long a request waits for a worker that takes the place of another one, and after how many starts in vain it does not.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const FEW: u32 = 2;
/// How long to wait before another one is started, after the first failure and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(4));

/// Owns a token.
pub(super) struct TokenOwner {
    pub(super) settings: Settings,
    launcher: Launcher,
    store: Arc<Store>,
    this: Weak<Self>,
    state: Mutex<State>,
    changed: Condvar,
    /// One at a time destroys what was left half made.
    recovering: Mutex<()>,
}

struct State {
    phase: Phase,
    /// Workers that did not last, since the last one that did.
    failures: u32,
    /// Starts that have failed, since the last one that did not.
    unstarted: u32,
    /// Why there is none.
    away: Option<String>,
    /// The PIN that was refused, should the disk not have taken that.
    refused: Option<Secret>,
    /// Manufacturer, model and serial number.
    device: Option<String>,
}

enum Phase {
    /// None, and none before then.
    Down(Instant),
    Starting,
    Up(Arc<Worker>),
}

/// A worker with its token.
pub(super) struct Worker {
    pub(super) token: Token,
    since: Instant,
    /// Keeps it running.
    _control: Mutex<Channel>,
    /// How many it has.
    pub(super) channels: usize,
    idle: Mutex<Option<Vec<Channel>>>,
    returned: Condvar,
}

impl TokenOwner {
    pub(super) fn new(settings: Settings, launcher: Launcher, store: &Arc<Store>) -> Arc<Self> {
        let state =
            State { phase: Phase::Down(Instant::now()), failures: 0, unstarted: 0, away: None, refused: None, device: None };
        Arc::new_cyclic(|this| Self {
            settings,
            launcher,
            store: Arc::clone(store),
            this: this.clone(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            recovering: Mutex::default(),
        })
    }

    /// The token, if it is there in a moment.
    pub(super) fn token(&self) -> Result<Arc<Worker>> {
        self.worker(MOMENT)
    }

    /// Does once what must not be done twice.
    pub(super) fn once<T>(&self, work: impl FnOnce(&Channel) -> Result<T, Fault>) -> Result<T, Failure> {
        let (worker, channel) = loop {
            let worker = self.worker(PATIENCE).map_err(Failure::Away)?;
            match worker.take(self.settings.limit) {
                Taken::Channel(channel) => break (worker, channel),
                Taken::Closed => {}
                Taken::Busy => return Err(Failure::Busy),
            }
        };
        match work(&channel) {
            Err(fault) if lost(&fault) => {
                self.replace(&worker, &fault);
                Err(Failure::Lost(fault))
            }
            done => {
                worker.put(channel);
                done.map_err(Failure::Refused)
            }
        }
    }

    /// Does what may be done twice, so once more on a new worker where the first one was lost.
    pub(super) fn run<T>(&self, work: impl Fn(&Channel) -> Result<T, Fault>) -> Result<T, Failure> {
        match self.once(&work) {
            Err(Failure::Lost(_)) => self.once(&work),
            done => done,
        }
    }

    /// Destroys what the token has of keys that are none, as far as it can be reached.
    pub(super) fn recover(&self) {
        if let Err(failure) = self.run(|channel| self.settle(channel)) {
            tracing::warn!("what the token still has of a key that is none is destroyed later: {}", failure.explain());
        }
    }

    /// Whether the token may still have something of a key that is none.
    pub(super) fn left(&self, uuid: Uuid) -> bool {
        self.store.pending(ProviderId::PKCS11).is_ok_and(|pending| pending.iter().any(|key| key.uuid == uuid))
    }

    fn settle(&self, channel: &Channel) -> Result<(), Fault> {
        let _one = self.recovering.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.store.pending(ProviderId::PKCS11);
        let pending = pending.map_err(|error| tracing::error!(event = Event::Damage.name(), "{error}")).unwrap_or_default();
        for key in pending {
            match channel.call(&DestroyKey { key_name: key.uuid.to_string(), owner: None }, self.settings.limit) {
                Ok(_) => self.store.settle(&key),
                Err(fault) if lost(&fault) => return Err(fault),
                Err(fault) => {
                    tracing::error!("the token does not destroy what it has of the key '{}', which is none: {fault}", key.name)
                }
            }
        }
        Ok(())
    }

    /// A running worker, waiting for one so long.
    fn worker(&self, patience: Duration) -> Result<Arc<Worker>> {
        let mut state = self.state();
        let deadline = Instant::now() + patience;
        loop {
            let now = Instant::now();
            let deadline = if state.unstarted > FEW { now } else { deadline };
            let until = match &state.phase {
                Phase::Up(worker) => return Ok(Arc::clone(worker)),
                Phase::Starting => deadline,
                Phase::Down(next) if *next <= now => {
                    state.phase = Phase::Starting;
                    self.begin();
                    deadline
                }
                Phase::Down(next) if *next < deadline => *next,
                Phase::Down(_) => now,
            };
            let Some(left) = until.checked_duration_since(now).filter(|left| !left.is_zero()) else {
                drop(state);
                return Err(self.gone());
            };
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Starts a worker on another thread: a library may take minutes to begin.
    fn begin(&self) {
        let Some(owner) = self.this.upgrade() else { return };
        std::thread::spawn(move || {
            let started = owner.start();
            let mut state = owner.state();
            match started {
                Ok(worker) => {
                    if state.away.take().is_some() {
                        tracing::info!(event = Event::Start.name(), "the token is back");
                    }
                    state.unstarted = 0;
                    state.phase = Phase::Up(Arc::new(worker));
                }
                Err(error) => {
                    owner.launcher.kill();
                    state.unstarted += 1;
                    owner.fail(&mut state, error.to_string());
                }
            }
            owner.changed.notify_all();
        });
    }

    fn start(&self) -> Result<Worker> {
        let (settings, limit) = (&self.settings, self.settings.limit);
        let control = Channel::new(self.launcher.worker()?);
        let token = control.ask(&settings.open, limit * MAKING).map_err(|fault| silence(&fault))?;
        let device = format!("{} {} {}", token.manufacturer, token.model, token.serial);
        let before = self.state().device.get_or_insert_with(|| device.clone()).clone();
        if before != device {
            return Err(away(format!("another token is in its place: it was {before}, and now it is {device}")));
        }
        self.log_in(&control, &token, &device)?;
        let most = token.sessions.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).min(settings.sessions);
        let channels = control.further(most, limit).map_err(|fault| silence(&fault))?;
        let first = channels.first().ok_or_else(|| away("the token has no session for the service".to_owned()))?;
        self.settle(first).map_err(|fault| silence(&fault))?;
        Ok(Worker {
            token,
            since: Instant::now(),
            _control: Mutex::new(control),
            channels: channels.len(),
            idle: Mutex::new(Some(channels)),
            returned: Condvar::new(),
        })
    }

    /// Logs in with a PIN that the token has not refused: each refusal may be the last but one.
    fn log_in(&self, control: &Channel, token: &Token, device: &str) -> Result<()> {
        let Some(source) = &self.settings.pin else {
            if token.login {
                return Err(away("the token wants a PIN: set user_pin in the configuration".to_owned()));
            }
            return control.ask(&Login::default(), self.settings.limit).map(drop).map_err(|fault| silence(&fault));
        };
        if token.locked {
            return Err(away("the token has locked its PIN: its security officer unlocks it (C_InitPIN)".to_owned()));
        }
        let pin = credential::resolve(source).map_err(|why| away(format!("user_pin: {why}")))?;
        if self.store.was_refused(device, &pin) || self.state().refused.as_ref() == Some(&pin) {
            let file = self.store.refused_pins();
            return Err(away(format!(
                "the token has refused the PIN, and a few wrong ones lock it, so it is not tried again: put the right one where user_pin \
                 is; to have the same tried once more, remove {}",
                file.display()
            )));
        }
        match control.ask(&Login { pin: pin.to_vec() }, self.settings.limit) {
            Ok(_) => self.store.note_refused(device, None),
            Err(fault @ Fault::Refused { kind: Kind::Pin, .. }) => {
                tracing::error!("the token refuses the PIN: {fault}");
                let noted = self.store.note_refused(device, Some(&pin));
                self.state().refused = noted.is_err().then_some(pin);
                noted?;
                Err(away(format!("the token refuses the PIN ({fault}): put the right one where user_pin is")))
            }
            Err(fault) => Err(silence(&fault)),
        }
    }

    /// Gives a worker up, unless another one is in its place already.
    fn replace(&self, worker: &Arc<Worker>, fault: &Fault) {
        let mut state = self.state();
        if !matches!(&state.phase, Phase::Up(current) if Arc::ptr_eq(current, worker)) {
            return;
        }
        tracing::error!("starting anew with the token: {fault}");
        self.launcher.kill();
        worker.close();
        if worker.since.elapsed() > LASTING {
            state.failures = 0;
            state.phase = Phase::Down(Instant::now());
            state.away = Some(fault.to_string());
        } else {
            self.fail(&mut state, fault.to_string());
        }
        self.changed.notify_all();
    }

    fn fail(&self, state: &mut State, why: String) {
        let pause = (PAUSES.0 * 2_u32.saturating_pow(state.failures.min(16))).min(PAUSES.1);
        state.failures += 1;
        state.phase = Phase::Down(Instant::now() + pause);
        state.away = Some(why);
    }

    /// The refusal while there is no worker.
    fn gone(&self) -> Error {
        away(self.state().away.clone().unwrap_or_else(|| "the token's library is still starting".to_owned()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Device for TokenOwner {
    fn away(&self) -> Option<String> {
        self.state().away.clone()
    }

    fn look(&self) {
        let _ = self.worker(MOMENT);
    }
}

impl Worker {
    fn take(&self, limit: Duration) -> Taken {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let none = |idle: &mut Option<Vec<Channel>>| idle.as_ref().is_some_and(Vec::is_empty);
        let (mut idle, _) = self.returned.wait_timeout_while(idle, limit, none).unwrap_or_else(PoisonError::into_inner);
        match &mut *idle {
            None => Taken::Closed,
            Some(idle) => idle.pop().map_or(Taken::Busy, Taken::Channel),
        }
    }

    fn put(&self, channel: Channel) {
        if let Some(idle) = &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner) {
            idle.push(channel);
        }
        self.returned.notify_one();
    }

    /// Nobody waits for it any more.
    fn close(&self) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.returned.notify_all();
    }
}

/// What is had of a worker's channels.
enum Taken {
    Channel(Channel),
    /// It was given up.
    Closed,
    /// All are at work.
    Busy,
}

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no worker.
    Away(Error),
    /// All sessions are at work.
    Busy,
    /// There was one, and it may have done it.
    Lost(Fault),
    /// The token has refused it.
    Refused(Fault),
}

impl Failure {
    /// The token does not have the key.
    pub(super) fn missing(&self) -> bool {
        matches!(self, Self::Refused(Fault::Refused { kind: Kind::Missing, .. }))
    }

    /// What the client and the log are told.
    pub(super) fn explain(self) -> Error {
        match self {
            Self::Away(error) => away(format!("the token is away and comes back by itself: {error}; see: parsec providers")),
            Self::Busy => {
                let detail = "busy: all sessions of the token are at work; try again later";
                Error::refused(Status::PsaErrorInsufficientMemory, detail)
            }
            Self::Refused(Fault::Refused { status, detail, .. }) => Error::refused(status, detail),
            Self::Lost(fault) | Self::Refused(fault) => silence(&fault),
        }
    }
}

/// A new worker may help.
fn lost(fault: &Fault) -> bool {
    match fault {
        Fault::Broken | Fault::Late(_) => true,
        Fault::Refused { kind, .. } => *kind == Kind::Lost,
    }
}

fn silence(fault: &Fault) -> Error {
    away(fault.to_string())
}

fn away(why: String) -> Error {
    Error::refused(Status::PsaErrorCommunicationFailure, why)
}
