//! The launcher: starts a worker when it is told to, and kills the one before. It does nothing else, so nothing of it can fail.
//!
//! It knows the library from its start. So whoever has taken over the service, which is in a sandbox, cannot have another one loaded.

use super::frame::{receive_descriptors, send_descriptors};
use super::process::harden;
use crate::error::{Error, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// This program, also when another one has its name by now.
const PROGRAM: &str = "/proc/self/exe";
/// What the processes are called.
const NAME: &str = "parsec";
/// The command that is a worker; with the flag, a launcher.
const WORKER: &str = "worker";
const LAUNCHER: &str = "--launcher";
/// What both are told.
const LIBRARY: &str = "--library";

/// A launcher, as the service has it. It ends when this is dropped, and the worker with it.
pub(crate) struct Launcher(OwnedFd);

impl Launcher {
    /// Starts one for this library.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn start(library: &Path) -> Result<Self> {
        let failed = || Error::io("cannot start the process that starts PKCS#11 libraries");
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (here, there) = pair.map_err(|errno| failed()(errno.into()))?;
        let mut command = Command::new(PROGRAM);
        command.arg0(NAME).args([WORKER, LAUNCHER, LIBRARY]).arg(library).stdin(Stdio::from(there)).stdout(Stdio::null());
        command.spawn().map_err(failed())?;
        Ok(Self(here))
    }

    /// Starts a worker, and kills the one before. Its first channel: at its end, the worker could not be started.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn worker(&self) -> Result<UnixStream> {
        let failed = || Error::io("the process that starts PKCS#11 libraries is gone: restart the service");
        let (here, there) = UnixStream::pair().map_err(failed())?;
        send_descriptors(&self.0, &[0], &[there.as_fd()]).map_err(failed())?;
        Ok(here)
    }

    /// Kills the worker.
    pub(crate) fn kill(&self) {
        // Where there is no launcher any more, there is no worker either.
        let _ = send_descriptors(&self.0, &[0], &[]);
    }
}

/// Runs the launcher of a library's workers, on the socket that is its standard input, until the service ends.
pub fn launch(library: &Path) -> ExitCode {
    harden(c"parsec-launcher");
    let Ok(socket) = std::io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut running: Option<OwnedFd> = None;
    loop {
        let mut sockets = Vec::new();
        let told = receive_descriptors(&socket, &mut [0], &mut sockets);
        if let Some(worker) = running.take() {
            let _ = pidfd_send_signal(worker, Signal::KILL);
        }
        if !matches!(told, Ok(1..)) {
            return ExitCode::SUCCESS;
        }
        running = sockets.pop().and_then(|socket| start(library, socket));
    }
}

/// Starts a worker. One that hangs in the kernel is waited for by a thread that has nothing else to do.
fn start(library: &Path, socket: OwnedFd) -> Option<OwnedFd> {
    let mut command = Command::new(PROGRAM);
    command.arg0(NAME).args([WORKER, LIBRARY]).arg(library).stdin(Stdio::from(socket)).stdout(Stdio::null());
    // Where it fails, the service sees the end of the socket.
    let mut child = command.spawn().ok()?;
    let worker = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
    if worker.is_err() {
        let _ = child.kill();
    }
    std::thread::spawn(move || child.wait());
    worker.ok()
}
