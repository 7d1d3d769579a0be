//! What is in flight for each client: requests in a lane, and the bytes of requests that come and of answers that go.
//!
//! Who asks for too much that is slow is told so. Who sends without reading would have the service hold all of it; so a connection waits
//! with its next request while its user holds too much: nothing is refused, and nobody else waits. What is small is not counted.

use crate::auth::{Party, Principal, clients};
use crate::error::Result;
use crate::quotas::{Limit, Quotas};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that all may hold; beyond them each may have one request.
const ALL: u64 = 256 << 20;

/// What is held for each client.
#[derive(Debug, Default)]
pub struct Flight {
    quotas: Arc<Quotas>,
    requests: Mutex<HashMap<Principal, u64>>,
    bytes: Mutex<HashMap<u32, u64>>,
    landed: Notify,
}

/// A request in a lane, until it is dropped.
pub(crate) struct Queued {
    flight: Arc<Flight>,
    clients: Vec<Principal>,
}

/// Bytes that are held, until it is dropped.
pub(crate) struct Cargo {
    flight: Arc<Flight>,
    uid: u32,
    bytes: u64,
}

impl Flight {
    /// Within these limits.
    pub fn new(quotas: Arc<Quotas>) -> Arc<Self> {
        Arc::new(Self { quotas, ..Self::default() })
    }

    /// Counts a request for a lane.
    ///
    /// # Errors
    /// [`interface::Status::PsaErrorInsufficientMemory`] where too many are there for the principal, or the user behind it.
    pub(crate) fn queue(self: &Arc<Self>, party: &Party) -> Result<Queued> {
        let mut requests = self.requests();
        // What others of its user send is not held against who is privileged.
        let clients: Vec<_> =
            clients(party.principal.as_ref(), party.uid).take(if party.privileged { 1 } else { usize::MAX }).collect();
        for who in &clients {
            self.quotas.check(who, Limit::Requests, requests.get(who).map_or(1, |count| count + 1))?;
        }
        for who in &clients {
            *requests.entry(who.clone()).or_default() += 1;
        }
        Ok(Queued { flight: Arc::clone(self), clients })
    }

    /// Requests in lanes of each client.
    pub(crate) fn queued(&self) -> Vec<(Principal, u64)> {
        self.requests().iter().map(|(who, count)| (who.clone(), *count)).collect()
    }

    /// Whether bytes are held for anybody.
    pub(crate) fn loaded(&self) -> bool {
        !self.bytes().is_empty()
    }

    /// Bytes that are held for each user.
    pub(crate) fn held(&self) -> Vec<(Principal, u64)> {
        self.bytes().iter().map(|(uid, bytes)| (Principal::Uid(*uid), *bytes)).collect()
    }

    /// Waits until so many more bytes may be held for a user.
    pub(crate) async fn load(self: &Arc<Self>, uid: u32, bytes: usize) -> Cargo {
        let mut waits = false;
        loop {
            // Before the look, so that nothing that lands after it is missed.
            let landed = self.landed.notified();
            if let Some(cargo) = self.try_load(uid, bytes) {
                return cargo;
            }
            if !waits {
                self.quotas.count(Limit::BytesInFlight);
            }
            waits = true;
            landed.await;
        }
    }

    /// Counts what is held already, however much that is.
    pub(crate) fn add(self: &Arc<Self>, uid: u32, bytes: usize) -> Cargo {
        let bytes = bytes as u64;
        *self.bytes().entry(uid).or_default() += bytes;
        Cargo { flight: Arc::clone(self), uid, bytes }
    }

    fn try_load(self: &Arc<Self>, uid: u32, bytes: usize) -> Option<Cargo> {
        let most = self.quotas.number(&Principal::Uid(uid), Limit::BytesInFlight);
        let (bytes, mut users) = (bytes as u64, self.bytes());
        let (all, own) = (users.values().sum::<u64>(), users.get(&uid).copied().unwrap_or_default());
        let room = own == 0 || (own + bytes <= most && all + bytes <= ALL);
        room.then(|| *users.entry(uid).or_default() += bytes)?;
        Some(Cargo { flight: Arc::clone(self), uid, bytes })
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<Principal, u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> MutexGuard<'_, HashMap<u32, u64>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes so much off, and forgets those of whom nothing is left.
fn take<K: std::hash::Hash + Eq>(all: &mut HashMap<K, u64>, who: &K, much: u64) {
    if let Some(held) = all.get_mut(who) {
        *held -= much;
        if *held == 0 {
            all.remove(who);
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut requests = self.flight.requests();
        self.clients.iter().for_each(|who| take(&mut requests, who, 1));
    }
}

impl Drop for Cargo {
    fn drop(&mut self) {
        take(&mut self.flight.bytes(), &self.uid, self.bytes);
        self.flight.landed.notify_waiters();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::config::Section;
    use interface::Status;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const USER: usize = 1 << 20;

    fn flight() -> Arc<Flight> {
        let limits = format!("requests = 3\nbytes_in_flight = {USER}\n[[for]]\nwho = \"app:big\"\nrequests = 5");
        Flight::new(Arc::new(Quotas::read(Section::new("[quotas]", limits.parse().unwrap())).unwrap()))
    }

    #[test]
    fn who_holds_too_much_waits_and_others_do_not() {
        let flight = flight();
        let most = flight.try_load(1, USER).unwrap();
        let mut waits = pin!(flight.load(1, 1));
        let mut poll = || waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending() && poll().is_pending());
        assert_eq!(flight.quotas.refused(Limit::BytesInFlight), 1);
        let others = flight.add(2, usize::try_from(ALL).unwrap() - USER);
        assert!(flight.try_load(3, 1).is_some(), "one request is always possible");
        let small = flight.add(4, 1);
        assert!(flight.try_load(4, 1).is_none(), "there is no more for all");
        drop((most, small));
        let Poll::Ready(cargo) = poll() else { panic!("it waits for ever") };
        drop((cargo, others));
        assert!(!flight.loaded());
    }

    #[test]
    fn a_users_requests_have_an_end_whatever_names_it_uses() {
        let flight = flight();
        let party = |uid, name: &str| Party { uid, principal: Some(Principal::App(name.to_owned())), privileged: false };
        let mut queued: Vec<_> = ["a", "b", "c"].map(|name| flight.queue(&party(1, name)).unwrap()).into();
        let refusal = flight.queue(&party(1, "d")).err().unwrap();
        assert_eq!(refusal.status(), Status::PsaErrorInsufficientMemory);
        for part in ["uid:1 ", "more than 3 requests", "raise requests in [quotas]"] {
            assert!(refusal.to_string().contains(part), "{refusal}");
        }
        queued.push(flight.queue(&Party { privileged: true, ..party(1, "d") }).unwrap());
        queued.extend((0..3).map(|_| flight.queue(&party(2, "big")).unwrap()));
        assert_eq!(flight.queue(&party(2, "big")).err().unwrap().status(), Status::PsaErrorInsufficientMemory, "the user's");
        assert!(flight.queued().contains(&(Principal::Uid(2), 3)));
        let own = Party { uid: 3, principal: Some(Principal::Uid(3)), privileged: false };
        queued.extend((0..3).map(|_| flight.queue(&own).unwrap()));
        assert!(flight.queue(&own).is_err(), "it is counted once");
        queued.clear();
        assert!(flight.requests().is_empty());
    }
}
