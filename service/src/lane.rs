//! The queue for what takes long: key generation, disks, devices.
//!
//! Principals take turns however many requests one of them sends. One with too many waiting is told so at once.

use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::turns::{DEPTH, Turns};
use interface::Status;

/// A provider's queue.
pub struct Lane {
    turns: Turns,
}

impl Lane {
    /// A lane that runs so many requests at a time.
    pub fn new(workers: usize) -> Self {
        Self { turns: Turns::new(workers) }
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
        let turn = self.turns.take(principal.clone()).await.ok_or_else(|| {
            let who = principal.as_ref().map_or_else(|| "unauthenticated clients".to_owned(), ToString::to_string);
            let detail = format!("busy: {DEPTH} requests of {who} are waiting already; try again later");
            Error::refused(Status::PsaErrorInsufficientMemory, detail)
        })?;
        let work = move || {
            let _turn = turn;
            work()
        };
        let stopped = |_| Error::refused(Status::PsaErrorGenericError, "the service is stopping");
        tokio::task::spawn_blocking(work).await.map_err(stopped)?
    }
}
