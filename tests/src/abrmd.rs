//! The resource manager tpm2-abrmd, on a bus of its own, for one test.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::{Daemon, run};

/// Anybody may do anything on the bus; `{address}` is where it is.
const BUS: &str = r#"
<busconfig>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"#;

/// A TPM's resource manager, which ends when it is dropped.
pub struct Abrmd {
    dir: PathBuf,
    tpm: String,
    manager: Option<Daemon>,
    bus: String,
    daemon: Option<Daemon>,
}

impl Abrmd {
    /// What `tcti` in a configuration has to be.
    pub const TCTI: &str = "tabrmd:bus_type=system";

    /// Where its clients look for [the bus](Self::bus).
    pub const VARIABLE: &str = "DBUS_SYSTEM_BUS_ADDRESS";

    /// Manages the TPM that is reached so; the bus has its files in this directory.
    ///
    /// # Panics
    /// When it cannot be started: `tests/packages` installs it.
    #[track_caller]
    pub fn start(dir: &Path, tcti: String) -> Self {
        let (socket, config) = (dir.join("bus"), dir.join("bus.conf"));
        let bus = format!("unix:path={}", socket.display());
        std::fs::write(&config, BUS.replace("{address}", &bus)).expect("write the bus's configuration");
        let mut abrmd = Self { dir: dir.to_owned(), tpm: tcti, manager: None, bus, daemon: None };
        abrmd.restart_bus();
        abrmd
    }

    /// Starts the bus and the manager, ending both first where they run.
    ///
    /// # Panics
    /// When one of them does not come up.
    #[track_caller]
    pub fn restart_bus(&mut self) {
        drop((self.manager.take(), self.daemon.take()));
        let socket = self.dir.join("bus");
        let _ = std::fs::remove_file(&socket);
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--nofork", "--nopidfile", "--nosyslog", "--config-file"]).arg(self.dir.join("bus.conf"));
        let daemon = Daemon::start(&mut daemon, &self.dir.join("bus.log"), || UnixStream::connect(&socket).is_ok());
        self.daemon = Some(daemon);
        self.restart();
    }

    /// The address of its bus.
    pub fn bus(&self) -> &str {
        &self.bus
    }

    /// Ends it as a crash would.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill9(&mut self) {
        self.manager.take().expect("a running tpm2-abrmd").signal(Signal::KILL);
    }

    /// Starts it, ending it first where it runs, and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.manager.is_some() {
            self.kill9();
        }
        let mut abrmd = self.command("tpm2-abrmd");
        // What it had in the chip when it was killed would stay there.
        abrmd.args(["--allow-root", "--flush-all", "--tcti", &self.tpm]);
        let serves = || run(&mut self.tool("tpm2_getrandom --output /dev/null 1")).status.success();
        self.manager = Some(Daemon::start(&mut abrmd, &self.dir.join("abrmd.log"), serves));
    }

    /// One of the tpm2-tools and its arguments, as another client.
    pub fn tool(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = self.command(words.next().unwrap_or_default());
        command.args(words).args(["--tcti", Self::TCTI]);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env(Self::VARIABLE, &self.bus);
        command
    }
}
