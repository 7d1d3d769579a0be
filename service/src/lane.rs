//! The queue for what takes long: key generation, disks, devices.
//!
//! Principals take turns however many requests one of them sends. Nobody waits for ever: one with too many waiting is told so at once,
//! a turn that does not come ends the wait, and a device that hangs keeps its thread, not the lane.

use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::turns::{DEPTH, Turn, Turns};
use interface::Status;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that may hang before no further one is tried.
const HANGING: usize = 4;

/// A provider's queue.
pub struct Lane {
    turns: Turns,
    hanging: Arc<Semaphore>,
    patience: Duration,
}

/// What a request holds while it runs: its turn, later a place among those that hang.
type Place = Mutex<Option<Box<dyn Any + Send>>>;

impl Lane {
    /// A lane that runs so many requests at a time.
    pub fn new(workers: usize) -> Self {
        Self { turns: Turns::new(workers), hanging: Arc::new(Semaphore::new(HANGING)), patience: PATIENCE }
    }

    /// Runs `work`, which may block, when its turn has come, and gives it up when it takes longer than `limit`: it may still be
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
        let busy = |why: String| Error::refused(Status::PsaErrorInsufficientMemory, format!("busy: {why}; try again later"));
        let late = |_| busy(format!("the request's turn has not come within {:?}", self.patience));
        let turn = timeout(self.patience, self.turns.take(principal.clone())).await.map_err(late)?.ok_or_else(|| {
            let who = principal.as_ref().map_or_else(|| "unauthenticated clients".to_owned(), ToString::to_string);
            busy(format!("{DEPTH} requests of {who} are waiting already"))
        })?;
        self.bounded(turn, limit, work).await
    }

    async fn bounded<T: Send + 'static>(
        &self,
        turn: Turn,
        limit: Duration,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::new(Place::new(Some(Box::new(turn))));
        let taken = Arc::clone(&place);
        let work = move || {
            let result = work();
            drop(held(&taken).take());
            result
        };
        // The new task runs on this thread next, and others take its place: that spares the work the waking of a thread.
        let task = tokio::spawn(async { tokio::task::block_in_place(work) });
        let Ok(done) = timeout(limit, task).await else {
            if let (place @ Some(_), Ok(hanging)) = (&mut *held(&place), Arc::clone(&self.hanging).try_acquire_owned()) {
                *place = Some(Box::new(hanging));
            }
            let fate = "it was given up, and may still be done";
            return Err(silent(format!("the device has not answered the request within {limit:?}: {fate}")));
        };
        done.map_err(|_| Error::refused(Status::PsaErrorGenericError, "the service is stopping"))?
    }
}

fn held(place: &Place) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
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
    async fn hang(lane: &Arc<Lane>, limit: Duration) -> (tokio::task::JoinHandle<Result<()>>, mpsc::Sender<()>) {
        let (sender, receiver) = mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let lane = Arc::clone(lane);
        let work = move || {
            let _ = started.send(());
            let _ = receiver.recv();
            Ok(())
        };
        let task = tokio::spawn(async move { lane.run(None, limit, work).await });
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
            lane.run(None, LONG, || Ok(())).await.unwrap();
            let (given_up, release) = hang(&lane, SOON).await;
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_turn_that_does_not_come_ends_the_wait() {
        let lane = Arc::new(Lane { patience: SOON, ..Lane::new(1) });
        let (running, release) = hang(&lane, LONG).await;
        let (same, other) = (lane.run(None, LONG, || Ok(())), lane.run(Some(Principal::Uid(1)), LONG, || Ok(())));
        assert_eq!(status(same.await), Status::PsaErrorInsufficientMemory);
        assert_eq!(status(other.await), Status::PsaErrorInsufficientMemory);
        drop(release);
        running.await.unwrap().unwrap();
        lane.run(None, LONG, || Ok(())).await.unwrap();
    }
}
