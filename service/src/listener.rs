//! The socket, its own or systemd's: accept, count, stop.

use crate::connection::{self, Context};
use crate::error::{Error, Result};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How long the service waits for requests in progress when it stops.
const GRACE: Duration = Duration::from_secs(10);

/// The listening socket: systemd's if it passed one, else a new one at `path`, which everyone may connect to: who a client is, is
/// asked of the kernel.
///
/// # Errors
/// [`Error::Io`]; also when another service answers at `path`.
pub fn bind(path: &Path) -> Result<UnixListener> {
    let inherited = listenfd::ListenFd::from_env().take_unix_listener(0);
    if let Some(listener) = inherited.map_err(Error::io("the socket that systemd passed"))? {
        return Ok(listener);
    }
    let failed = |what: &str| Error::io(format!("{what} {}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("cannot create the folder of"))?;
    }
    if UnixStream::connect(path).is_ok() {
        return Err(Error::Config(format!(
            "another service answers at {}: stop it, or set listener.socket_path",
            path.display()
        )));
    }
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            return Err(Error::Config(format!("{} exists and is not a socket", path.display())));
        }
        _ => {}
    }
    // Renamed into place when it listens, so that a client never meets a socket without a listener.
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(failed("cannot listen at"))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o666)).map_err(failed("cannot set the mode of"))?;
    fs::rename(&new, path).map_err(failed("cannot put into place"))?;
    Ok(listener)
}

/// Accepts clients until `stopping` turns true, then waits for the requests in progress.
///
/// # Errors
/// [`Error::Io`] if the listener cannot be used.
pub async fn serve(
    listener: UnixListener,
    context: Arc<Context>,
    max_connections: usize,
    mut stopping: watch::Receiver<bool>,
) -> Result<()> {
    listener.set_nonblocking(true).map_err(Error::io("the socket"))?;
    let listener = tokio::net::UnixListener::from_std(listener).map_err(Error::io("the socket"))?;
    let room = Arc::new(Semaphore::new(max_connections));
    let mut clients = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (context, counted) = (Arc::clone(&context), context.stats.connection());
                clients.spawn(async move {
                    let _permit = permit;
                    connection::serve(stream, context, counted).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a client");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        while clients.try_join_next().is_some() {}
        if room.available_permits() == 0 {
            tracing::warn!(max_connections, "all connections are in use; further clients wait");
        }
    }
    drop(listener);
    let all = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("requests were still in progress when the service stopped");
    }
    Ok(())
}
