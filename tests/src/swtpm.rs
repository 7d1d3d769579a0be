//! A TPM in software, for one test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command;

/// How long it may take to listen.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running swtpm, which ends when it is dropped.
pub struct Swtpm {
    state: PathBuf,
    /// Of its commands; the next one is that of its control channel.
    port: u16,
    child: Option<Child>,
}

impl Swtpm {
    /// A new one, with its state in this directory.
    ///
    /// # Panics
    /// When it cannot be started: `tests/packages` installs it.
    #[track_caller]
    pub fn start(state: PathBuf) -> Self {
        std::fs::create_dir(&state).expect("a directory for the TPM's state");
        let mut tpm = Self { state, port: 0, child: None };
        // Somebody else may take a port between its choice and its use.
        let started = (0..20).any(|_| {
            tpm.port = ports();
            tpm.try_restart()
        });
        assert!(started, "swtpm does not start");
        tpm
    }

    /// Where it takes commands; it is controlled at the next one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `tcti` in a configuration has to be.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// Takes its power away, and leaves it off.
    ///
    /// # Panics
    /// When it is off.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running swtpm");
        child.kill().expect("kill swtpm");
        child.wait().expect("wait for swtpm");
    }

    /// Turns it off and on again.
    ///
    /// # Panics
    /// When it does not come back.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.child.is_some() {
            self.kill9();
        }
        assert!(self.try_restart(), "swtpm does not start again");
    }

    /// Puts another chip into its place, or the first one back into it: each name is a chip.
    ///
    /// # Panics
    /// As [`Self::restart`].
    #[track_caller]
    pub fn exchange(&mut self, name: &str) {
        self.kill9();
        self.state.set_file_name(name);
        std::fs::create_dir_all(&self.state).expect("a directory for the TPM's state");
        self.restart();
    }

    /// Gives its owner hierarchy a password (TPM2_HierarchyChangeAuth), where it has none.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn own(&self, password: &[u8]) {
        let (owner, session) = ([0x40, 0, 0, 1], [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0]);
        let len = u16::try_from(password.len()).expect("a short password").to_be_bytes();
        let body = [&owner[..], &session, &len, password].concat();
        let size = u32::try_from(10 + body.len()).expect("a short command").to_be_bytes();
        let command = [&[0x80, 2][..], &size, &[0, 0, 1, 0x29], &body].concat();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("connect to swtpm");
        stream.write_all(&command).expect("ask swtpm");
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).expect("hear swtpm");
        assert_eq!(answer[6..], [0; 4], "the TPM refuses the password");
    }

    fn try_restart(&mut self) -> bool {
        let (port, control) = (self.port, self.port + 1);
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"]);
        command.arg(format!("dir={}", self.state.display()));
        command.args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")]);
        command.args(["--ctrl", &format!("type=tcp,port={control},bindaddr=127.0.0.1")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start swtpm (see tests/packages): {error}"));
        let deadline = Instant::now() + DEADLINE;
        while [control, port].iter().any(|&port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()) {
            if command::wait(&mut child, Duration::from_millis(5)).is_some() || Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
        self.child = Some(child);
        true
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill9();
        }
    }
}

/// The first of two ports that are free.
fn ports() -> u16 {
    neighbours().0.local_addr().expect("a bound socket").port()
}

/// Sockets on two ports of which the second follows the first.
pub(crate) fn neighbours() -> (TcpListener, TcpListener) {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let pair = || {
        let first = listen(0).ok()?;
        let second = listen(first.local_addr().ok()?.port().checked_add(1)?).ok()?;
        Some((first, second))
    };
    std::iter::repeat_with(pair).flatten().next().expect("an endless search")
}
