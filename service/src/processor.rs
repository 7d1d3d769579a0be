//! Shares the processors fairly.
//!
//! A short request runs on the thread that read its bytes: handing it to another thread costs as much as a signature. Two rules
//! keep one client's requests from delaying another's:
//! - Each request first takes a permit. There is one permit more than there are processors, so that no processor is idle while a
//!   permit changes hands. Users take turns, as in a lane. A user who has nothing running need not wait: its request runs beside the
//!   permits, and the kernel shares the processors among the threads.
//! - A request that takes longer than a moment runs [aside]. If somebody waits for a permit, it runs [apart](Processor::apart).

use crate::auth::Party;
use crate::error::Result;
use crate::fair_queue::{FairQueue, Places, Turn};
use crate::memory;
use crate::stop::Stop;
use rayon_core::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::oneshot;

/// For each permit, so many users may run beside the permits at a time.
const SPARE: usize = 4;

/// The permits, the requests that wait for one, and extra threads for long requests.
pub struct Processor {
    queue: FairQueue<Waiting>,
    /// `None` if the kernel gives no threads.
    threads: LazyLock<Option<ThreadPool>>,
}

/// A request that waits; it leaves the queue with its connection.
struct Waiting(Mutex<Option<oneshot::Sender<Permit>>>);

/// The right to compute now. When it is dropped, it goes to the request whose turn it is.
pub struct Permit {
    turn: Option<Turn<Waiting>>,
    /// Whether the request had to wait for it.
    pub(crate) waited: bool,
    queue: FairQueue<Waiting>,
}

impl Default for Processor {
    fn default() -> Self {
        Self::new(places())
    }
}

impl Processor {
    fn new(all: usize) -> Self {
        // A connection waits with one request at a time, so those who wait are as few as the connections.
        let queue = FairQueue::new(Places { all, spare: SPARE * all, user: all, principal: all });
        Self { queue, threads: LazyLock::new(threads) }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// [`Stop::refusal`].
    pub async fn enter(&self, party: &Party) -> Result<Permit> {
        if let Some(turn) = self.queue.enter(party) {
            return Ok(Permit { turn: Some(turn), waited: false, queue: self.queue.clone() });
        }
        let (sender, receiver) = oneshot::channel();
        let waiting = Arc::new(Waiting(Mutex::new(Some(sender))));
        self.queue.enqueue(party, &waiting);
        advance(&self.queue);
        receiver.await.map_err(|_| Stop::refusal())
    }

    /// Whether somebody waits for a permit.
    pub fn contended(&self) -> bool {
        self.queue.contended()
    }

    /// Runs what takes longer than a moment. If nobody waits for a permit, it runs [aside]. Otherwise it runs on a thread that only
    /// computes: the kernel lets a thread that has computed for long wait for its next turn, and a thread that reads must not wait.
    pub(crate) fn apart<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let wiped = || {
            let done = work();
            // The thread does not come to rest as one does that reads.
            memory::wipe_stack();
            done
        };
        let threads = if self.contended() { self.threads.as_ref() } else { None };
        tokio::task::block_in_place(|| match threads {
            Some(threads) => threads.install(wiped),
            None => wiped(),
        })
    }
}

fn places() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into) + 1
}

fn threads() -> Option<ThreadPool> {
    ThreadPoolBuilder::new().num_threads(places()).thread_name(|_| "compute".to_owned()).build().ok()
}

/// Gives free permits to those whose turn it is.
fn advance(queue: &FairQueue<Waiting>) {
    while let Some((turn, waiting)) = queue.next() {
        let permit = Permit { turn: Some(turn), waited: true, queue: queue.clone() };
        let sender = waiting.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The permit of one who has just given up is free again.
        let _ = sender.map(|sender| sender.send(permit));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.turn = None;
        if self.queue.contended() {
            advance(&self.queue);
        }
    }
}

/// Runs what takes longer than a moment, about 0.1 ms: on this thread, while another thread reads the bytes of others in its place.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(|| {
        let done = work();
        // The thread does not come to rest as one does that reads.
        memory::wipe_stack();
        done
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn user(uid: u32) -> Party {
        Party { uid, principal: None, privileged: false }
    }

    /// The permit, if it is there now.
    fn poll(entering: Pin<&mut impl Future<Output = Result<Permit>>>) -> Option<Permit> {
        match entering.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Some(permit.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn whoever_has_nothing_running_does_not_wait_behind_a_flood() {
        let processor = Processor::new(1);
        let (one, two) = (user(1), user(2));
        let running = poll(pin!(processor.enter(&one))).unwrap();
        let mut flood: Vec<_> = (0..1000).map(|_| Box::pin(processor.enter(&one))).collect();
        assert!(flood.iter_mut().all(|request| poll(request.as_mut()).is_none()));
        let polite = poll(pin!(processor.enter(&two))).unwrap();
        assert!(!polite.waited);
        let mut second = pin!(processor.enter(&two));
        assert!(poll(second.as_mut()).is_none(), "it has one");
        drop(polite);
        drop(poll(second.as_mut()).unwrap());
        drop(running);
        assert!(flood.iter_mut().all(|request| poll(request.as_mut()).is_some()), "each leaves its place to the next");
        assert!(!processor.contended());
    }

    #[test]
    fn a_place_is_not_lost_with_one_who_gives_up() {
        let processor = Processor::new(1);
        let one = user(1);
        let running = poll(pin!(processor.enter(&one))).unwrap();
        let mut first = Box::pin(processor.enter(&one));
        let mut second = Box::pin(processor.enter(&one));
        let mut third = Box::pin(processor.enter(&one));
        for request in [&mut first, &mut second, &mut third] {
            assert!(poll(request.as_mut()).is_none());
        }
        drop(first);
        drop(running);
        // the second has its permit, and leaves without having looked
        drop(second);
        assert!(poll(third.as_mut()).unwrap().waited);
        assert!(poll(pin!(processor.enter(&one))).is_some(), "nothing is left behind");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_takes_long_runs_on_a_thread_of_its_own_while_somebody_waits() {
        let processor = Processor::new(1);
        let one = user(1);
        let here = std::thread::current().id();
        let running = poll(pin!(processor.enter(&one))).unwrap();
        assert_eq!(processor.apart(|| std::thread::current().id()), here);
        let mut waiting = Box::pin(processor.enter(&one));
        assert!(poll(waiting.as_mut()).is_none());
        assert_ne!(processor.apart(|| std::thread::current().id()), here);
        drop((running, waiting));
        assert_eq!(processor.apart(|| std::thread::current().id()), here);
    }
}
