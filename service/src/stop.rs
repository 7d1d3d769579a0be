//! Tells everything that waits that the service ends.
//!
//! Running requests finish if they take no longer than [`GRACE`]. Waiting requests do not begin. The listener stays open until the
//! process ends, so that new clients wait for the next service instead of being refused.

use crate::error::Error;
use interface::Status;
use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;

/// How long what runs may take when the service stops. What is given up then is settled at the next start.
pub const GRACE: Duration = Duration::from_secs(1);

/// Whether the service stops.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A stop, and what brings it about when it sends true.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it has come.
    pub fn come(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it.
    pub async fn wait(&self) {
        if self.0.clone().wait_for(|come| *come).await.is_err() {
            // Nobody is left who could bring it about.
            pending::<()>().await;
        }
    }

    /// The refusal of a request that was waiting. Our client repeats the request to the next service.
    pub fn refusal() -> Error {
        Error::refused(Status::ConnectionError, "the service is stopping, and the request was not begun: ask again")
    }
}
