//! The queue for what takes long: key generation, disks, devices.
//!
//! Each principal has at most one request in the provider's own first-come queue, so principals take turns however many requests
//! one of them sends. Nobody waits for ever: a principal with too many waiting is told so at once, a turn that does not come ends
//! the wait, and a device that hangs keeps its thread, not the lane.

use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::Status;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Waiting and running requests that one principal may have.
const DEPTH: usize = 64;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that may hang before no further one is tried.
const HANGING: usize = 4;

/// A provider's queue.
pub struct Lane {
    workers: Arc<Semaphore>,
    hanging: Arc<Semaphore>,
    patience: Duration,
    queues: Mutex<HashMap<Option<Principal>, Arc<Queue>>>,
}

struct Queue {
    turn: Semaphore,
    room: Arc<Semaphore>,
}

/// The place that a request takes up while it runs: a worker's, later one among those that hang.
type Place = Mutex<Option<OwnedSemaphorePermit>>;

impl Lane {
    /// A lane that runs so many requests at a time.
    pub fn new(workers: usize) -> Self {
        let [workers, hanging] = [workers, HANGING].map(|places| Arc::new(Semaphore::new(places)));
        Self { workers, hanging, patience: PATIENCE, queues: Mutex::default() }
    }

    /// Runs `work` on a thread of its own when its turn has come, and gives it up when it takes longer than `limit`: it may still be
    /// done then, or half done.
    ///
    /// # Errors
    /// [`Status::PsaErrorInsufficientMemory`] for a principal that has too much waiting, or when no turn comes;
    /// [`Status::PsaErrorCommunicationFailure`] where the work takes too long, or too much other work hangs; the work's own.
    pub async fn run<T: Send + 'static>(
        &self,
        principal: Option<Principal>,
        limit: Duration,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.hanging.available_permits() == 0 {
            return Err(silent(format!("{HANGING} requests to the device hang, so no further one is tried: see that it works")));
        }
        let queue = self.queue(&principal);
        let busy = |why: String| Error::refused(Status::PsaErrorInsufficientMemory, format!("busy: {why}; try again later"));
        let full = || {
            let who = principal.as_ref().map_or_else(|| "unauthenticated clients".to_owned(), ToString::to_string);
            busy(format!("{DEPTH} requests of {who} are waiting already"))
        };
        let late = || busy(format!("the request's turn has not come within {:?}", self.patience));
        let _room = Arc::clone(&queue.room).try_acquire_owned().map_err(|_| full())?;
        let turn = async { (queue.turn.acquire().await.ok(), Arc::clone(&self.workers).acquire_owned().await.ok()) };
        let (Some(_turn), Some(worker)) = timeout(self.patience, turn).await.map_err(|_| late())? else { return Err(late()) };
        self.bounded(worker, limit, work).await
    }

    async fn bounded<T: Send + 'static>(
        &self,
        worker: OwnedSemaphorePermit,
        limit: Duration,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::new(Place::new(Some(worker)));
        let taken = Arc::clone(&place);
        let work = move || {
            let result = work();
            drop(held(&taken).take());
            result
        };
        let Ok(done) = timeout(limit, tokio::task::spawn_blocking(work)).await else {
            if let (place @ Some(_), Ok(hanging)) = (&mut *held(&place), Arc::clone(&self.hanging).try_acquire_owned()) {
                *place = Some(hanging);
            }
            let fate = "it was given up, and may still be done";
            return Err(silent(format!("the device has not answered the request within {limit:?}: {fate}")));
        };
        done.map_err(|_| Error::refused(Status::PsaErrorGenericError, "the service is stopping"))?
    }

    fn queue(&self, principal: &Option<Principal>) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| Arc::strong_count(queue) > 1 || queue.room.available_permits() < DEPTH);
        let new = || Arc::new(Queue { turn: Semaphore::new(1), room: Arc::new(Semaphore::new(DEPTH)) });
        Arc::clone(queues.entry(principal.clone()).or_insert_with(new))
    }
}

fn held(place: &Place) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silent(detail: String) -> Error {
    Error::refused(Status::PsaErrorCommunicationFailure, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(600);

    /// Starts work that lasts until the sender is dropped.
    fn hang(lane: &Arc<Lane>, limit: Duration) -> (tokio::task::JoinHandle<Result<()>>, mpsc::Sender<()>) {
        let (sender, receiver) = mpsc::channel::<()>();
        let lane = Arc::clone(lane);
        let work = move || {
            let _ = receiver.recv();
            Ok(())
        };
        (tokio::spawn(async move { lane.run(None, limit, work).await }), sender)
    }

    fn status(result: Result<()>) -> Status {
        result.unwrap_err().status()
    }

    #[tokio::test]
    async fn work_that_hangs_is_given_up_and_the_lane_goes_on_until_too_much_hangs() {
        let lane = Arc::new(Lane::new(1));
        let mut hung = Vec::new();
        for _ in 0..HANGING {
            lane.run(None, LONG, || Ok(())).await.unwrap();
            let (given_up, release) = hang(&lane, SOON);
            assert_eq!(status(given_up.await.unwrap()), Status::PsaErrorCommunicationFailure);
            hung.push(release);
        }
        let refused = lane.run(None, LONG, || Ok(())).await;
        assert_eq!(status(refused), Status::PsaErrorCommunicationFailure);
        hung.pop();
        let recovered = async {
            while lane.run(None, LONG, || Ok(())).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, recovered).await.unwrap();
    }

    #[tokio::test]
    async fn a_turn_that_does_not_come_ends_the_wait() {
        let lane = Arc::new(Lane { patience: SOON, ..Lane::new(1) });
        let (running, release) = hang(&lane, LONG);
        while lane.workers.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let (same, other) = (lane.run(None, LONG, || Ok(())), lane.run(Some(Principal::Uid(1)), LONG, || Ok(())));
        assert_eq!(status(same.await), Status::PsaErrorInsufficientMemory);
        assert_eq!(status(other.await), Status::PsaErrorInsufficientMemory);
        drop(release);
        running.await.unwrap().unwrap();
        lane.run(None, LONG, || Ok(())).await.unwrap();
    }
}
