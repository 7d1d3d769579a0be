//! What the service counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Counters since the start.
pub struct Stats {
    start: Instant,
    connections: AtomicU64,
    requests: AtomicU64,
}

impl Stats {
    /// Starts counting.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), connections: AtomicU64::new(0), requests: AtomicU64::new(0) })
    }

    /// Seconds since the start.
    pub fn uptime(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Requests that were answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Counts a request and tells its number, which names it in the log.
    pub fn request(&self) -> u64 {
        self.requests.fetch_add(1, Relaxed) + 1
    }

    /// Counts a connection for as long as the result lives.
    pub fn connection(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Relaxed);
        Connected(Arc::clone(self))
    }
}

/// An open connection.
pub struct Connected(Arc<Stats>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
