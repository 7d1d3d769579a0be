//! A TPM in software, for one test.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{command, proxy};

/// How long it may take to listen.
const DEADLINE: Duration = Duration::from_secs(60);

/// The first of the ports that swtpm may have. The kernel gives these to nobody who asks for any port (ip(7),
/// `ip_local_port_range`), so one is still free when its swtpm comes back.
const PORTS: u16 = 20_000;

/// A running swtpm, which ends when it is dropped.
pub struct Swtpm {
    state: PathBuf,
    ports: Ports,
    child: Option<Child>,
}

/// Two ports that no other test has.
struct Ports {
    /// Of the commands; the next one is that of the control channel.
    first: u16,
    /// Whoever has this name has the ports.
    _name: UnixListener,
}

impl Swtpm {
    /// One with its state in this directory: a new one, where that is not there.
    ///
    /// # Panics
    /// When it cannot be started: `tests/packages` installs it.
    #[track_caller]
    pub fn start(state: PathBuf) -> Self {
        std::fs::create_dir_all(&state).expect("a directory for the TPM's state");
        let mut tpm = Self { state, ports: Ports::free(), child: None };
        tpm.restart();
        tpm
    }

    /// Where it takes commands; it is controlled at the next one.
    pub fn port(&self) -> u16 {
        self.ports.first
    }

    /// What `tcti` in a configuration has to be.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port())
    }

    /// Does a command of another program's, without authorisation (TPM 2.0 Part 1 §18): code and body of the answer.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn command(&self, code: u32, body: &[u8]) -> (u32, Vec<u8>) {
        self.send(0x8001, code, body)
    }

    /// The same on one handle, with its password.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn authorised(&self, code: u32, handle: u32, password: &[u8], parameters: &[u8]) -> (u32, Vec<u8>) {
        let session = [&[0x40, 0, 0, 9, 0, 0, 0], sized(password).as_slice()].concat();
        self.send(0x8002, code, &[&handle.to_be_bytes()[..], &[0, 0], &sized(&session), parameters].concat())
    }

    /// Gives its owner hierarchy another password (TPM2_HierarchyChangeAuth).
    ///
    /// # Panics
    /// When it does not take it.
    pub fn own(&self, old: &[u8], new: &[u8]) {
        let (code, _) = self.authorised(0x129, 0x4000_0001, old, &sized(new));
        assert_eq!(code, 0, "the TPM refuses the password");
    }

    fn send(&self, tag: u16, code: u32, body: &[u8]) -> (u32, Vec<u8>) {
        let size = u32::try_from(proxy::HEADER + body.len()).expect("a short command");
        let command = [&tag.to_be_bytes(), &size.to_be_bytes()[..], &code.to_be_bytes(), body].concat();
        let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).expect("a running swtpm");
        line.write_all(&command).expect("send a command");
        let answer = proxy::message(&mut line).expect("an answer");
        (proxy::code(&answer), answer[proxy::HEADER..].to_vec())
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
        let (port, control) = (self.port(), self.port() + 1);
        // What answers at the port may be somebody else's: this file tells that this one has got it.
        let ready = self.state.with_extension("pid");
        let _ = std::fs::remove_file(&ready);
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"]);
        command.arg(format!("dir={}", self.state.display()));
        command.args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")]);
        command.args(["--ctrl", &format!("type=tcp,port={control},bindaddr=127.0.0.1")]);
        command.args(["--pid", &format!("file={}", ready.display())]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start swtpm (see tests/packages): {error}"));
        let deadline = Instant::now() + DEADLINE;
        while std::fs::read_to_string(&ready).ok().and_then(|id| id.trim().parse().ok()) != Some(child.id()) {
            let ended = command::wait(&mut child, Duration::from_millis(5));
            assert!(ended.is_none(), "swtpm at port {port} ends: {ended:?}");
            assert!(Instant::now() < deadline, "swtpm does not start");
        }
        self.child = Some(child);
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
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill9();
        }
    }
}

/// Bytes after their number (TPM 2.0 Part 2 §10.4.1).
pub fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("few bytes").to_be_bytes(), bytes].concat()
}

impl Ports {
    fn free() -> Self {
        let name = |first| {
            let name = SocketAddr::from_abstract_name(format!("swtpm of a test at {first}"));
            UnixListener::bind_addr(&name.expect("a short name")).ok()
        };
        let free = |first| [first, first + 1].iter().all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
        let taken = (PORTS..).step_by(2).find_map(|first| name(first).filter(|_| free(first)).map(|name| (first, name)));
        let (first, _name) = taken.expect("two free ports");
        Self { first, _name }
    }
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
