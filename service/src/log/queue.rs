//! Lines that wait to be written, in two rooms of bounded size: one for events about keys and the service, one for the rest.
//! Neither can push out the other.
//!
//! A client may take as much of a room as is free. So a client that fills the room gets half of it, the next one half of the
//! remainder, and a newcomer always finds some left. No line is dropped silently: sums say how many, whose, and of what kind.

use super::event::Kind;
use super::rates::{Rates, Room};
use super::record::{Origin, Record};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::Level;

/// How long a user's lines that were left out are counted before the log tells how many.
const PERIOD: Duration = Duration::from_secs(10);
/// The same for lines that found no room.
const SOON: Duration = Duration::from_secs(1);
/// How long the service's own lines wait for room, as long as the writer gets on.
const PATIENCE: Duration = Duration::from_millis(500);
/// Users whose sums are told one by one.
const USERS: usize = 1024;

/// Why lines were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reason {
    /// The user had too many in too short a time.
    Rate,
    /// There was no room.
    Full,
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something is to be written.
    filled: Condvar,
    /// Something was.
    written: Condvar,
}

struct State {
    rates: Rates,
    time: fn() -> Option<String>,
    rooms: [Content; Room::ALL.len()],
    /// Lines that there have ever been.
    count: u64,
    sums: HashMap<(Option<u32>, Reason), Sum>,
    /// Lines that could not be written since one could.
    failed: u64,
    /// When the writer last took a line, or had written it.
    progress: Instant,
    /// The writer has a line in its hands.
    writing: bool,
    /// Sums are told at once.
    ending: bool,
}

#[derive(Default)]
struct Content {
    /// With the number of each.
    lines: VecDeque<(u64, Record)>,
    used: usize,
    /// How much of it each user has, and the service itself.
    shares: HashMap<Option<u32>, usize>,
}

struct Sum {
    since: Instant,
    kinds: BTreeMap<&'static str, u64>,
}

impl Queue {
    /// `time`: what lines begin with that are made here.
    pub(super) fn new(rates: Rates, time: fn() -> Option<String>) -> Self {
        let state = State {
            rates,
            time,
            rooms: Default::default(),
            count: 0,
            sums: HashMap::new(),
            failed: 0,
            progress: Instant::now(),
            writing: false,
            ending: false,
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), written: Condvar::new() }
    }

    /// Whether a line may come now. One that may not is counted.
    pub(super) fn permits(&self, origin: Origin) -> bool {
        let Some(user) = origin.peer else { return true };
        let mut state = self.state();
        let now = Instant::now();
        let permitted = state.rates.permit(user, Room::of(origin), now);
        if !permitted && state.leave_out(origin, Reason::Rate, 1, now) {
            // the writer has one more sum to think of
            self.filled.notify_one();
        }
        permitted
    }

    /// Takes a line, or counts it where there is no room. Waits for nothing but a moment for a writer that gets on, and that only with
    /// lines of the service itself.
    pub(super) fn push(&self, record: Record) {
        let (origin, room, size) = (record.origin, Room::of(record.origin), record.size());
        let mut state = self.state();
        let since = Instant::now();
        while origin.peer.is_none() && !state.has_room(room, origin, size) && state.gets_on(since) {
            state = self.wait(&self.written, state, PATIENCE);
        }
        if state.has_room(room, origin, size) {
            state.put(room, record, size);
        } else {
            state.leave_out(origin, Reason::Full, record.lines, since);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// The next line to write, in the order in which they came; waits for one.
    pub(super) fn next(&self) -> Record {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            if let Some(record) = state.due(now).or_else(|| state.pop()) {
                (state.writing, state.progress) = (true, now);
                return record;
            }
            self.written.notify_all();
            let sum = state.sums.values().map(|sum| PERIOD.saturating_sub(now.saturating_duration_since(sum.since))).min();
            state = self.wait(&self.filled, state, sum.unwrap_or(Duration::from_secs(3600)));
        }
    }

    /// The writer is done with a line.
    pub(super) fn wrote(&self, record: &Record, written: bool) {
        let mut state = self.state();
        (state.writing, state.progress) = (false, Instant::now());
        match (written, state.failed) {
            (false, _) => state.failed += record.lines,
            (true, 0) => {}
            (true, failed) => {
                state.failed = 0;
                let mut told = Record::new(Level::ERROR, Origin { kind: Some(Kind::Lose), peer: None }, (state.time)());
                told.message = format!("{failed} lines of the log were lost: they could not be written");
                told.lines = failed;
                let size = told.size();
                state.put(Room::Events, told, size);
            }
        }
        drop(state);
        self.written.notify_all();
    }

    /// Waits until all is written, but no longer than this.
    pub(super) fn finish(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.state();
        state.ending = true;
        self.filled.notify_one();
        while !state.idle() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(&self.written, state, left);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, on: &Condvar, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        on.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn has_room(&self, room: Room, origin: Origin, size: usize) -> bool {
        let content = &self.rooms[room as usize];
        let share = content.shares.get(&origin.peer).copied().unwrap_or_default();
        share + size <= room.capacity() - content.used.min(room.capacity())
    }

    /// Whether the writer is at work, and a line that came then may wait on.
    fn gets_on(&self, since: Instant) -> bool {
        self.progress.elapsed() < PATIENCE && since.elapsed() < 10 * PATIENCE
    }

    fn put(&mut self, room: Room, record: Record, size: usize) {
        self.count += 1;
        let content = &mut self.rooms[room as usize];
        content.used += size;
        *content.shares.entry(record.origin.peer).or_default() += size;
        content.lines.push_back((self.count, record));
    }

    /// The oldest line of both rooms.
    fn pop(&mut self) -> Option<Record> {
        let first = |content: &&mut Content| content.lines.front().map(|(number, _)| *number);
        let content = self.rooms.iter_mut().filter(|content| !content.lines.is_empty()).min_by_key(first)?;
        let (_, record) = content.lines.pop_front()?;
        let size = record.size();
        content.used -= size;
        let peer = record.origin.peer;
        if let Some(share) = content.shares.get_mut(&peer) {
            *share -= size;
            if *share == 0 {
                content.shares.remove(&peer);
            }
        }
        Some(record)
    }

    /// Counts lines that are left out; whether they are the first ones of their user.
    fn leave_out(&mut self, origin: Origin, reason: Reason, lines: u64, now: Instant) -> bool {
        let own = self.sums.len() < USERS || self.sums.contains_key(&(origin.peer, reason));
        let first = self.sums.len();
        let sum = self.sums.entry((origin.peer.filter(|_| own), reason));
        let sum = sum.or_insert_with(|| Sum { since: now, kinds: BTreeMap::new() });
        *sum.kinds.entry(origin.kind.map_or("other", Kind::name)).or_default() += lines;
        self.sums.len() > first
    }

    /// A sum that is to be told now.
    fn due(&mut self, now: Instant) -> Option<Record> {
        let empty = self.rooms.iter().all(|content| content.lines.is_empty());
        let due = |(key, sum): (&(Option<u32>, Reason), &Sum)| {
            let period = if key.1 == Reason::Rate { PERIOD } else { SOON };
            let over = now.saturating_duration_since(sum.since) >= period;
            (over || self.ending || empty && key.1 == Reason::Full).then_some(*key)
        };
        let key = self.sums.iter().find_map(due)?;
        let sum = self.sums.remove(&key)?;
        Some(sum.record(key, now, (self.time)()))
    }

    fn idle(&self) -> bool {
        !self.writing && self.sums.is_empty() && self.rooms.iter().all(|content| content.lines.is_empty())
    }
}

impl Sum {
    fn record(&self, (peer, reason): (Option<u32>, Reason), now: Instant, time: Option<String>) -> Record {
        let lines = self.kinds.values().sum();
        let kinds: Vec<_> = self.kinds.iter().map(|(kind, lines)| format!("{kind} {lines}")).collect();
        let whose = peer.map_or_else(|| "of the service itself and of many users".to_owned(), |uid| format!("of uid {uid}"));
        let (verb, why) = match reason {
            Reason::Rate => ("left out", "more than log_lines in [quotas] permits"),
            Reason::Full => ("lost", "the reader of the log is too slow"),
        };
        let seconds = now.saturating_duration_since(self.since).as_secs().max(1);
        let origin = Origin { peer, kind: Some(Kind::Lose) };
        let mut record = Record::new(Level::WARN, origin, time);
        record.message = format!("{lines} lines of the log {whose} were {verb} within {seconds} s ({}): {why}", kinds.join(", "));
        record.lines = lines;
        record
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use interface::Effect;
    use std::sync::Arc;

    const MAKE: Option<Kind> = Some(Kind::Done(Effect::Make));
    const REFUSE: Option<Kind> = Some(Kind::Refuse);

    fn queue() -> Arc<Queue> {
        Arc::new(Queue::new(Rates::new(Arc::default()), || None))
    }

    fn line(peer: Option<u32>, kind: Option<Kind>) -> Record {
        Record { message: "x".repeat(200), ..Record::new(Level::INFO, Origin { peer, kind }, None) }
    }

    /// How many lines of a user wait.
    fn waiting(queue: &Queue, peer: Option<u32>) -> usize {
        let state = queue.state();
        state.rooms.iter().flat_map(|content| &content.lines).filter(|(_, record)| record.origin.peer == peer).count()
    }

    fn fill(queue: &Queue, peer: u32, kind: Option<Kind>) -> usize {
        (0..30_000).for_each(|_| queue.push(line(Some(peer), kind)));
        waiting(queue, Some(peer))
    }

    #[test]
    fn whoever_fills_a_room_leaves_half_of_it_and_the_other_room() {
        let queue = queue();
        let first = fill(&queue, 1, REFUSE);
        assert!(first > 1000, "{first}");
        let second = fill(&queue, 2, REFUSE);
        assert!(second.abs_diff(first / 2) < 2, "{first} {second}");
        let third = fill(&queue, 3, REFUSE);
        assert!(third.abs_diff(first / 4) < 2, "{first} {third}");
        let events = fill(&queue, 1, MAKE) - first;
        assert!(events.abs_diff(4 * first) < 8, "{first} {events}");
        queue.push(line(None, MAKE));
        assert_eq!(waiting(&queue, None), 1);
        assert!(queue.state().rooms.iter().zip(Room::ALL).all(|(content, room)| content.used <= room.capacity()));
    }

    #[test]
    fn what_was_left_out_is_told_once_there_is_room_and_memory_comes_back() {
        let queue = queue();
        let kept = fill(&queue, 1, REFUSE);
        let lines: Vec<_> = std::iter::from_fn(|| {
            let idle = queue.state().idle();
            (!idle).then(|| queue.next()).inspect(|record| queue.wrote(record, true))
        })
        .collect();
        assert_eq!(lines.len(), kept + 1);
        let told = format!("{} lines of the log of uid 1 were lost within", 30_000 - kept);
        let sums = lines.iter().filter(|record| record.message.starts_with(&told)).count();
        assert_eq!(sums, 1, "{told}");
        assert!(queue.state().rooms.iter().all(|content| content.shares.is_empty() && content.used == 0));
    }

    #[test]
    fn what_could_not_be_written_is_told_when_something_can() {
        let queue = queue();
        for (message, written) in [("a", false), ("b", false), ("c", true)] {
            queue.push(Record { message: message.to_owned(), ..line(None, None) });
            let record = queue.next();
            assert_eq!(record.message, message);
            queue.wrote(&record, written);
        }
        assert_eq!(queue.next().message, "2 lines of the log were lost: they could not be written");
    }

    #[test]
    fn the_services_own_lines_wait_for_a_writer_that_gets_on() {
        let queue = queue();
        let writer = Arc::clone(&queue);
        let writer = std::thread::spawn(move || {
            let last = |record: &Record| record.message == "last";
            std::iter::from_fn(|| Some(writer.next()))
                .inspect(|record| writer.wrote(record, true))
                .take_while(|record| !last(record))
                .count()
        });
        for _ in 0..15_000 {
            queue.push(line(None, Some(Kind::Damage)));
        }
        queue.push(Record { message: "last".to_owned(), ..line(None, Some(Kind::Damage)) });
        assert_eq!(writer.join().unwrap(), 15_000, "none is left out");
    }

    #[test]
    fn the_end_waits_for_no_reader() {
        let queue = queue();
        queue.push(line(None, None));
        queue.finish(Duration::from_millis(1));
        assert_eq!(waiting(&queue, None), 1);
        let record = queue.next();
        queue.wrote(&record, true);
        queue.finish(Duration::from_secs(600));
    }
}
