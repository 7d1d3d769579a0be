//! A counter outside the store that reveals a rollback of the whole file.
//!
//! An older copy of the file is valid in itself. So the head records the value of a counter in a device. Some changes must not be
//! undone, such as the end of a grant or a key. Before the service answers such a request, it commits the head with the next value
//! and then raises the counter. After a crash between the two the counter is behind, which does no harm. It is ahead only of an
//! older store.

use super::change::Change;
use super::note::ACCEPTING;
use super::{Store, file};
use crate::error::{Error, Result};
use crate::log::Kind;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far the head may be ahead of a counter that cannot be raised at the moment.
const AHEAD: u64 = 8;

/// A counter that only goes up, and survives the loss of power.
pub trait Counter: Send + Sync + 'static {
    /// Raises it to this count, unless it is there already, and returns the count that it has then.
    ///
    /// # Errors
    /// The device's.
    fn raise(&self, count: u64) -> Result<u64>;
}

/// The counter of this store.
pub(super) struct Anchor {
    counter: Box<dyn Counter>,
    /// The count that it had when it was last seen.
    seen: AtomicU64,
}

impl std::fmt::Debug for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anchor").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Store {
    /// Whether it has a counter.
    pub fn anchored(&self) -> bool {
        self.anchor.get().is_some()
    }

    /// Compares the store with a counter, and raises the counter from now on. `device` identifies the counter across restarts. `count`
    /// is its value; `None` means that it is new.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the counter is ahead, unless the store was opened to accept that; the counter's own.
    pub fn anchor_to(&self, device: &[u8], count: Option<u64>, counter: impl Counter) -> Result<()> {
        let mut db = self.db();
        let mut change = db.ending(&self.keys)?;
        let same = change.head.counter == device;
        match count {
            Some(count) if (same || change.head.counter.is_empty()) && count > change.head.count => {
                let told = format!(
                    "the store is an older copy: it was last written at count {}, and the TPM's counter says {count}",
                    change.head.count
                );
                if !self.accept_loss {
                    return Err(Error::Corrupt(format!(
                        "{told}. Put the newest one back, or go on with this one: {}. Nothing was changed",
                        ACCEPTING
                    )));
                }
                tracing::error!(event = Kind::Damage.name(), "key store: {told}; going on with it, as it was asked for");
            }
            Some(_) if same => {}
            _ if change.head.counter.is_empty() => {
                tracing::info!("key store: from now on the TPM tells when an older copy is in its place")
            }
            _ => tracing::warn!(
                "key store: the TPM has no counter of this store, because it is another one, was cleared, or somebody removed the counter: whether this is an older copy of the store cannot be told this time"
            ),
        }
        let seen = count.unwrap_or_default();
        change.head.counter = device.to_vec();
        change.head.count = seen + 1;
        let noted = change.commit();
        drop(db);
        // A disk that is full keeps nobody from the keys.
        let seen = match noted {
            Ok(()) => self.catch_up(counter.raise(seen + 1)?),
            Err(error) => {
                tracing::error!(
                    "key store: the TPM's counter was not raised at this start: {}",
                    file::explain(&self.path, error)
                );
                seen
            }
        };
        let _ = self.anchor.set(Anchor { counter: Box::new(counter), seen: seen.into() });
        Ok(())
    }

    /// Has the head say how far the counter will be raised, by [`Self::raise`] once the change is committed; `None` without a counter.
    pub(super) fn advance(&self, change: &mut Change<'_>) -> Option<u64> {
        let seen = self.anchor.get()?.seen.load(Ordering::Relaxed);
        change.head.count = (change.head.count + 1).min(seen + AHEAD);
        Some(change.head.count)
    }

    /// Raises the counter to where the head has it. What was asked is done by now, so this does not fail: a device that is away, and a
    /// disk that takes nothing, catch up later.
    pub(super) fn raise(&self, count: Option<u64>) {
        let (Some(anchor), Some(count)) = (self.anchor.get(), count) else { return };
        match anchor.counter.raise(count) {
            Ok(seen) => {
                anchor.seen.fetch_max(self.catch_up(seen), Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!("key store: until the TPM is back, an older copy of the store could not be told: {error}")
            }
        }
    }

    /// Adopts a count that is ahead of the head, and returns it.
    fn catch_up(&self, seen: u64) -> u64 {
        let mut db = self.db();
        let mut note = || -> Result<()> {
            let mut change = db.ending(&self.keys)?;
            if change.head.count >= seen {
                return Ok(());
            }
            change.head.count = seen;
            change.commit()
        };
        if let Err(error) = note() {
            tracing::warn!("key store: {}", file::explain(&self.path, error));
        }
        seen
    }
}
