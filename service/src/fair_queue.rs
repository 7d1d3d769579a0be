//! A queue in which users take turns.
//!
//! A free place goes to the user whose last turn was longest ago. Within this user it goes to the principal whose last turn was
//! longest ago. A user who asks rarely is next, however much the others ask. More names bring no more turns, because the kernel
//! names the user.

use crate::auth::{Party, Principal};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The queue remembers the last turns of so many members that want none now.
const REMEMBERED: usize = 64;

/// How many requests may run at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) all: usize,
    /// Extra places, for users with nothing running.
    pub(crate) spare: usize,
    pub(crate) user: usize,
    pub(crate) principal: usize,
}

/// The places, and who waits for one.
pub(crate) struct FairQueue<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Whether somebody waits: asked more often than it changes.
    contended: AtomicBool,
}

struct State<T> {
    places: Places,
    running: Vec<Party>,
    /// Counts turns and newcomers.
    clock: u64,
    users: Round<u32, Round<Option<Principal>, VecDeque<Weak<T>>>>,
}

/// Members who take turns.
struct Round<K, V> {
    all: HashMap<K, Member<V>>,
    /// The latest last turn of all forgotten members.
    forgotten: u64,
}

struct Member<V> {
    /// Its last turn, and when it came.
    last: (u64, u64),
    /// A request that gives up is dropped.
    waiting: V,
}

/// A request that may wait.
trait Waiting: Default {
    fn len(&self) -> usize;
}

/// A place, until it is dropped.
pub(crate) struct Turn<T> {
    queue: FairQueue<T>,
    party: Party,
}

impl<T> FairQueue<T> {
    /// With these places.
    pub(crate) fn new(places: Places) -> Self {
        let users = Round::default();
        let state = Mutex::new(State { places, running: Vec::new(), clock: 0, users });
        Self(Arc::new(Shared { state, contended: AtomicBool::new(false) }))
    }

    /// A place at once, if that takes nobody's turn.
    pub(crate) fn enter(&self, party: &Party) -> Option<Turn<T>> {
        let mut state = self.state();
        let free = if state.users.len() == 0 { state.room(party.uid) } else { state.spare(party.uid) };
        (free && state.allowed(party.uid, party.principal.as_ref())).then(|| state.running.push(party.clone()))?;
        Some(Turn { queue: self.clone(), party: party.clone() })
    }

    /// Queues a request for as long as the caller keeps the handle.
    pub(crate) fn enqueue(&self, party: &Party, request: &Arc<T>) {
        let mut state = self.state();
        state.enqueue(party, request);
        self.note(&state);
    }

    /// Whether somebody waits.
    pub(crate) fn contended(&self) -> bool {
        self.0.contended.load(Relaxed)
    }

    /// Whether [`Self::next`] has something to give.
    pub(crate) fn ready(&self) -> bool {
        let state = self.state();
        state.users.all.iter().any(|(uid, user)| state.user_ready(*uid, &user.waiting))
    }

    /// Gives a free place to the request whose turn it is.
    pub(crate) fn next(&self) -> Option<(Turn<T>, Arc<T>)> {
        let mut state = self.state();
        let next = state.next();
        self.note(&state);
        drop(state);
        let (party, request) = next?;
        Some((Turn { queue: self.clone(), party }, request))
    }

    fn note(&self, state: &State<T>) {
        self.0.contended.store(state.users.len() > 0, Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn enqueue(&mut self, party: &Party, request: &Arc<T>) {
        self.clock += 1;
        let user = self.users.member(party.uid, self.clock);
        for principal in user.all.values_mut() {
            principal.waiting.retain(|waiting| waiting.strong_count() > 0);
        }
        user.member(party.principal.clone(), self.clock).push_back(Arc::downgrade(request));
    }

    fn next(&mut self) -> Option<(Party, Arc<T>)> {
        loop {
            let users = self.users.all.iter().filter(|(uid, user)| self.user_ready(**uid, &user.waiting));
            let (&uid, user) = users.min_by_key(|(_, user)| user.last)?;
            let principals =
                user.waiting.all.iter().filter(|(principal, queue)| self.ready(uid, principal.as_ref(), &queue.waiting));
            let (principal, _) = principals.min_by_key(|(_, queue)| queue.last)?;
            let principal = principal.clone();
            let user = self.users.all.get_mut(&uid)?;
            let queue = user.waiting.all.get_mut(&principal)?;
            let Some(request) = queue.waiting.pop_front()?.upgrade() else { continue };
            self.clock += 1;
            queue.last = (self.clock, self.clock);
            user.last = queue.last;
            user.waiting.forget();
            self.users.forget();
            let party = Party { uid, principal, privileged: false };
            self.running.push(party.clone());
            return Some((party, request));
        }
    }

    fn leave(&mut self, party: &Party) {
        let place = self.running.iter().position(|running| running.uid == party.uid && running.principal == party.principal);
        if let Some(place) = place {
            self.running.swap_remove(place);
        }
        // Where nobody waits and nothing runs, no order is left to keep.
        if self.running.is_empty() && !self.users.all.is_empty() && self.users.len() == 0 {
            self.users = Round::default();
        }
    }

    fn user_ready(&self, uid: u32, user: &Round<Option<Principal>, VecDeque<Weak<T>>>) -> bool {
        self.room(uid) && user.all.iter().any(|(principal, queue)| self.ready(uid, principal.as_ref(), &queue.waiting))
    }

    fn ready(&self, uid: u32, principal: Option<&Principal>, queue: &VecDeque<Weak<T>>) -> bool {
        !queue.is_empty() && self.allowed(uid, principal)
    }

    /// Whether there is a place for a request of this user.
    fn room(&self, uid: u32) -> bool {
        self.running.len() < self.places.all || self.spare(uid)
    }

    /// Whether an extra place is free for this user, who must have nothing running.
    fn spare(&self, uid: u32) -> bool {
        self.running.len() < self.places.all + self.places.spare && self.running.iter().all(|running| running.uid != uid)
    }

    /// Whether this user and this principal run fewer requests than they may.
    fn allowed(&self, uid: u32, principal: Option<&Principal>) -> bool {
        let of_user = self.running.iter().filter(|running| running.uid == uid);
        of_user.clone().count() < self.places.user
            && of_user.filter(|running| running.principal.as_ref() == principal).count() < self.places.principal
    }
}

impl<K: Eq + Hash + Clone, V: Waiting> Round<K, V> {
    /// The requests that one of them has waiting.
    fn member(&mut self, key: K, now: u64) -> &mut V {
        let last = (self.forgotten, now);
        &mut self.all.entry(key).or_insert_with(|| Member { last, waiting: V::default() }).waiting
    }

    /// Forgets all but a few members that want nothing.
    fn forget(&mut self) {
        let mut idle: Vec<_> = self.all.iter().filter(|(_, member)| member.waiting.len() == 0).collect();
        let Some(many) = idle.len().checked_sub(REMEMBERED).filter(|many| *many > 0) else { return };
        idle.sort_unstable_by_key(|(_, member)| member.last);
        let forgotten: Vec<_> = idle[..many].iter().map(|(key, _)| (*key).clone()).collect();
        for key in forgotten {
            let last = self.all.remove(&key).map_or(0, |member| member.last.0);
            self.forgotten = self.forgotten.max(last);
        }
    }
}

impl<K, V: Waiting> Waiting for Round<K, V> {
    fn len(&self) -> usize {
        self.all.values().map(|member| member.waiting.len()).sum()
    }
}

impl<T> Waiting for VecDeque<Weak<T>> {
    fn len(&self) -> usize {
        self.len()
    }
}

impl<K, V> Default for Round<K, V> {
    fn default() -> Self {
        Self { all: HashMap::new(), forgotten: 0 }
    }
}

impl<T> Clone for FairQueue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        self.queue.state().leave(&self.party);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Requests that wait, each with whose it is.
    struct Crowd {
        queue: FairQueue<Party>,
        waiting: Vec<Arc<Party>>,
    }

    fn user(uid: u32) -> Party {
        Party { uid, principal: Some(Principal::Uid(uid)), privileged: false }
    }

    fn app(uid: u32, name: impl Into<String>) -> Party {
        Party { uid, principal: Some(Principal::App(name.into())), privileged: false }
    }

    impl Crowd {
        /// As a lane has them.
        fn new(all: usize) -> Self {
            Self::with(Places { all, spare: 0, user: all, principal: 1 })
        }

        fn with(places: Places) -> Self {
            Self { queue: FairQueue::new(places), waiting: Vec::new() }
        }

        fn ask(&mut self, party: &Party) {
            let request = Arc::new(party.clone());
            self.queue.enqueue(party, &request);
            self.waiting.push(request);
        }

        /// Whose turn it is.
        fn next(&self) -> Option<(Turn<Party>, Party)> {
            self.queue.next().map(|(turn, request)| (turn, (*request).clone()))
        }

        fn remembered(&self) -> usize {
            self.queue.state().users.all.values().map(|user| 1 + user.waiting.all.len()).sum()
        }
    }

    #[test]
    fn who_asks_rarely_is_next_and_the_others_take_turns() {
        let mut crowd = Crowd::new(1);
        crowd.ask(&user(1));
        let mut running = crowd.next().unwrap();
        for uid in [1, 1, 2, 2, 3, 3, 3] {
            crowd.ask(&user(uid));
            assert!(!crowd.queue.ready() && crowd.next().is_none(), "there is one place");
        }
        let mut order = Vec::new();
        for round in 0..8 {
            if round == 4 {
                crowd.ask(&user(4));
            }
            drop(running);
            assert!(crowd.queue.ready());
            running = crowd.next().unwrap();
            order.push(running.1.uid);
            assert!(crowd.next().is_none());
        }
        assert_eq!(order, [2, 3, 1, 2, 4, 3, 1, 3]);
        drop(running);
        assert_eq!(crowd.remembered(), 0, "nobody wants anything");
    }

    #[test]
    fn a_user_of_many_names_has_the_share_of_one() {
        let mut crowd = Crowd::new(1);
        crowd.ask(&user(1));
        let mut running = crowd.next().unwrap();
        for name in 0..20 {
            crowd.ask(&app(1, format!("name {name}")));
        }
        for _ in 0..3 {
            crowd.ask(&user(2));
        }
        let mut order = Vec::new();
        while order.len() < 8 {
            drop(running);
            running = crowd.next().unwrap();
            order.push(running.1.uid);
        }
        assert_eq!(order, [2, 1, 2, 1, 2, 1, 1, 1]);
    }

    #[test]
    fn names_that_never_come_again_are_forgotten_and_pass_nobody_who_waits() {
        let mut crowd = Crowd::new(1);
        crowd.ask(&app(1, "old"));
        let mut running = crowd.next().unwrap();
        crowd.ask(&app(1, "old"));
        let mut turns = 0;
        for name in 0.. {
            crowd.ask(&app(1, format!("name {name}")));
            drop(running);
            running = crowd.next().unwrap();
            turns += 1;
            if running.1 == app(1, "old") {
                break;
            }
            assert!(turns <= REMEMBERED + 1, "the old name waits for ever");
        }
        for name in 0..10 * REMEMBERED {
            crowd.ask(&app(1, format!("another {name}")));
            drop(running);
            running = crowd.next().unwrap();
            assert!(crowd.remembered() <= REMEMBERED + 3, "{}", crowd.remembered());
        }
        drop(running);
        while let Some(turn) = crowd.next() {
            drop(turn);
        }
        assert_eq!(crowd.remembered(), 0);
    }

    #[test]
    fn a_principal_has_one_place_at_a_time_and_who_gives_up_gets_none() {
        let mut crowd = Crowd::new(2);
        crowd.ask(&user(1));
        let running = crowd.next().unwrap();
        for _ in 0..8 {
            crowd.ask(&user(1));
            assert!(crowd.next().is_none());
        }
        crowd.ask(&user(2));
        let other = crowd.next().unwrap();
        assert_eq!(other.1.uid, 2);
        drop(other);
        crowd.waiting.clear();
        crowd.ask(&user(1));
        drop(running);
        assert_eq!(crowd.next().unwrap().1.uid, 1);
        assert!(crowd.next().is_none());
    }

    #[test]
    fn whoever_has_nothing_running_goes_beyond_the_places_and_others_do_not() {
        let crowd = Crowd::with(Places { all: 2, spare: 2, user: 4, principal: 4 });
        let enter = |uid| crowd.queue.enter(&user(uid));
        let first = [enter(1).unwrap(), enter(1).unwrap()];
        assert!(enter(1).is_none(), "its places are in use");
        let others = [enter(2).unwrap(), enter(3).unwrap()];
        assert!(enter(2).is_none() && enter(4).is_none(), "there is an end");
        drop(others);
        let mut crowd = crowd;
        crowd.ask(&user(1));
        assert!(crowd.next().is_none() && crowd.queue.contended());
        drop(first);
        assert!(crowd.queue.enter(&user(5)).is_some(), "it takes nobody's turn");
        let _one = crowd.next().unwrap();
        assert!(!crowd.queue.contended());
    }
}
