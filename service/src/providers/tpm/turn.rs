//! Who holds the chip. A turn ends when somebody else takes the chip, whatever its holder is doing.

use super::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The right to use the chip, until somebody else takes it.
#[derive(Clone)]
pub(super) struct Turn {
    number: u64,
    latest: Arc<AtomicU64>,
}

impl Turn {
    /// The next one of those that are counted here.
    pub(super) fn new(latest: &Arc<AtomicU64>) -> Self {
        Self { number: latest.fetch_add(1, Ordering::SeqCst) + 1, latest: Arc::clone(latest) }
    }

    /// Fails when somebody else has taken the chip.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.latest.load(Ordering::SeqCst) == self.number { Ok(()) } else { Err(Failure::Silent) }
    }
}
