//! Whose turn it is.
//!
//! A place that becomes free goes to the principal whose last turn was the longest ago. So who asks rarely is next, however many
//! others ask without end; and those take turns.

use crate::auth::Principal;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Waiting and running requests that one principal may have.
pub(crate) const DEPTH: usize = 64;

/// The places, and who waits for one. A principal has one at a time.
pub(crate) struct Turns<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    free: usize,
    /// How many turns there have been.
    given: u64,
    queues: HashMap<Option<Principal>, Queue<T>>,
}

struct Queue<T> {
    /// The number of its last turn.
    last: u64,
    running: bool,
    /// Whoever gives up drops the request.
    waiting: VecDeque<Weak<T>>,
}

/// A place, until it is dropped.
pub(crate) struct Turn<T> {
    turns: Turns<T>,
    principal: Option<Principal>,
}

impl<T> Turns<T> {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: places, given: 0, queues: HashMap::new() })))
    }

    /// Has a request wait as long as the caller keeps it; false for a principal that has [`DEPTH`] here already.
    pub(crate) fn enqueue(&self, principal: Option<Principal>, request: &Arc<T>) -> bool {
        let mut state = self.state();
        let queue = state.queues.entry(principal).or_default();
        queue.waiting.retain(|waiting| waiting.strong_count() > 0);
        let room = queue.waiting.len() + usize::from(queue.running) < DEPTH;
        if room {
            queue.waiting.push_back(Arc::downgrade(request));
        }
        room
    }

    /// Whether [`Self::next`] has something to give.
    pub(crate) fn ready(&self) -> bool {
        let state = self.state();
        state.free > 0 && state.queues.values().any(Queue::ready)
    }

    /// Gives a free place to the request whose turn it is.
    pub(crate) fn next(&self) -> Option<(Turn<T>, Arc<T>)> {
        let (principal, request) = self.state().next()?;
        Some((Turn { turns: self.clone(), principal }, request))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn next(&mut self) -> Option<(Option<Principal>, Arc<T>)> {
        self.free.checked_sub(1)?;
        loop {
            let ready = self.queues.iter_mut().filter(|(_, queue)| queue.ready());
            let (principal, queue) = ready.min_by_key(|(_, queue)| queue.last)?;
            let Some(request) = queue.waiting.pop_front()?.upgrade() else { continue };
            let (principal, last) = (principal.clone(), queue.last);
            self.free -= 1;
            self.given += 1;
            (queue.last, queue.running) = (self.given, true);
            // Who had a turn before this one's last and wants none would be next anyway, as newcomers are.
            self.queues.retain(|_, queue| queue.running || !queue.waiting.is_empty() || queue.last > last);
            return Some((principal, request));
        }
    }
}

impl<T> Queue<T> {
    fn ready(&self) -> bool {
        !self.running && !self.waiting.is_empty()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { last: 0, running: false, waiting: VecDeque::new() }
    }
}

impl<T> Clone for Turns<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.free += 1;
        if let Some(queue) = state.queues.get_mut(&self.principal) {
            queue.running = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Requests that wait, each the uid of its principal.
    struct Crowd {
        turns: Turns<u32>,
        waiting: Vec<Arc<u32>>,
    }

    impl Crowd {
        fn new(places: usize) -> Self {
            Self { turns: Turns::new(places), waiting: Vec::new() }
        }

        /// Whether there is room for a request.
        fn ask(&mut self, uid: u32) -> bool {
            let request = Arc::new(uid);
            let room = self.turns.enqueue(Some(Principal::Uid(uid)), &request);
            self.waiting.push(request);
            room
        }

        /// Whose turn it is.
        fn next(&self) -> Option<(Turn<u32>, u32)> {
            self.turns.next().map(|(turn, request)| (turn, *request))
        }
    }

    #[test]
    fn who_asks_rarely_is_next_and_the_others_take_turns() {
        let mut crowd = Crowd::new(1);
        assert!(crowd.ask(1));
        let mut running = crowd.next().unwrap();
        for uid in [1, 1, 2, 2, 3, 3, 3] {
            assert!(crowd.ask(uid));
            assert!(!crowd.turns.ready() && crowd.next().is_none(), "there is one place");
        }
        let mut order = Vec::new();
        for round in 0..7 {
            if round == 4 {
                assert!(crowd.ask(4));
            }
            drop(running);
            assert!(crowd.turns.ready());
            running = crowd.next().unwrap();
            order.push(running.1);
            assert!(crowd.next().is_none());
        }
        order[..2].sort_unstable();
        assert_eq!(order[..3], [2, 3, 1]);
        assert_eq!(order[4], 4);
        order.sort_unstable();
        assert_eq!(order, [1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn a_principal_has_one_place_at_a_time_and_a_bounded_queue() {
        let mut crowd = Crowd::new(2);
        assert!(crowd.ask(1));
        let running = crowd.next().unwrap();
        for _ in 1..DEPTH {
            assert!(crowd.ask(1));
            assert!(crowd.next().is_none());
        }
        assert!(!crowd.ask(1));
        assert!(crowd.ask(2));
        let other = crowd.next().unwrap();
        assert_eq!(other.1, 2);
        drop(other);
        // who gives up leaves its place in the queue, and never gets a turn
        crowd.waiting.clear();
        assert!(crowd.ask(1));
        drop(running);
        assert_eq!(crowd.next().unwrap().1, 1);
        assert!(crowd.next().is_none());
    }
}
