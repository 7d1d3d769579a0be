//! Who is connected, and whose connection makes room when there is none.
//!
//! While there is room, everybody gets it. When there is none, users compare by how many connections they have beyond their
//! guarantees. The user with fewer takes one over from the user with more: the idlest. Losing an idle connection costs the client a
//! reconnect and no error. A busy connection is cut off only for a user below its guarantee, and only if others are above theirs. A
//! connection whose request has begun in a lane is never cut off, because the client would not know the outcome. So nobody can keep
//! the others out, and a program with many threads needs no limit of its own. Some places are reserved for administrators, who must
//! be able to look at what is wrong.
//!
//! A connection that makes room still counts until its socket is closed. While too many connections of one user are closing, the
//! next connections of this user wait.

use crate::auth::Principal;
use crate::quotas::{Limit, Quotas};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Places for root, the service's own user and administrators alone, where there are many in all.
const KEPT: usize = 64;
/// If a request takes so long to arrive, or an answer to be read, the connection may be broken off to make room.
const SLOW: Duration = Duration::from_millis(50);

/// Connections that may be about to go at a time to make room for one user.
const LEAVING: usize = 16;

/// The connections that there are.
#[derive(Debug)]
pub struct Connections {
    capacity: usize,
    /// Whose users the kept places are for.
    kept_for: HashSet<u32>,
    quotas: Arc<Quotas>,
    start: Instant,
    state: Mutex<State>,
    closed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    total: usize,
    /// Connections that are leaving but not closed yet, by the user for whom they make room. They count for nobody any more.
    leaving: HashMap<u32, usize>,
    users: HashMap<u32, HashMap<u64, Arc<Activity>>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Nobody makes room.
    Taken,
    /// Enough connections make room for this user already. There is a place when one of them has gone.
    Soon,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    connections: Arc<Connections>,
    uid: u32,
    number: u64,
    activity: Arc<Activity>,
}

/// The activity of a connection, which shows how long it is idle.
#[derive(Debug)]
struct Activity {
    /// Milliseconds since the start times eight, and the [`Phase`] that has lasted since.
    phase: AtomicU64,
    /// The user for whom it makes room.
    heir: AtomicU32,
    leave: Notify,
}

/// The activity of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: it waits for a request.
    Idle,
    /// It waits for the client, in the middle of a request or an answer.
    Halfway,
    /// A request is worked on, or waits for its turn.
    Busy,
    /// A request has begun in a lane. It goes on even if nobody waits for it.
    Begun,
    /// It has made room for another.
    Left,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Idle, Self::Halfway, Self::Busy, Self::Begun, Self::Left];

    /// The phase in a word, and its beginning.
    fn of(word: u64) -> (Self, u64) {
        (Self::ALL[(word % 8) as usize], word / 8)
    }

    /// The word that says so since this time.
    const fn since(self, time: u64) -> u64 {
        time * 8 + self as u64
    }
}

/// One user's connections, as the judgement sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    has: usize,
    guaranteed: usize,
    /// How many can be closed without an error.
    idle: usize,
    /// How many can be broken off.
    at_work: usize,
}

impl User {
    /// Connections beyond the guarantee.
    fn beyond(&self) -> i64 {
        i64::try_from(self.has).unwrap_or(i64::MAX).saturating_sub_unsigned(self.guaranteed as u64)
    }
}

/// Which user gives up a connection for one more of this user, and whether that connection is at work. The rules in their order:
/// - an idle one of the greediest other user who has one, if that user stays greedier;
/// - one at work of the greediest user above its guarantee, if the user who asks is below its own;
/// - an idle one of the user who asks.
fn makes_room(asks: User, users: &[User]) -> Option<(u32, bool)> {
    let others = || users.iter().filter(|user| user.uid != asks.uid);
    let idle = others().filter(|user| user.idle > 0).max_by_key(|user| user.beyond());
    let idle = idle.filter(|greediest| greediest.beyond() > asks.beyond() + 1).map(|user| (user.uid, false));
    let at_work = || others().filter(|user| user.at_work > 0).max_by_key(|user| user.beyond());
    let at_work = || at_work().filter(|user| asks.beyond() < 0 && user.beyond() > 0).map(|user| (user.uid, true));
    idle.or_else(at_work).or_else(|| (asks.idle > 0).then_some((asks.uid, false)))
}

impl Connections {
    /// The number of places. These users have the kept ones.
    pub fn new(capacity: usize, kept_for: impl IntoIterator<Item = u32>, quotas: Arc<Quotas>) -> Arc<Self> {
        let (start, state) = (Instant::now(), Mutex::default());
        let (kept_for, closed) = (kept_for.into_iter().collect(), AtomicU64::new(0));
        Arc::new(Self { capacity, kept_for, quotas, start, state, closed })
    }

    /// A place for a connection of this user, if need be that of another connection.
    ///
    /// # Errors
    /// Why there is none.
    pub fn admit(self: &Arc<Self>, uid: u32) -> Result<Slot, Full> {
        let mut state = self.state();
        let kept = if self.kept_for.contains(&uid) { 0 } else { KEPT.min(self.capacity / 16) };
        if state.total >= self.capacity - kept {
            if state.leaving.get(&uid).is_some_and(|leaving| *leaving >= LEAVING) {
                return Err(Full::Soon);
            }
            if !self.make_room(&mut state, uid) {
                return Err(Full::Taken);
            }
        }
        let number = state.next;
        state.next += 1;
        state.total += 1;
        let activity = Arc::new(Activity::new(self.word(Phase::Idle)));
        state.users.entry(uid).or_default().insert(number, Arc::clone(&activity));
        drop(state);
        Ok(Slot { connections: Arc::clone(self), uid, number, activity })
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.state().total
    }

    /// Which user has how many.
    pub fn users(&self) -> Vec<(Principal, u64)> {
        self.state().users.iter().map(|(uid, own)| (Principal::Uid(*uid), own.len() as u64)).collect()
    }

    /// How many have made room for others.
    pub fn closed(&self) -> u64 {
        self.closed.load(Relaxed)
    }

    fn make_room(&self, state: &mut State, uid: u32) -> bool {
        let now = self.now();
        let user = |uid: u32, own: &HashMap<u64, Arc<Activity>>| User {
            uid,
            has: own.len(),
            guaranteed: usize::try_from(self.quotas.number(&Principal::Uid(uid), Limit::Connections)).unwrap_or(usize::MAX),
            idle: own.values().filter(|activity| activity.spare(now).is_some()).count(),
            at_work: own.values().filter(|activity| activity.at_work().is_some()).count(),
        };
        loop {
            let none = HashMap::new();
            let asks = user(uid, state.users.get(&uid).unwrap_or(&none));
            let users: Vec<_> = state.users.iter().map(|(uid, own)| user(*uid, own)).collect();
            let Some((from, at_work)) = makes_room(asks, &users) else {
                return false;
            };
            let own = || state.users.get(&from).into_iter().flatten();
            let idlest = || own().filter_map(|(number, activity)| Some((activity.spare(now)?, *number))).min();
            let latest = || own().filter_map(|(number, activity)| Some((activity.at_work()?, *number))).max();
            let chosen = if at_work { latest() } else { idlest().map(|((_, word), number)| (word, number)) };
            // What they do may have changed just now.
            let leaves = |(word, number)| state.users.get(&from)?.get(&number)?.make_leave(word, uid).then_some(number);
            if let Some(number) = chosen.and_then(leaves) {
                state.remove(from, number);
                *state.leaving.entry(uid).or_default() += 1;
                self.closed.fetch_add(1, Relaxed);
                tracing::debug!(peer = from, for_peer = uid, "a connection makes room for another");
                return true;
            }
        }
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn word(&self, phase: Phase) -> u64 {
        phase.since(self.now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, uid: u32, number: u64) {
        if let Some(own) = self.users.get_mut(&uid)
            && own.remove(&number).is_some()
        {
            self.total -= 1;
            if own.is_empty() {
                self.users.remove(&uid);
            }
        }
    }
}

impl Activity {
    fn new(word: u64) -> Self {
        Self { phase: AtomicU64::new(word), heir: AtomicU32::new(0), leave: Notify::new() }
    }

    /// Whether it may be closed: how soon (idle ones first, by the time), and the word that says so.
    fn spare(&self, now: u64) -> Option<((bool, u64), u64)> {
        let word = self.phase.load(Relaxed);
        let (phase, since) = Phase::of(word);
        match phase {
            Phase::Idle => Some(((false, since), word)),
            Phase::Halfway if u128::from(now.saturating_sub(since)) >= SLOW.as_millis() => Some(((true, since), word)),
            _ => None,
        }
    }

    /// Whether it may be broken off: the word that says so.
    fn at_work(&self) -> Option<u64> {
        let word = self.phase.load(Relaxed);
        matches!(Phase::of(word).0, Phase::Busy | Phase::Halfway).then_some(word)
    }

    /// Closes it for another of this user, if nothing has changed.
    fn make_leave(&self, word: u64, heir: u32) -> bool {
        let left = Phase::Left.since(Phase::of(word).1);
        let left = self.phase.compare_exchange(word, left, Relaxed, Relaxed).is_ok();
        if left {
            self.heir.store(heir, Relaxed);
            self.leave.notify_one();
        }
        left
    }
}

impl Slot {
    /// Notes what the connection does from now on; false when it has to end.
    #[must_use]
    pub fn enter(&self, phase: Phase) -> bool {
        let word = self.connections.word(phase);
        let stays = |now| (Phase::of(now).0 != Phase::Left).then_some(word);
        self.activity.phase.fetch_update(Relaxed, Relaxed, stays).is_ok()
    }

    /// Completes when the connection has to make room for another.
    pub async fn needed(&self) {
        self.activity.leave.notified().await;
    }

    /// Whether it must close at once, because too many connections are closing for the same user.
    pub fn hurried(&self) -> bool {
        let state = self.connections.state();
        state.leaving.get(&self.activity.heir.load(Relaxed)).is_some_and(|leaving| *leaving > LEAVING / 2)
    }

    /// Whether it has to make room.
    pub fn left(&self) -> bool {
        Phase::of(self.activity.phase.load(Relaxed)).0 == Phase::Left
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        if self.left() {
            let heir = self.activity.heir.load(Relaxed);
            if let Some(leaving) = state.leaving.get_mut(&heir) {
                *leaving -= 1;
            }
            state.leaving.retain(|_, leaving| *leaving > 0);
        } else {
            state.remove(self.uid, self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: u32 = 0;

    fn connections(capacity: usize) -> Arc<Connections> {
        Connections::new(capacity, [ADMIN], Arc::new(Quotas::default()))
    }

    fn take(connections: &Arc<Connections>, uid: u32, count: usize) -> Vec<Slot> {
        (0..count).map(|_| connections.admit(uid).unwrap()).collect()
    }

    fn user(uid: u32, has: usize, idle: usize) -> User {
        User { uid, has, guaranteed: 128, idle, at_work: has - idle }
    }

    fn of(connections: &Connections, uid: u32) -> u64 {
        connections.users().into_iter().find_map(|(who, has)| (who == Principal::Uid(uid)).then_some(has)).unwrap_or_default()
    }

    #[test]
    fn the_greediest_makes_room_for_who_is_less_greedy_and_else_everybody_for_itself() {
        let cases = [
            // who asks, who else is there, whose connection is closed
            (user(1, 0, 0), vec![user(2, 960, 960)], Some(2)),
            (user(1, 127, 0), vec![user(2, 500, 1), user(3, 333, 333)], Some(2)),
            (user(1, 127, 0), vec![user(2, 500, 0), user(3, 333, 333)], Some(3)),
            (user(1, 128, 0), vec![user(2, 832, 0)], None),
            (user(1, 200, 7), vec![user(2, 760, 5)], Some(2)),
            (user(1, 760, 5), vec![user(2, 200, 7)], Some(1)),
            (user(1, 760, 0), vec![user(2, 200, 7)], None),
            // less than the guarantee: one at work
            (user(1, 5, 1), vec![user(2, 955, 0)], Some(2)),
            (user(1, 5, 0), vec![user(2, 955, 0)], Some(2)),
            (user(1, 100, 1), vec![user(2, 128, 0)], Some(1)),
            (user(1, 100, 0), vec![user(2, 128, 0)], None),
            // what has begun is not broken off
            (user(1, 5, 0), vec![User { at_work: 0, ..user(2, 800, 0) }, user(3, 155, 0)], Some(3)),
            (user(1, 5, 0), vec![User { at_work: 0, ..user(2, 955, 0) }], None),
            // more users than guarantees: the share of each is the same
            (user(1, 20, 0), vec![user(2, 100, 3), user(3, 90, 9)], Some(2)),
            (user(1, 89, 4), vec![user(2, 90, 90)], Some(1)),
            // an exception: a guarantee of its own
            (user(1, 127, 0), vec![User { guaranteed: 600, ..user(2, 600, 9) }, user(3, 233, 9)], Some(3)),
        ];
        for (asks, others, expected) in cases {
            let all: Vec<_> = others.iter().copied().chain([asks]).collect();
            assert_eq!(makes_room(asks, &all).map(|(uid, _)| uid), expected, "{asks:?} {others:?}");
        }
    }

    #[test]
    fn some_places_are_kept_for_administrators() {
        let connections = connections(1024);
        let greedy = take(&connections, 1, 960);
        assert!(greedy.iter().all(|slot| slot.enter(Phase::Busy)));
        assert_eq!(connections.admit(1).err(), Some(Full::Taken), "all of them are at work");
        let admin = take(&connections, ADMIN, 64);
        assert_eq!((connections.total(), admin.len()), (1024, 64));
        assert!(greedy[0].enter(Phase::Idle));
        let _one_more = connections.admit(ADMIN).unwrap();
        assert!(greedy[0].left() && !greedy[0].enter(Phase::Busy));
        assert_eq!((of(&connections, 1), connections.total()), (959, 1024));
    }

    #[test]
    fn one_at_work_makes_room_for_who_has_less_than_the_guarantee() {
        let connections = connections(1024);
        let greedy = take(&connections, 1, 960);
        assert!(greedy.iter().all(|slot| slot.enter(Phase::Busy)));
        let _one = connections.admit(2).unwrap();
        assert_eq!((greedy.iter().filter(|slot| slot.left()).count(), of(&connections, 1), of(&connections, 2)), (1, 959, 1));
    }

    #[test]
    fn one_whose_request_has_begun_makes_no_room() {
        let connections = connections(200);
        let greedy = take(&connections, 1, 188);
        assert!(greedy.iter().all(|slot| slot.enter(Phase::Begun)));
        assert_eq!(connections.admit(2).err(), Some(Full::Taken));
        assert!(greedy[3].enter(Phase::Busy));
        let _one = connections.admit(2);
        assert!(greedy[3].left() && !greedy[3].enter(Phase::Begun), "a request that has not begun by then does not");
    }

    #[test]
    fn those_that_make_room_for_a_user_are_few_until_they_are_closed_and_others_need_not_wait() {
        let connections = connections(1024);
        let mut slots = take(&connections, 1, 960 + LEAVING);
        assert_eq!(connections.admit(1).err(), Some(Full::Soon), "{LEAVING} are about to go");
        let _other = connections.admit(2).unwrap();
        let left = slots.iter().position(Slot::left).unwrap();
        drop(slots.swap_remove(left));
        let _next = connections.admit(1).unwrap();
        assert_eq!(connections.total(), 960);
    }

    #[test]
    fn the_idlest_leaves_and_no_busy_one() {
        let connections = connections(8);
        let greedy = take(&connections, 1, 8);
        assert!(greedy[0].enter(Phase::Busy) && greedy[1].enter(Phase::Halfway));
        greedy[2].activity.phase.store(Phase::Idle.since(9), Relaxed);
        greedy[3].activity.phase.store(Phase::Idle.since(7), Relaxed);
        for slot in &greedy[4..] {
            slot.activity.phase.store(Phase::Idle.since(8), Relaxed);
        }
        let _first = connections.admit(2).unwrap();
        let left: Vec<_> = (0..8).filter(|i| greedy[*i].left()).collect();
        assert_eq!(left, [3]);
        assert_eq!((of(&connections, 1), of(&connections, 2), connections.total(), connections.closed()), (7, 1, 8, 1));
    }

    #[test]
    fn a_seat_is_free_when_it_is_dropped() {
        let connections = connections(2);
        let mut slots = take(&connections, 1, 2);
        slots.pop();
        assert_eq!(connections.users(), [(Principal::Uid(1), 1)]);
        slots.extend(take(&connections, 2, 1));
        drop(slots);
        assert_eq!((connections.total(), connections.users()), (0, vec![]));
    }
}
