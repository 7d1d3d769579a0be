//! Which client processes are here. A volatile key outlives its process's connections by no more than [`GRACE`], and so does the login
//! of a security officer.
//!
//! A process may lose all its connections for a moment without being gone: its client gives up on one that stalls, or drops one
//! after an error, and connects anew. So the end of the last one starts a wait, which any new one calls off. A connection that had to
//! make room for another says nothing of its process: the wait lasts as long as the process then.

use crate::application::Application;
use crate::providers::Backends;
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, futures::OwnedNotified};

/// How long a process may be without any connection.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether a process that has none has ended.
const LOOK: Duration = Duration::from_secs(1);
/// Processes of one user that may be away at a time because their connections made room for others.
const AWAY: usize = 128;

/// A client's process, while it has no connection because its last one made room.
#[derive(Debug)]
pub struct Process {
    uid: u32,
    /// Readable when it has ended.
    handle: Option<OwnedFd>,
    /// How long it is waited for without a handle.
    patience: Duration,
}

impl Process {
    /// The process that has connected; `None` where it has ended. The kernel tells its end from Linux 6.5 on; an older one leaves nothing
    /// but to wait for so long.
    pub fn behind(stream: impl AsFd, uid: u32, patience: Duration) -> Option<Self> {
        let handle = match getsockopt(&stream, PeerPidfd) {
            Ok(handle) => Some(handle),
            Err(Errno::ESRCH) => return None,
            Err(_) => None,
        };
        Some(Self { uid, handle, patience })
    }

    async fn ended(&self) {
        match &self.handle {
            Some(handle) => {
                while !ended(handle) {
                    tokio::time::sleep(LOOK).await;
                }
            }
            None => tokio::time::sleep(self.patience).await,
        }
    }
}

/// Whether the process behind a handle has ended.
fn ended(handle: &OwnedFd) -> bool {
    let mut end = [PollFd::new(handle, PollFlags::IN)];
    poll(&mut end, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// The processes with connections.
#[derive(Default)]
pub struct Applications(Mutex<State>);

#[derive(Default)]
struct State {
    all: HashMap<Application, Presence>,
    /// How many processes of a user are away.
    away: HashMap<u32, usize>,
}

#[derive(Default)]
struct Presence {
    connections: usize,
    /// Connections that there have ever been.
    visits: u64,
    back: Arc<Notify>,
}

impl Applications {
    /// A connection has told whose it is.
    pub fn enter(&self, application: Application) {
        let mut state = self.state();
        let presence = state.all.entry(application).or_default();
        presence.connections += 1;
        presence.visits += 1;
        presence.back.notify_waiters();
    }

    /// A connection has ended; when it was the last one, waits whether another comes, and destroys the volatile keys if not. One that
    /// made room for another leaves its process behind.
    pub async fn leave(&self, application: Application, behind: Option<Process>, backends: Arc<Backends>) {
        let Some((visits, back)) = self.left(application) else {
            return;
        };
        let store = &backends.admission.store;
        let volatile = !store.volatile(application).is_empty();
        match behind.filter(|process| (volatile || store.logged_in(application)) && self.goes_away(process.uid)) {
            Some(process) => {
                tokio::select! {
                    () = process.ended() => {}
                    () = back => {}
                }
                self.is_back(process.uid);
            }
            None if volatile => tokio::time::sleep(GRACE).await,
            None => {}
        }
        if !self.gone(application, visits) {
            return;
        }
        store.log_out(application);
        for key in store.volatile(application) {
            let backends = Arc::clone(&backends);
            let destroyed = tokio::task::spawn_blocking(move || backends.destroy(&key, Arc::default())).await;
            if let Ok(Err(error)) = destroyed {
                tracing::warn!(%error, "a volatile key could not be destroyed when its application had gone");
            }
        }
    }

    /// How many connections the process had ever had when its last one ended, and what tells of a further one.
    fn left(&self, application: Application) -> Option<(u64, OwnedNotified)> {
        let mut state = self.state();
        let presence = state.all.get_mut(&application)?;
        presence.connections -= 1;
        (presence.connections == 0).then(|| (presence.visits, Arc::clone(&presence.back).notified_owned()))
    }

    /// Whether no further connection has come; the process is forgotten then.
    fn gone(&self, application: Application, visits: u64) -> bool {
        let all = &mut self.state().all;
        let gone = all.get(&application).is_some_and(|presence| presence.connections == 0 && presence.visits == visits);
        if gone {
            all.remove(&application);
        }
        gone
    }

    /// Whether one more process of this user may be away.
    fn goes_away(&self, uid: u32) -> bool {
        let mut state = self.state();
        let away = state.away.entry(uid).or_default();
        let may = *away < AWAY;
        *away += usize::from(may);
        may
    }

    fn is_back(&self, uid: u32) {
        let away = &mut self.state().away;
        if let Some(count) = away.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                away.remove(&uid);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use interface::operations::Hello;

    #[test]
    fn a_process_is_gone_when_no_connection_follows_its_last_one() {
        let hello = Hello { application: vec![1; 16], ..Hello::default() };
        let (applications, one) = (Applications::default(), Application::named(&hello).unwrap());
        applications.enter(one);
        applications.enter(one);
        assert!(applications.left(one).is_none(), "there is another connection");
        let (first, _) = applications.left(one).unwrap();
        applications.enter(one);
        assert!(!applications.gone(one, first), "it is back");
        let (second, _) = applications.left(one).unwrap();
        assert!(!applications.gone(one, first), "the earlier wait was called off");
        assert!(applications.gone(one, second));
        assert!(applications.state().all.is_empty());
    }

    #[test]
    fn no_user_has_processes_away_without_end() {
        let applications = Applications::default();
        assert!((0..AWAY).all(|_| applications.goes_away(1)));
        assert!(!applications.goes_away(1) && applications.goes_away(2));
        applications.is_back(1);
        assert!(applications.goes_away(1));
        (0..AWAY).for_each(|_| applications.is_back(1));
        applications.is_back(2);
        assert!(applications.state().away.is_empty());
    }
}
