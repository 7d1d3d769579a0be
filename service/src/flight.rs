//! What is in flight for each client: requests in a lane, and the bytes of incoming requests and outgoing answers.
//!
//! The service refuses a client that asks for too many slow operations. A client that sends without reading would make the service
//! hold all of it. So while a user holds too many bytes, its connections wait with their next requests: nothing is refused, and
//! nobody else waits. Small requests are not counted.

use crate::auth::{Party, Principal, clients};
use crate::error::Result;
use crate::quotas::{Limit, Quotas};
use std::collections::{HashMap, VecDeque};
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Bytes that all users together may hold. Beyond them each may still have one request.
const ALL: u64 = 256 << 20;

/// The bytes and requests that are held for each client.
#[derive(Default)]
pub struct Flight {
    quotas: Arc<Quotas>,
    requests: Mutex<HashMap<Principal, u64>>,
    held: Mutex<HashMap<u32, UserFlight>>,
}

/// The part of one user. If there is none for anybody, nobody waits.
#[derive(Default)]
struct UserFlight {
    bytes: u64,
    /// Requests and answers that are held, those that are not counted too.
    pieces: u64,
    /// Requests that wait, and how many bytes each of them has. A connection that gives up drops the other end.
    waiting: VecDeque<(u64, oneshot::Sender<Cargo>)>,
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

    /// Whether anything is held for anybody.
    pub(crate) fn loaded(&self) -> bool {
        !self.users().is_empty()
    }

    /// Bytes that are held for each user.
    pub(crate) fn held(&self) -> Vec<(Principal, u64)> {
        self.users().iter().map(|(uid, held)| (Principal::Uid(*uid), held.bytes)).collect()
    }

    /// Waits until so many more bytes may be held for a user.
    pub(crate) async fn load(self: &Arc<Self>, uid: u32, bytes: usize) -> Cargo {
        let bytes = bytes as u64;
        loop {
            let waits = {
                let mut users = self.users();
                if self.room(&users, uid, bytes) {
                    return self.hold(&mut users, uid, bytes);
                }
                let (sender, receiver) = oneshot::channel();
                let waiting = &mut users.entry(uid).or_default().waiting;
                waiting.retain(|(_, sender)| !sender.is_closed());
                waiting.push_back((bytes, sender));
                receiver
            };
            self.quotas.count(Limit::BytesInFlight);
            // Nobody drops the sender.
            if let Ok(cargo) = waits.await {
                return cargo;
            }
        }
    }

    /// Counts what is held already, however much that is.
    pub(crate) fn add(self: &Arc<Self>, uid: u32, bytes: usize) -> Cargo {
        self.hold(&mut self.users(), uid, bytes as u64)
    }

    fn room(&self, users: &HashMap<u32, UserFlight>, uid: u32, bytes: u64) -> bool {
        let most = self.quotas.number(&Principal::Uid(uid), Limit::BytesInFlight);
        let own = users.get(&uid).map_or(0, |held| held.bytes);
        own == 0 || (own + bytes <= most && users.values().map(|held| held.bytes).sum::<u64>() + bytes <= ALL)
    }

    fn hold(self: &Arc<Self>, users: &mut HashMap<u32, UserFlight>, uid: u32, bytes: u64) -> Cargo {
        let held = users.entry(uid).or_default();
        held.bytes += bytes;
        held.pieces += 1;
        Cargo { flight: Arc::clone(self), uid, bytes }
    }

    /// Subtracts the bytes that are done, and admits waiting requests as far as there is room, beginning with the user who holds least.
    /// Only the admitted ones are woken: however many wait, nobody else's requests pay for it.
    fn land(self: &Arc<Self>, uid: u32, bytes: u64) -> Vec<(oneshot::Sender<Cargo>, Cargo)> {
        let mut users = self.users();
        if let Some(held) = users.get_mut(&uid) {
            held.bytes -= bytes;
            held.pieces -= 1;
        }
        let mut served = Vec::new();
        if bytes > 0 {
            let mut waiting: Vec<_> = users.iter().filter(|(_, held)| !held.waiting.is_empty()).collect();
            waiting.sort_unstable_by_key(|(_, held)| held.bytes);
            let waiting: Vec<_> = waiting.into_iter().map(|(uid, _)| *uid).collect();
            for uid in waiting {
                served.extend(iter::from_fn(|| self.first(&mut users, uid)));
            }
        }
        users.retain(|_, held| held.pieces > 0);
        served
    }

    /// The first waiting request of a user and its share, if there is room for it.
    fn first(self: &Arc<Self>, users: &mut HashMap<u32, UserFlight>, uid: u32) -> Option<(oneshot::Sender<Cargo>, Cargo)> {
        let waiting = &mut users.get_mut(&uid)?.waiting;
        while waiting.front().is_some_and(|(_, sender)| sender.is_closed()) {
            waiting.pop_front();
        }
        let bytes = waiting.front()?.0;
        if !self.room(users, uid, bytes) {
            return None;
        }
        let (_, sender) = users.get_mut(&uid)?.waiting.pop_front()?;
        Some((sender, self.hold(users, uid, bytes)))
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<Principal, u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<u32, UserFlight>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Subtracts so much, and forgets clients at zero.
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
        for (sender, cargo) in self.flight.land(self.uid, self.bytes) {
            // What one has who gives up just now lands again.
            let _ = sender.send(cargo);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::section::Section;
    use interface::Status;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    const USER: usize = 1 << 20;

    fn flight() -> Arc<Flight> {
        let limits = format!("requests = 3\nbytes_in_flight = {USER}\n[[for]]\nwho = \"app:big\"\nrequests = 5");
        Flight::new(Arc::new(Quotas::read(Section::new("[quotas]", limits.parse().unwrap())).unwrap()))
    }

    /// A share of so many bytes, if there is room now.
    fn try_load(flight: &Arc<Flight>, uid: u32, bytes: usize) -> Option<Cargo> {
        match pin!(flight.load(uid, bytes)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(cargo) => Some(cargo),
            Poll::Pending => None,
        }
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_lands_wakes_those_for_whom_there_is_room_and_who_gives_up_is_passed() {
        let flight = flight();
        let woken: Vec<Arc<Woken>> = iter::repeat_with(Arc::default).take(100).collect();
        let (most, small) = (try_load(&flight, 1, USER - 1).unwrap(), try_load(&flight, 1, 1).unwrap());
        let mut waiting: Vec<_> = woken
            .iter()
            .map(|woken| {
                let mut load = Box::pin(flight.load(1, USER / 2));
                assert!(load.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(woken)))).is_pending());
                load
            })
            .collect();
        let count = || woken.iter().map(|woken| woken.0.load(Ordering::Relaxed)).collect::<Vec<_>>();
        for other in [0, USER / 4] {
            drop(try_load(&flight, 2, other).unwrap());
        }
        drop((try_load(&flight, 1, 0).unwrap(), small));
        assert_eq!(count(), [0; 100], "nothing that helps them has landed");
        drop(waiting.remove(0));
        drop(most);
        assert_eq!(count()[..4], [0, 1, 1, 0], "there is room for two");
        // one of them has what it never looks at
        waiting.truncate(3);
        drop(waiting.remove(0));
        assert_eq!(count()[..4], [0, 1, 1, 1]);
        drop(waiting);
        assert!(!flight.loaded(), "nothing is left");
    }

    #[test]
    fn who_holds_least_is_first() {
        let flight = flight();
        let all = usize::try_from(ALL).unwrap();
        let (others, landing) = (flight.add(9, all - 30), flight.add(9, 30));
        let _held = [(1, 3), (2, 2), (3, 1)].map(|(uid, bytes)| flight.add(uid, bytes));
        let mut loads = [1, 2, 3].map(|uid| Box::pin(flight.load(uid, 20)));
        let mut ready = || loads.each_mut().map(|load| load.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(ready(), [false; 3]);
        drop(landing);
        assert_eq!(ready(), [false, false, true], "there is room for one");
        drop(others);
    }

    #[test]
    fn who_holds_too_much_waits_and_others_do_not() {
        let flight = flight();
        let most = try_load(&flight, 1, USER).unwrap();
        let mut waits = pin!(flight.load(1, 1));
        let mut poll = || waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending() && poll().is_pending());
        assert_eq!(flight.quotas.refused(Limit::BytesInFlight), 1);
        let others = flight.add(2, usize::try_from(ALL).unwrap() - USER);
        assert!(try_load(&flight, 3, 1).is_some(), "one request is always possible");
        let small = flight.add(4, 1);
        assert!(try_load(&flight, 4, 1).is_none(), "there is no more for all");
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
