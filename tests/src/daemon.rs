//! Other people's servers and agents, running for one test.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything that is waited for may take, on a slow machine with all tests at once.
const DEADLINE: Duration = Duration::from_secs(60);

/// A program that runs until it is dropped. Its output goes to a log file.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program that stays in the foreground, and waits until it is `ready`.
    ///
    /// # Panics
    /// When it ends instead, or never gets ready.
    #[track_caller]
    pub fn start(command: &mut Command, log: &Path, mut ready: impl FnMut() -> bool) -> Self {
        let output = File::options().append(true).create(true).open(log).expect("open a log");
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a second handle of a log")).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut daemon = Self { child, log: log.to_owned() };
        eventually("a server that is ready", || {
            let ended = daemon.child.try_wait().expect("ask after a child");
            assert!(ended.is_none(), "{command:?} ended at start ({ended:?})\n{}", daemon.log());
            ready().then_some(())
        });
        daemon
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signal a server");
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        eventually("the end of a server", || self.child.try_wait().expect("ask after a child"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}---", self.log.display(), self.log());
        }
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // a server that is asked ends its workers too
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let start = Instant::now();
            while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                if start.elapsed() > DEADLINE {
                    let _ = self.child.kill();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// An address on loopback that no other test uses.
///
/// # Panics
/// When a process asks for some ten thousands of them.
pub fn loopback() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let port = PORT.fetch_add(1, Ordering::Relaxed);
    assert!(port < 60_000, "out of ports");
    (Ipv4Addr::new(127, high | 0x80, middle, low), port).into()
}

/// Whether something takes connections there.
pub fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Polls until there is a result.
///
/// # Panics
/// After a minute.
#[track_caller]
pub fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(result) = poll() {
            return result;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
