//! Whose turn it is with the chip.
//!
//! A chip that hangs keeps the thread that waits for it. The lane gives up the request, and the next one takes the seat over with a
//! new connection. What the other then has is of no use to anyone: should its answer come after all, it asks the chip nothing more.

use super::chip::Chip;
use super::failure::Failure;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Holds the chip while nobody uses it.
#[derive(Default)]
pub(super) struct Seat {
    latest: Arc<AtomicU64>,
    /// `None` also while there is no connection.
    chip: Mutex<Option<Chip>>,
}

/// The right to use the chip, until somebody else takes it.
#[derive(Clone)]
pub(super) struct Turn {
    number: u64,
    latest: Arc<AtomicU64>,
}

impl Seat {
    /// Takes the chip, away from whoever has it: the lane lets nobody in while another may still use it.
    pub(super) fn take(&self) -> (Turn, Option<Chip>) {
        let mut chip = self.chip.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.latest.fetch_add(1, Ordering::SeqCst) + 1;
        let turn = Turn { number, latest: Arc::clone(&self.latest) };
        let chip = chip.take().map(|chip| chip.in_turn(turn.clone()));
        (turn, chip)
    }

    /// Puts the chip back.
    pub(super) fn put(&self, turn: &Turn, chip: Option<Chip>) {
        let mut seat = self.chip.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.check().is_ok() {
            *seat = chip;
        } else if let Some(chip) = chip {
            drop(seat);
            chip.close();
        }
    }
}

impl Turn {
    /// Fails when somebody else has taken the chip.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.latest.load(Ordering::SeqCst) == self.number { Ok(()) } else { Err(Failure::Silent) }
    }
}
