//! Which client processes are connected. A volatile key, and the login of a security officer, outlive the connections of their
//! process by at most [`GRACE`].
//!
//! A process may lose all its connections for a moment without being gone: its client drops one that stalls or fails, and connects
//! again. So the end of the last connection starts a wait, and a new connection cancels it. If a connection was closed to make room
//! for another, that says nothing about its process. The wait then lasts as long as the process.

use crate::client_process::ClientProcess;
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
pub struct ProcessHandle {
    uid: u32,
    /// Readable when it has ended.
    pidfd: Option<OwnedFd>,
    /// How long it is waited for without a pidfd.
    patience: Duration,
}

impl ProcessHandle {
    /// The process behind a connection; `None` if it has ended. Linux reports the end of a process from version 6.5 on. On an older
    /// kernel the service waits for `patience` instead.
    pub fn behind(stream: impl AsFd, uid: u32, patience: Duration) -> Option<Self> {
        let pidfd = match getsockopt(&stream, PeerPidfd) {
            Ok(pidfd) => Some(pidfd),
            Err(Errno::ESRCH) => return None,
            Err(_) => None,
        };
        Some(Self { uid, pidfd, patience })
    }

    async fn ended(&self) {
        match &self.pidfd {
            Some(pidfd) => {
                while !ended(pidfd) {
                    tokio::time::sleep(LOOK).await;
                }
            }
            None => tokio::time::sleep(self.patience).await,
        }
    }
}

/// Whether the process of a pidfd has ended.
fn ended(pidfd: &OwnedFd) -> bool {
    let mut end = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut end, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// The processes with connections.
#[derive(Default)]
pub struct ClientProcesses(Mutex<State>);

#[derive(Default)]
struct State {
    all: HashMap<ClientProcess, Presence>,
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

impl ClientProcesses {
    /// A connection has told whose it is.
    pub fn enter(&self, process: ClientProcess) {
        let mut state = self.state();
        let presence = state.all.entry(process).or_default();
        presence.connections += 1;
        presence.visits += 1;
        presence.back.notify_waiters();
    }

    /// A connection has ended; when it was the last one, waits whether another comes, and destroys the volatile keys if not. One that
    /// made room for another leaves its process behind.
    pub async fn leave(&self, process: ClientProcess, behind: Option<ProcessHandle>, backends: Arc<Backends>) {
        let Some((visits, back)) = self.left(process) else {
            return;
        };
        let store = &backends.admission.store;
        let volatile = !store.volatile(process).is_empty();
        match behind.filter(|behind| (volatile || store.logged_in(process)) && self.goes_away(behind.uid)) {
            Some(behind) => {
                tokio::select! {
                    () = behind.ended() => {}
                    () = back => {}
                }
                self.is_back(behind.uid);
            }
            None if volatile => tokio::time::sleep(GRACE).await,
            None => {}
        }
        if !self.gone(process, visits) {
            return;
        }
        store.log_out(process);
        for key in store.volatile(process) {
            let backends = Arc::clone(&backends);
            let destroyed = tokio::task::spawn_blocking(move || backends.destroy(&key, Arc::default())).await;
            if let Ok(Err(error)) = destroyed {
                tracing::warn!(%error, "a volatile key could not be destroyed when its process had gone");
            }
        }
    }

    /// How many connections the process had ever had when its last one ended, and what tells of a further one.
    fn left(&self, process: ClientProcess) -> Option<(u64, OwnedNotified)> {
        let mut state = self.state();
        let presence = state.all.get_mut(&process)?;
        presence.connections -= 1;
        (presence.connections == 0).then(|| (presence.visits, Arc::clone(&presence.back).notified_owned()))
    }

    /// Whether no further connection has come; the process is forgotten then.
    fn gone(&self, process: ClientProcess, visits: u64) -> bool {
        let all = &mut self.state().all;
        let gone = all.get(&process).is_some_and(|presence| presence.connections == 0 && presence.visits == visits);
        if gone {
            all.remove(&process);
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
        let (processes, one) = (ClientProcesses::default(), ClientProcess::named(&hello).unwrap());
        processes.enter(one);
        processes.enter(one);
        assert!(processes.left(one).is_none(), "there is another connection");
        let (first, _) = processes.left(one).unwrap();
        processes.enter(one);
        assert!(!processes.gone(one, first), "it is back");
        let (second, _) = processes.left(one).unwrap();
        assert!(!processes.gone(one, first), "the earlier wait was called off");
        assert!(processes.gone(one, second));
        assert!(processes.state().all.is_empty());
    }

    #[test]
    fn no_user_has_processes_away_without_end() {
        let processes = ClientProcesses::default();
        assert!((0..AWAY).all(|_| processes.goes_away(1)));
        assert!(!processes.goes_away(1) && processes.goes_away(2));
        processes.is_back(1);
        assert!(processes.goes_away(1));
        (0..AWAY).for_each(|_| processes.is_back(1));
        processes.is_back(2);
        assert!(processes.state().away.is_empty());
    }
}
