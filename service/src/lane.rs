//! The queue for what takes long: key generation, disks, devices.
//!
//! Each principal has at most one request in the provider's own first-come queue, so principals take turns however many requests
//! one of them sends. A principal with too many waiting is told so at once.

use crate::auth::Principal;
use crate::error::{Error, Result};
use interface::Status;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Waiting and running requests that one principal may have.
const DEPTH: usize = 64;

/// A provider's queue.
pub struct Lane {
    workers: Arc<Semaphore>,
    queues: Mutex<HashMap<Option<Principal>, Arc<Queue>>>,
}

struct Queue {
    turn: Semaphore,
    room: Arc<Semaphore>,
}

impl Lane {
    /// A lane that runs so many requests at a time.
    pub fn new(workers: usize) -> Self {
        Self { workers: Arc::new(Semaphore::new(workers)), queues: Mutex::default() }
    }

    /// Runs `work` on a thread of its own when its turn has come.
    ///
    /// # Errors
    /// [`Status::PsaErrorInsufficientMemory`] for a principal that has too much waiting; the work's own.
    pub async fn run<T: Send + 'static>(
        &self,
        principal: Option<Principal>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let queue = self.queue(&principal);
        let busy = || {
            let who = principal.as_ref().map_or_else(|| "unauthenticated clients".to_owned(), ToString::to_string);
            Error::refused(
                Status::PsaErrorInsufficientMemory,
                format!("busy: {DEPTH} requests of {who} are waiting already; try again later"),
            )
        };
        let _room = Arc::clone(&queue.room).try_acquire_owned().map_err(|_| busy())?;
        let _turn = queue.turn.acquire().await.map_err(|_| busy())?;
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| busy())?;
        let work = move || {
            let _worker = worker;
            work()
        };
        let stopped = |_| Error::refused(Status::PsaErrorGenericError, "the service is stopping");
        tokio::task::spawn_blocking(work).await.map_err(stopped)?
    }

    fn queue(&self, principal: &Option<Principal>) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| Arc::strong_count(queue) > 1 || queue.room.available_permits() < DEPTH);
        let new = || Arc::new(Queue { turn: Semaphore::new(1), room: Arc::new(Semaphore::new(DEPTH)) });
        Arc::clone(queues.entry(principal.clone()).or_insert_with(new))
    }
}
