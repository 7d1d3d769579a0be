//! What the service counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Counters since the start.
pub struct Stats {
    start: Instant,
    requests: AtomicU64,
}

impl Stats {
    /// Starts counting.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), requests: AtomicU64::new(0) })
    }

    /// Seconds since the start.
    pub fn uptime(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    /// Requests that were answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Counts a request and tells its number, which names it in the log.
    pub fn request(&self) -> u64 {
        self.requests.fetch_add(1, Relaxed) + 1
    }
}
