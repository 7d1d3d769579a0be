//! How fast a client may fill the log: a token bucket for each user and room.
//!
//! Lines that a client can cause at will, such as refusals, are limited to the configured rate, with a burst of ten seconds' worth.
//! Lines about changes may come faster: a long list of new keys is logged key by key.

use super::event::Kind;
use super::record::Origin;
use crate::auth::Principal;
use crate::quotas::{Limit, Quotas};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Users with a bucket of their own; all others share one.
const USERS: usize = 1024;

/// Where a line waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Room {
    /// Events. A client cannot cause them without the change.
    Events,
    /// Lines that a client can cause at will, such as refusals, and all that are no events.
    Rest,
}

impl Room {
    pub(super) const ALL: [Self; 2] = [Self::Events, Self::Rest];

    pub(super) fn of(origin: Origin) -> Self {
        match origin.kind {
            None | Some(Kind::Refuse | Kind::Fail) => Self::Rest,
            Some(_) => Self::Events,
        }
    }

    /// Bytes.
    pub(super) const fn capacity(self) -> usize {
        match self {
            Self::Events => 4 << 20,
            Self::Rest => 1 << 20,
        }
    }

    /// Times the rate that the configuration says.
    const fn rate(self) -> u64 {
        match self {
            Self::Events => 5,
            Self::Rest => 1,
        }
    }

    /// Seconds' worth of the rate that may come at once.
    const fn burst(self) -> u64 {
        match self {
            Self::Events => 100,
            Self::Rest => 10,
        }
    }
}

/// The buckets.
pub(super) struct Rates {
    quotas: Arc<Quotas>,
    buckets: HashMap<(Option<u32>, Room), Bucket>,
}

struct Bucket {
    /// Thousandths of lines that may come at once.
    left: u64,
    since: Instant,
}

impl Rates {
    pub(super) fn new(quotas: Arc<Quotas>) -> Self {
        Self { quotas, buckets: HashMap::new() }
    }

    /// Whether one more line of a user may come now.
    pub(super) fn permit(&mut self, user: u32, room: Room, now: Instant) -> bool {
        let rate = self.quotas.number(&Principal::Uid(user), Limit::LogLines).saturating_mul(room.rate());
        let most = rate.saturating_mul(1000 * room.burst());
        if self.buckets.len() >= USERS && !self.buckets.contains_key(&(Some(user), room)) {
            self.buckets.retain(|_, bucket| bucket.refill(rate, most, now) < most);
        }
        let own = self.buckets.len() < USERS || self.buckets.contains_key(&(Some(user), room));
        let bucket = self.buckets.entry((own.then_some(user), room)).or_insert(Bucket { left: most, since: now });
        bucket.refill(rate, most, now);
        let enough = bucket.left.checked_sub(1000);
        bucket.left = enough.unwrap_or(bucket.left);
        if enough.is_none() {
            self.quotas.count(Limit::LogLines);
        }
        enough.is_some()
    }
}

impl Bucket {
    fn refill(&mut self, rate: u64, most: u64, now: Instant) -> u64 {
        let milliseconds = u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        let more = milliseconds.saturating_mul(rate);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(most);
            self.since = now;
        }
        self.left
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::section::Section;
    use std::time::Duration;

    fn rates() -> Rates {
        let quotas = "[[for]]\nwho = \"uid:7\"\nlog_lines = 40".parse().unwrap();
        Rates::new(Arc::new(Quotas::read(Section::new("[quotas]", quotas)).unwrap()))
    }

    #[test]
    fn a_user_has_a_burst_then_a_rate_and_takes_nothing_from_others() {
        let (mut rates, start) = (rates(), Instant::now());
        let mut permitted = |user, room, after: u64| {
            let now = start + Duration::from_millis(after);
            (0..100_000).take_while(|_| rates.permit(user, room, now)).count()
        };
        assert_eq!(permitted(1, Room::Rest, 0), 200);
        assert_eq!(permitted(1, Room::Rest, 0), 0);
        assert_eq!(permitted(1, Room::Events, 0), 10_000, "what it has changed is told all the same");
        assert_eq!(permitted(2, Room::Rest, 0), 200);
        assert_eq!(permitted(7, Room::Rest, 0), 400);
        assert_eq!(permitted(1, Room::Rest, 1000), 20);
        assert_eq!(permitted(1, Room::Rest, 1_000_000), 200);
    }

    #[test]
    fn the_buckets_of_many_users_take_no_more_memory() {
        let (mut rates, start) = (rates(), Instant::now());
        for user in 0..100_000 {
            rates.permit(user, Room::Rest, start);
        }
        assert_eq!(rates.buckets.len(), USERS + 1);
        assert!(!rates.permit(200_000, Room::Rest, start), "whoever comes too late shares a bucket");
        let later = start + Duration::from_secs(10);
        assert!(rates.permit(200_000, Room::Rest, later));
        assert_eq!(rates.buckets.len(), 1, "who has been quiet is forgotten");
    }
}
