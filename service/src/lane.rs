//! The queue for slow work: key generation, disks, devices.
//!
//! Users take turns, and so do the principals of one user, however many requests one of them sends. Nobody waits for ever: a
//! request whose turn does not come times out, and a device that hangs blocks its thread, not the lane. A thread that finishes a
//! request takes the next one itself, so the device does not wait for another thread to wake up.

use crate::auth::Party;
use crate::error::{Error, Result};
use crate::fair_queue::{FairQueue, Places};
use interface::Status;
use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many requests may hang. After that the lane refuses further ones.
const HANGING: usize = 4;

/// A provider's queue.
pub struct Lane {
    queue: FairQueue<Request>,
    hanging: Arc<Semaphore>,
    patience: Duration,
}

/// A request in the queue, as long as somebody waits for its result.
struct Request(Mutex<Phase>);

enum Phase {
    Waiting(Work),
    /// The start, and the place that it holds: its turn, later a place among the hanging requests.
    Running(Instant, Box<dyn Any + Send>),
    Over,
}

/// The work. It returns a closure that delivers the result.
type Work = Box<dyn FnOnce() -> Answer + Send>;
type Answer = Box<dyn FnOnce()>;

impl Lane {
    /// A lane that runs so many requests at a time. A principal runs one. A user leaves at least one place for others.
    pub fn new(workers: usize) -> Self {
        Self::with(workers, 1)
    }

    /// The same, where a principal may run as many as a user: so many programs are often one user's.
    pub fn shared(workers: usize) -> Self {
        Self::with(workers, workers)
    }

    fn with(workers: usize, principal: usize) -> Self {
        let user = workers.saturating_sub(1).max(1);
        let places = Places { all: workers, spare: 0, user, principal: principal.min(user) };
        Self { queue: FairQueue::new(places), hanging: Arc::new(Semaphore::new(HANGING)), patience: PATIENCE }
    }

    /// Runs `work` when its turn comes. It may block. If it takes longer than `limit`, the caller gives up, and the work may still finish
    /// or stop half done.
    ///
    /// # Errors
    /// [`Status::PsaErrorInsufficientMemory`] when no turn comes;
    /// [`Status::PsaErrorCommunicationFailure`] where the work takes too long, or too much other work hangs; the work's own.
    pub async fn run<T: Send + 'static>(
        &self,
        party: &Party,
        limit: Duration,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.hanging.available_permits() == 0 {
            return Err(silent(format!("{HANGING} requests hang, so no further one is tried: see that the device works")));
        }
        let (sender, mut done) = oneshot::channel();
        let request = Request::new(move || {
            let result = work();
            Box::new(|| drop(sender.send(result)))
        });
        self.queue.enqueue(party, &request);
        self.advance();
        let asked = Instant::now();
        while let Some(left) = request.left(self.patience.saturating_sub(asked.elapsed()), limit) {
            if let Ok(done) = timeout(left, &mut done).await {
                return done
                    .map_err(|_| Error::refused(Status::PsaErrorGenericError, "the service could not finish it: see its log"))?;
            }
        }
        Err(self.give_up(&request, limit))
    }

    /// Wakes a thread to do what can be done.
    fn advance(&self) {
        if self.queue.ready() {
            let queue = self.queue.clone();
            spawn_blocking(move || {
                while let Some((turn, request)) = queue.next() {
                    request.run(Box::new(turn));
                }
            });
        }
    }

    /// Lets others have the turn of a request that hangs.
    fn give_up(&self, request: &Request, limit: Duration) -> Error {
        let hanging = Arc::clone(&self.hanging).try_acquire_owned();
        let turn = match (&mut *request.phase(), hanging) {
            (Phase::Waiting(_), _) => {
                let detail = format!("busy: the request's turn has not come within {:?}; try again later", self.patience);
                return Error::refused(Status::PsaErrorInsufficientMemory, detail);
            }
            (Phase::Running(_, place), Ok(hanging)) => Some(mem::replace(place, Box::new(hanging))),
            _ => None,
        };
        drop(turn);
        self.advance();
        silent(format!("the request was not done within {limit:?}: it was given up, and may still be done"))
    }
}

impl Request {
    fn new(work: impl FnOnce() -> Answer + Send + 'static) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Phase::Waiting(Box::new(work)))))
    }

    /// Runs it while holding its place. The place is free again before the answer is delivered.
    fn run(&self, place: Box<dyn Any + Send>) {
        let before = mem::replace(&mut *self.phase(), Phase::Running(Instant::now(), place));
        let Phase::Waiting(work) = before else { return };
        let answer = catch_unwind(AssertUnwindSafe(work));
        let after = mem::replace(&mut *self.phase(), Phase::Over);
        drop(after);
        // After a panic there is no answer, and the caller notices that. The hook has logged the panic.
        if let Ok(answer) = answer {
            answer();
        }
    }

    /// How long to wait before looking again; `None` when it has been too long.
    fn left(&self, patience: Duration, limit: Duration) -> Option<Duration> {
        let left = match &*self.phase() {
            // It may begin at any time.
            Phase::Waiting(_) => patience.min(limit),
            Phase::Running(since, _) => limit.saturating_sub(since.elapsed()),
            Phase::Over => Duration::MAX,
        };
        (!left.is_zero()).then_some(left)
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent(detail: String) -> Error {
    Error::refused(Status::PsaErrorCommunicationFailure, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const ANYBODY: Party = Party { uid: 7, principal: None, privileged: false };
    const OTHER: Party = Party { uid: 8, ..ANYBODY };
    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(600);

    /// Starts work that lasts until the sender is dropped.
    async fn hang(lane: &Arc<Lane>, limit: Duration) -> (tokio::task::JoinHandle<Result<()>>, mpsc::Sender<()>) {
        let (sender, receiver) = mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let lane = Arc::clone(lane);
        let work = move || {
            let _ = started.send(());
            let _ = receiver.recv();
            Ok(())
        };
        let task = tokio::spawn(async move { lane.run(&ANYBODY, limit, work).await });
        running.await.unwrap();
        (task, sender)
    }

    fn status(result: Result<()>) -> Status {
        result.unwrap_err().status()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_that_hangs_is_given_up_and_the_lane_goes_on_until_too_much_hangs() {
        let lane = Arc::new(Lane::new(1));
        let mut hung = Vec::new();
        for _ in 0..HANGING {
            lane.run(&ANYBODY, LONG, || Ok(())).await.unwrap();
            let (given_up, release) = hang(&lane, SOON).await;
            assert_eq!(status(given_up.await.unwrap()), Status::PsaErrorCommunicationFailure);
            hung.push(release);
        }
        let refused = lane.run(&ANYBODY, LONG, || Ok(())).await;
        assert_eq!(status(refused), Status::PsaErrorCommunicationFailure);
        hung.pop();
        let recovered = async {
            while lane.run(&ANYBODY, LONG, || Ok(())).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, recovered).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_has_an_answer_may_ask_again() {
        let lane = Arc::new(Lane::new(1));
        let clients = (0..64).map(|_| {
            let lane = Arc::clone(&lane);
            tokio::spawn(async move {
                for _ in 0..200 {
                    lane.run(&ANYBODY, LONG, || Ok(())).await.unwrap();
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_told_and_the_lane_goes_on() {
        let lane = Lane::new(1);
        let panicked = lane.run(&ANYBODY, LONG, || -> Result<()> { panic!("on purpose") });
        assert_eq!(status(panicked.await), Status::PsaErrorGenericError);
        lane.run(&ANYBODY, LONG, || Ok(())).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_turn_that_does_not_come_ends_the_wait() {
        let lane = Arc::new(Lane { patience: SOON, ..Lane::new(1) });
        let (running, release) = hang(&lane, LONG).await;
        let (same, other) = (lane.run(&ANYBODY, LONG, || Ok(())), lane.run(&OTHER, LONG, || Ok(())));
        assert_eq!(status(same.await), Status::PsaErrorInsufficientMemory);
        assert_eq!(status(other.await), Status::PsaErrorInsufficientMemory);
        drop(release);
        running.await.unwrap().unwrap();
        lane.run(&ANYBODY, LONG, || Ok(())).await.unwrap();
    }
}
