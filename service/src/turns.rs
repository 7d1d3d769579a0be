//! Whose turn it is.
//!
//! A place that becomes free goes to the principal whose last turn was the longest ago. So who asks rarely is next, however many
//! others ask without end; and those take turns.

use crate::auth::Principal;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Waiting and running requests that one principal may have.
pub(crate) const DEPTH: usize = 64;

/// The places, and who waits for one. A principal has one at a time.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// How many turns there have been.
    given: u64,
    queues: HashMap<Option<Principal>, Queue>,
}

#[derive(Default)]
struct Queue {
    /// The number of its last turn.
    last: u64,
    running: bool,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A place, until it is dropped.
pub(crate) struct Turn {
    turns: Turns,
    principal: Option<Principal>,
}

impl Turns {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: places, given: 0, queues: HashMap::new() })))
    }

    /// Waits for a turn; `None` for a principal that has [`DEPTH`] requests here already.
    pub(crate) async fn take(&self, principal: Option<Principal>) -> Option<Turn> {
        let turn = self.state().enqueue(principal)?;
        self.advance();
        turn.await.ok()
    }

    /// Gives the free places away.
    fn advance(&self) {
        loop {
            let Some((principal, waiting)) = self.state().next() else { return };
            // Who does not wait any more drops it, and so gives it back.
            drop(waiting.send(Turn { turns: self.clone(), principal }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, principal: Option<Principal>) -> Option<oneshot::Receiver<Turn>> {
        let queue = self.queues.entry(principal).or_default();
        queue.waiting.retain(|waiting| !waiting.is_closed());
        (queue.waiting.len() + usize::from(queue.running) < DEPTH).then(|| {
            let (sender, receiver) = oneshot::channel();
            queue.waiting.push_back(sender);
            receiver
        })
    }

    /// The next one to have a place, if there is one.
    fn next(&mut self) -> Option<(Option<Principal>, oneshot::Sender<Turn>)> {
        self.free.checked_sub(1)?;
        let ready = self.queues.iter_mut().filter(|(_, queue)| !queue.running && !queue.waiting.is_empty());
        let (principal, queue) = ready.min_by_key(|(_, queue)| queue.last)?;
        let (principal, waiting, last) = (principal.clone(), queue.waiting.pop_front()?, queue.last);
        self.free -= 1;
        self.given += 1;
        (queue.last, queue.running) = (self.given, true);
        // Who had a turn before this one's last and wants none would be next anyway, as newcomers are.
        self.queues.retain(|_, queue| queue.running || !queue.waiting.is_empty() || queue.last > last);
        Some((principal, waiting))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.free += 1;
        if let Some(queue) = state.queues.get_mut(&self.principal) {
            queue.running = false;
        }
        drop(state);
        self.turns.advance();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    type Wait = Pin<Box<dyn Future<Output = Option<Turn>>>>;

    /// Requests that wait, each of the principal of this number.
    struct Crowd {
        turns: Turns,
        waiting: Vec<(u32, Wait)>,
    }

    impl Crowd {
        fn new(places: usize) -> Self {
            Self { turns: Turns::new(places), waiting: Vec::new() }
        }

        fn ask(&mut self, uid: u32) -> Option<(u32, Option<Turn>)> {
            let turns = self.turns.clone();
            self.waiting.push((uid, Box::pin(async move { turns.take(Some(Principal::Uid(uid))).await })));
            self.next()
        }

        /// Who is answered.
        fn next(&mut self) -> Option<(u32, Option<Turn>)> {
            let mut context = Context::from_waker(Waker::noop());
            for at in 0..self.waiting.len() {
                if let Poll::Ready(turn) = self.waiting[at].1.as_mut().poll(&mut context) {
                    return Some((self.waiting.remove(at).0, turn));
                }
            }
            None
        }
    }

    #[test]
    fn who_asks_rarely_is_next_and_the_others_take_turns() {
        let mut crowd = Crowd::new(1);
        let mut running = crowd.ask(1).unwrap();
        for uid in [1, 1, 2, 2, 3, 3, 3] {
            assert!(crowd.ask(uid).is_none(), "there is one place");
        }
        let mut order = Vec::new();
        for round in 0..7 {
            if round == 4 {
                assert!(crowd.ask(4).is_none());
            }
            drop(running);
            running = crowd.next().unwrap();
            order.push(running.0);
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
        let running = crowd.ask(1).unwrap();
        for _ in 1..DEPTH {
            assert!(crowd.ask(1).is_none());
        }
        assert!(matches!(crowd.ask(1), Some((1, None))));
        assert!(matches!(crowd.ask(2), Some((2, Some(_)))));
        // who gives up leaves its place in the queue
        crowd.waiting.truncate(1);
        assert!(crowd.ask(1).is_none());
        drop(running);
        assert!(matches!(crowd.next(), Some((1, Some(_)))));
    }
}
