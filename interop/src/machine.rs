//! A machine of its own for one test: Debian, booted, with systemd as its first process and no network but loopback.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::{Daemon, Ran, may_mount, run};

use crate::peer;

const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/boot.sh");

/// What every command has in its environment.
const ENVIRONMENT: [&str; 4] =
    ["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"];

/// A booted machine, which is gone when it is dropped.
pub struct Machine {
    init: i32,
    /// Dropped after its first process has ended, and before its folder is removed.
    _nspawn: Daemon,
    _dir: TempDir,
}

impl Machine {
    /// Boots one with a folder of this one, or returns `None` after a [`tests::skip`].
    ///
    /// # Panics
    /// When it does not come up.
    pub fn boot(shared: &Path) -> Option<Self> {
        Self::boot_root(&["DEBIAN_ROOT"], shared)
    }

    /// As [`Self::boot`], with servers installed, none of which runs.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn with_servers(shared: &Path) -> Option<Self> {
        Self::boot_root(&["DEBIAN_SERVERS", "DEBIAN_ROOT"], shared)
    }

    /// Its root is these folders, which lie on each other, the topmost first.
    fn boot_root(layers: &[&str], shared: &Path) -> Option<Self> {
        may_mount().then(|| {
            let root = layers.iter().map(|layer| peer(layer).into_os_string()).collect::<Vec<_>>().join(OsStr::new(":"));
            let dir = tempfile::tempdir().expect("a folder");
            for folder in ["upper", "work", "root"] {
                std::fs::create_dir(dir.path().join(folder)).expect("a folder of the machine");
            }
            let mut boot = Command::new("unshare");
            boot.args(["--mount", "sh", BOOT]).arg(root).args([dir.path(), shared]);
            let mut init = 0;
            let nspawn = Daemon::start(&mut boot, &dir.path().join("console"), || {
                let Some(found) = first_process(dir.path()) else { return false };
                init = found;
                run(&mut inside(init, "test -d /shared && systemctl is-system-running")).out == "running\n"
            });
            Self { init, _nspawn: nspawn, _dir: dir }
        })
    }

    /// Runs lines of shell as root.
    ///
    /// # Panics
    /// When they hang.
    #[track_caller]
    pub fn run(&self, lines: &str) -> Ran {
        run(&mut inside(self.init, lines))
    }

    /// All output of lines of shell of which each succeeds.
    ///
    /// # Panics
    /// When one fails.
    #[track_caller]
    pub fn ok(&self, lines: &str) -> String {
        self.run(&format!("exec 2>&1; set -e; {lines}")).ok()
    }

    /// All output of a command that fails.
    ///
    /// # Panics
    /// When it succeeds.
    #[track_caller]
    pub fn refused(&self, command: &str) -> String {
        self.run(command).refused()
    }
}

/// Nothing of it is kept, so it need not shut down.
impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.run("journalctl --no-pager --lines 50; systemctl status parsec").out);
        }
        if let Some(init) = Pid::from_raw(self.init) {
            let _ = kill_process(init, Signal::KILL);
        }
    }
}

/// The process id that the machine's first process has here, once it is there.
fn first_process(dir: &Path) -> Option<i32> {
    let nspawn = std::fs::read_to_string(dir.join("pid")).ok()?;
    let nspawn = nspawn.trim();
    let children = std::fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Lines of shell in the machine with this first process.
fn inside(init: i32, lines: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &init.to_string(), "--all", "env", "-i"]).args(ENVIRONMENT).args(["sh", "-c", lines]);
    command
}
