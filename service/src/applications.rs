//! Which client processes are here. A volatile key outlives its process's connections by no more than [`GRACE`], and so does the login
//! of a security officer.
//!
//! A process may lose all its connections for a moment without being gone: its client gives up on one that stalls, or drops one
//! after an error, and connects anew. So the end of the last one starts a wait, which any new one calls off.

use crate::dispatch::Dispatcher;
use interface::operations::Hello;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a process may be without any connection.
const GRACE: Duration = Duration::from_secs(5);

/// A client process, by the random number that its connections tell in [`Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Application([u8; 16]);

impl Application {
    /// The process that a request to say hello names, if it names one.
    pub fn named(hello: &Hello) -> Option<Self> {
        hello.application.as_slice().try_into().map(Self).ok()
    }
}

/// The processes with connections.
#[derive(Default)]
pub struct Applications(Mutex<HashMap<Application, Presence>>);

#[derive(Default)]
struct Presence {
    connections: usize,
    /// Connections that there have ever been.
    visits: u64,
}

impl Applications {
    /// A connection has told whose it is.
    pub fn enter(&self, application: Application) {
        let mut all = self.all();
        let presence = all.entry(application).or_default();
        presence.connections += 1;
        presence.visits += 1;
    }

    /// A connection has ended; when it was the last one, waits whether another comes, and destroys the volatile keys if not.
    pub async fn leave(&self, application: Application, dispatcher: Arc<Dispatcher>) {
        let Some(visits) = self.left(application) else {
            return;
        };
        if !dispatcher.store.volatile(application).is_empty() {
            tokio::time::sleep(GRACE).await;
        }
        if !self.gone(application, visits) {
            return;
        }
        dispatcher.store.log_out(application);
        for key in dispatcher.store.volatile(application) {
            let dispatcher = Arc::clone(&dispatcher);
            let destroyed = tokio::task::spawn_blocking(move || dispatcher.destroy(&key)).await;
            if let Ok(Err(error)) = destroyed {
                tracing::warn!(%error, "a volatile key could not be destroyed when its application had gone");
            }
        }
    }

    /// How many connections the process had ever had when its last one ended.
    fn left(&self, application: Application) -> Option<u64> {
        let mut all = self.all();
        let presence = all.get_mut(&application)?;
        presence.connections -= 1;
        (presence.connections == 0).then_some(presence.visits)
    }

    /// Whether no further connection has come; the process is forgotten then.
    fn gone(&self, application: Application, visits: u64) -> bool {
        let mut all = self.all();
        let gone = all.get(&application).is_some_and(|presence| presence.connections == 0 && presence.visits == visits);
        if gone {
            all.remove(&application);
        }
        gone
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Application, Presence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_no_connection_follows_its_last_one() {
        let (applications, one) = (Applications::default(), Application([1; 16]));
        applications.enter(one);
        applications.enter(one);
        assert_eq!(applications.left(one), None, "there is another connection");
        let first = applications.left(one).unwrap();
        applications.enter(one);
        assert!(!applications.gone(one, first), "it is back");
        let second = applications.left(one).unwrap();
        assert!(!applications.gone(one, first), "the earlier wait was called off");
        assert!(applications.gone(one, second));
        assert!(applications.all().is_empty());
    }

    #[test]
    fn only_sixteen_bytes_name_a_process() {
        let named = |len| Application::named(&Hello { application: vec![7; len], ..Hello::default() });
        assert_eq!(named(16), Some(Application([7; 16])));
        assert_eq!((named(0), named(15), named(17)), (None, None, None));
    }
}
