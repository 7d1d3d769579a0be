//! Those who have connected, until their connections are served.
//!
//! The runtime keeps new connections in one queue. A user who connects faster than the service can look would fill that queue, and the
//! connections of all others would wait behind it. So each user has a queue of its own here. Only a few connections of each user are in
//! the runtime's queue at a time. A client that leaves while it waits costs nothing more.

use crate::connections::Full;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connections of a user that the runtime has not looked at yet.
const FRESH: usize = 4;

/// Everybody who waits.
pub(crate) struct AcceptQueue<G> {
    /// How many may wait in all. One user may have as many as it leaves for others.
    room: usize,
    users: Mutex<HashMap<u32, Queue<G>>>,
}

struct Queue<G> {
    waiting: VecDeque<G>,
    fresh: usize,
}

/// The fate of the client that waited longest.
pub(crate) enum Next<G, S> {
    /// It has a place.
    Admitted(G, S),
    /// There is none for it.
    Refused(G),
}

impl<G> AcceptQueue<G> {
    /// With room for so many.
    pub(crate) fn new(room: usize) -> Self {
        Self { room, users: Mutex::default() }
    }

    /// Lets one more client of this user wait. Returns the client if too many wait already.
    pub(crate) fn enter(&self, uid: u32, guest: G) -> Option<G> {
        let mut users = self.users();
        let all: usize = users.values().map(|queue| queue.waiting.len()).sum();
        let queue = users.entry(uid).or_insert(Queue { waiting: VecDeque::new(), fresh: 0 });
        if queue.waiting.len() + all >= self.room {
            return Some(guest);
        }
        queue.waiting.push_back(guest);
        None
    }

    /// Takes the next client of this user for the runtime, unless the runtime has enough of them. Clients that have left are dropped.
    /// A seated client counts as not looked at until [`Self::seen`].
    pub(crate) fn next<S>(
        &self,
        uid: u32,
        there: impl Fn(&G) -> bool,
        admit: impl FnOnce() -> Result<S, Full>,
    ) -> Option<Next<G, S>> {
        let mut users = self.users();
        let queue = users.get_mut(&uid)?;
        while queue.waiting.front().is_some_and(|guest| !there(guest)) {
            queue.waiting.pop_front();
        }
        let next = match queue.waiting.front() {
            Some(_) if queue.fresh < FRESH => admit(),
            _ => Err(Full::Soon),
        };
        let next = match next {
            Err(Full::Soon) => None,
            Err(Full::Taken) => queue.waiting.pop_front().map(Next::Refused),
            Ok(slot) => {
                queue.fresh += 1;
                queue.waiting.pop_front().map(|guest| Next::Admitted(guest, slot))
            }
        };
        users.retain(|_, queue| queue.fresh > 0 || !queue.waiting.is_empty());
        next
    }

    /// The runtime has looked at one of this user's.
    pub(crate) fn seen(&self, uid: u32) {
        if let Some(queue) = self.users().get_mut(&uid) {
            queue.fresh -= 1;
        }
    }

    /// Users who have somebody waiting.
    pub(crate) fn waiting(&self) -> Vec<u32> {
        self.users().iter().filter(|(_, queue)| !queue.waiting.is_empty()).map(|(uid, _)| *uid).collect()
    }

    fn users(&self) -> MutexGuard<'_, HashMap<u32, Queue<G>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u32 = 1;
    const TWO: u32 = 2;

    /// The guests who get a place now, as long as `admit` gives one.
    fn admitted(queue: &AcceptQueue<u32>, uid: u32, admit: impl Fn() -> Result<(), Full>) -> Vec<u32> {
        let next = || queue.next(uid, |guest| *guest != 0, &admit);
        std::iter::from_fn(next).map(|next| if let Next::Admitted(guest, ()) = next { guest } else { u32::MAX }).collect()
    }

    #[test]
    fn a_user_whose_clients_come_faster_than_they_are_looked_at_waits_for_itself() {
        let queue = AcceptQueue::new(100);
        assert!((1..=20).all(|guest| queue.enter(ONE, guest).is_none()));
        assert_eq!(admitted(&queue, ONE, || Ok(())), [1, 2, 3, 4]);
        assert!(queue.enter(TWO, 99).is_none());
        assert_eq!(admitted(&queue, TWO, || Ok(())), [99], "another user's is looked at next");
        queue.seen(ONE);
        assert_eq!(admitted(&queue, ONE, || Ok(())), [5]);
        assert_eq!(queue.waiting(), [ONE]);
    }

    #[test]
    fn whoever_has_gone_is_passed_over_and_leaves_nothing() {
        let queue = AcceptQueue::new(100);
        assert!([0, 0, 7, 0].iter().all(|guest| queue.enter(ONE, *guest).is_none()));
        assert_eq!(admitted(&queue, ONE, || Ok(())), [7]);
        queue.seen(ONE);
        assert_eq!(admitted(&queue, ONE, || Ok(())), []);
        assert!(queue.users().is_empty());
    }

    #[test]
    fn one_without_a_place_waits_where_one_is_coming_and_is_refused_where_none_is() {
        let queue = AcceptQueue::new(100);
        assert!([7, 8].iter().all(|guest| queue.enter(ONE, *guest).is_none()));
        assert_eq!(admitted(&queue, ONE, || Err(Full::Soon)), []);
        assert_eq!(queue.waiting(), [ONE]);
        assert_eq!(admitted(&queue, ONE, || Err(Full::Taken)), [u32::MAX, u32::MAX]);
        assert!(queue.users().is_empty());
    }

    #[test]
    fn one_user_leaves_room_for_others_to_wait() {
        let queue = AcceptQueue::new(100);
        let wait = |uid| (1..).take_while(|guest| queue.enter(uid, *guest).is_none()).count();
        assert_eq!([ONE, TWO, 3].map(wait), [50, 25, 13]);
    }
}
