//! The socket, its own or systemd's: accept, admit, stop.

use crate::accept_queue::{AcceptQueue, Next};
use crate::admission::gone;
use crate::auth::Peer;
use crate::connection::{self, Context};
use crate::connections::Slot;
use crate::error::{Error, Result};
use crate::log;
use crate::quotas::Limit;
use crate::stop::{self, Stop};
use interface::client::{self, Client, Endpoint};
use interface::operations::Ping;
use interface::wire::{HEADER_LEN, Header};
use interface::{ProviderId, Status};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketFlags, accept_with, send};
use rustix::process::umask;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// So many clients may wait in the kernel to be accepted. They wait in one queue, and those who have left are still in it. So a short
/// queue keeps the wait short. When it is full, a client that does not block is refused (EAGAIN of connect(2)).
const BACKLOG: i32 = 256;
/// So many are accepted before the first of them is looked at.
const BATCH: usize = 256;
/// How long another service has to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long nobody is accepted when the kernel refuses, as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(20);

/// The listening socket, and where clients find it: systemd's if it passed one, else a new one at this path, which everyone may connect
/// to: who a client is, is asked of the kernel.
///
/// # Errors
/// [`Error::Io`]; also when another service answers at `path`. One that stops is waited for.
pub fn bind(path: Option<&Path>) -> Result<(UnixListener, PathBuf)> {
    let inherited = listenfd::ListenFd::from_env().take_unix_listener(0);
    if let Some(listener) = inherited.map_err(Error::io("the socket that systemd passed"))? {
        let address = listener.local_addr().map_err(Error::io("the socket that systemd passed"))?;
        return Ok((listener, address.as_pathname().map(Path::to_owned).unwrap_or_default()));
    }
    let path = path.ok_or_else(|| Error::Config("systemd passed no socket: set socket_path in [listener]".to_owned()))?;
    let failed = |what: &str| Error::io(format!("{what} {}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("cannot create the folder of"))?;
    }
    if answers(path) {
        return Err(Error::Config(format!(
            "another service answers at {}: systemctl stop parsec, or set another socket_path in [listener]",
            path.display()
        )));
    }
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            return Err(Error::Config(format!(
                "{0} exists and is not a socket: mv {0} {0}.old, or set socket_path in [listener]",
                path.display()
            )));
        }
        _ => {}
    }
    // Renamed into place when it listens, so that a client never meets a socket without a listener.
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    // Everybody may connect. To change the mode later would follow a link that somebody puts there meanwhile.
    let mask = umask(Mode::from_raw_mode(0o111));
    let listener = UnixListener::bind(&new);
    umask(mask);
    let listener = listener.map_err(failed("cannot listen at"))?;
    fs::rename(&new, path).map_err(failed("cannot put into place"))?;
    Ok((listener, path.to_owned()))
}

/// Whether a service is there, and not just about to end.
fn answers(path: &Path) -> bool {
    let Some(Ok(endpoint)) = path.to_str().map(Endpoint::of_setting) else {
        return UnixStream::connect(path).is_ok();
    };
    let client = Client::new(endpoint).with_deadline(ANSWER).with_wait(Duration::ZERO);
    !matches!(
        client.call(ProviderId::CORE, &Ping {}),
        Err(client::Error::Connect { .. } | client::Error::Io(_) | client::Error::Closed)
    )
}

/// Serves clients until the service stops, then waits for the requests in progress. A client that connects meanwhile waits for the next
/// service.
/// So many may wait to be served: each of them takes a descriptor.
///
/// # Errors
/// [`Error::Io`] if the listener cannot be used.
pub async fn serve(listener: Arc<UnixListener>, waiting: usize, context: Arc<Context>, stop: Stop) -> Result<()> {
    let failed = || Error::io("the socket");
    listener.set_nonblocking(true).map_err(failed())?;
    rustix::net::listen(&listener, BACKLOG).map_err(|errno| failed()(errno.into()))?;
    let (end, ended) = UnixStream::pair().map_err(failed())?;
    let (serving, mut served) = mpsc::channel(1);
    let door =
        Arc::new(Door { listener, queue: AcceptQueue::new(waiting), context, runtime: Handle::current(), _serving: serving });
    let accepting = std::thread::Builder::new().name("accept".to_owned()).spawn(move || door.accept(&ended)).map_err(failed())?;
    stop.wait().await;
    drop(end);
    let joined = tokio::task::spawn_blocking(|| accepting.join().is_ok());
    // Nothing is ever sent: it ends when every connection has left the door, which has the sender.
    let all = async { joined.await.is_ok() && served.recv().await.is_none() };
    if tokio::time::timeout(stop::GRACE, all).await.is_err() {
        tracing::warn!("requests were still in progress when the service stopped; what they left is settled at the next start");
    }
    Ok(())
}

/// Accepts clients in a thread of its own, so that a new one never waits for the requests of others.
struct Door {
    listener: Arc<UnixListener>,
    queue: AcceptQueue<(UnixStream, Peer)>,
    context: Arc<Context>,
    runtime: Handle,
    _serving: mpsc::Sender<()>,
}

impl Door {
    /// Accepts until the other end of `ended` is closed.
    fn accept(self: &Arc<Self>, ended: &UnixStream) {
        loop {
            let mut ready = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
            let polled = poll(&mut ready, None);
            if polled.is_ok() && !ready[1].revents().is_empty() {
                return;
            }
            self.accept_all();
        }
    }

    /// Accepts those who wait, or as many as are looked at before the end is.
    fn accept_all(self: &Arc<Self>) {
        // All at first, so that the queue is never full of those who left as soon as they had come: many have by then.
        let clients: Vec<_> = std::iter::from_fn(|| self.next()).take(BATCH).collect();
        clients.into_iter().for_each(|client| self.welcome(client));
    }

    /// The next one who waits.
    fn next(&self) -> Option<UnixStream> {
        loop {
            match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(client) => return Some(client.into()),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return None,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client");
                    std::thread::sleep(PAUSE);
                    return None;
                }
            }
        }
    }

    fn welcome(self: &Arc<Self>, client: UnixStream) {
        // A client that has gone already needs no place, whatever it has sent before.
        if gone(client.as_fd()) {
            return;
        }
        let peer = match getsockopt(&client, PeerCredentials) {
            Ok(credentials) => Peer::new(credentials.uid(), Some(credentials.pid()).filter(|pid| *pid > 0)),
            Err(error) => return tracing::warn!(%error, "a client's credentials cannot be read"),
        };
        let uid = peer.uid;
        if let Some((client, peer)) = self.queue.enter(uid, (client, peer)) {
            return self.refuse(&client, &peer);
        }
        self.admit(uid);
    }

    /// Has the runtime look at those of a user whose turn it is.
    fn admit(self: &Arc<Self>, uid: u32) {
        let there = |(client, _): &(UnixStream, Peer)| !gone(client.as_fd());
        while let Some(next) = self.queue.next(uid, there, || self.context.connections.admit(uid)) {
            match next {
                Next::Admitted((client, peer), slot) => self.spawn(client, peer, slot),
                Next::Refused((client, peer)) => self.refuse(&client, &peer),
            }
        }
    }

    fn spawn(self: &Arc<Self>, client: UnixStream, peer: Peer, slot: Slot) {
        let door = Arc::clone(self);
        self.runtime.spawn(async move {
            let uid = peer.uid;
            door.queue.seen(uid);
            door.admit(uid);
            connection::serve(client, peer, slot, Arc::clone(&door.context)).await;
            // Somebody may have waited for it to go.
            door.queue.waiting().into_iter().for_each(|uid| door.admit(uid));
        });
    }

    /// Tells a client at once that there is no place.
    fn refuse(&self, client: &UnixStream, peer: &Peer) {
        self.context.quotas.count(Limit::Connections);
        let status = Status::PsaErrorInsufficientMemory;
        let why = format!(
            "a connection: all are in use, and none is idle of uid:{} or a greedier user: raise max_connections in [core_settings] of the configuration, or connections in [quotas] or [[quotas.for]]",
            peer.uid
        );
        log::rejected(peer, None, status, &why);
        let mut frame = Vec::with_capacity(HEADER_LEN);
        Header::rejection(status).encode(&mut frame);
        let _ = send(client, &frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
