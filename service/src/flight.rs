//! Bytes in flight: of requests that come and of answers that go, as long as they are held for a client.
//!
//! Who sends without reading would have the service hold all of it. So a connection waits with its next request while its user holds
//! too much: nothing is refused, and nobody else waits. What is small is not counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that one user may hold.
const USER: usize = 64 << 20;
/// Bytes that all may hold; beyond them each may have one request.
const ALL: usize = 256 << 20;

/// What is held for each user.
#[derive(Default)]
pub struct Flight {
    users: Mutex<HashMap<u32, usize>>,
    landed: Notify,
}

/// Bytes that are held, until it is dropped.
pub(crate) struct Cargo {
    flight: Arc<Flight>,
    uid: u32,
    bytes: usize,
}

impl Flight {
    /// Whether anything is held for anybody.
    pub(crate) fn loaded(&self) -> bool {
        !self.users().is_empty()
    }

    /// Waits until so much more may be held for a user.
    pub(crate) async fn load(self: &Arc<Self>, uid: u32, bytes: usize) -> Cargo {
        loop {
            // Before the look, so that nothing that lands after it is missed.
            let landed = self.landed.notified();
            if let Some(cargo) = self.try_load(uid, bytes) {
                return cargo;
            }
            landed.await;
        }
    }

    /// Counts what is held already, however much that is.
    pub(crate) fn add(self: &Arc<Self>, uid: u32, bytes: usize) -> Cargo {
        *self.users().entry(uid).or_default() += bytes;
        Cargo { flight: Arc::clone(self), uid, bytes }
    }

    fn try_load(self: &Arc<Self>, uid: u32, bytes: usize) -> Option<Cargo> {
        let mut users = self.users();
        let (all, own) = (users.values().sum::<usize>(), users.get(&uid).copied().unwrap_or_default());
        let room = own == 0 || (own + bytes <= USER && all + bytes <= ALL);
        room.then(|| *users.entry(uid).or_default() += bytes)?;
        Some(Cargo { flight: Arc::clone(self), uid, bytes })
    }

    fn users(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cargo {
    fn drop(&mut self) {
        let mut users = self.flight.users();
        if let Some(held) = users.get_mut(&self.uid) {
            *held -= self.bytes;
            if *held == 0 {
                users.remove(&self.uid);
            }
        }
        drop(users);
        self.flight.landed.notify_waiters();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn who_holds_too_much_waits_and_others_do_not() {
        let flight = Arc::new(Flight::default());
        let most = flight.try_load(1, USER).unwrap();
        let mut waits = pin!(flight.load(1, 1));
        let mut poll = || waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending());
        let others: Vec<_> = (2..5).map(|uid| flight.try_load(uid, USER).unwrap()).collect();
        assert!(flight.try_load(5, 1).is_some(), "one request is always possible");
        let small = flight.add(6, 1);
        assert!(flight.try_load(6, 1).is_none(), "there is no more for all");
        drop((most, small));
        let Poll::Ready(cargo) = poll() else { panic!("it waits for ever") };
        drop((cargo, others));
        assert!(flight.users().is_empty());
    }
}
