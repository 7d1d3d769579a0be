//! Running programs: output kept, never longer than a deadline.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Uid, pidfd_open};
use rustix::thread::set_thread_res_uid;

/// No program of the tests takes longer, on a slow machine with all tests at once.
const DEADLINE: Duration = Duration::from_secs(300);

/// What a program that has ended left behind.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
    command: String,
}

impl Ran {
    /// The standard output of a program that succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{} failed ({})\n{}{}", self.command, self.status, self.out, self.err);
        self.out
    }

    /// All output of a program that had to fail.
    ///
    /// # Panics
    /// When it succeeded, or was killed by a signal.
    #[track_caller]
    pub fn refused(self) -> String {
        let code =
            self.status.code().unwrap_or_else(|| panic!("{} crashed ({})\n{}{}", self.command, self.status, self.out, self.err));
        assert!(code != 0, "{} should have failed\n{}{}", self.command, self.out, self.err);
        self.out + &self.err
    }
}

/// Runs a program to its end, with nothing on its standard input.
///
/// # Panics
/// When it cannot be started or hangs.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    feed(command, b"")
}

/// Runs a program to its end with `input` on its standard input.
///
/// # Panics
/// When it cannot be started or hangs.
#[track_caller]
pub fn feed(command: &mut Command, input: &[u8]) -> Ran {
    let (mut stdin, mut out, mut err) = (file(), file(), file());
    stdin.write_all(input).unwrap();
    stdin.rewind().unwrap();
    command.stdin(stdin).stdout(shared(&out)).stderr(shared(&err));
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let Some(status) = wait(&mut child, DEADLINE) else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{command:?} hung\n{}{}", text(&mut out), text(&mut err));
    };
    Ran { status, out: text(&mut out), err: text(&mut err), command: format!("{command:?}") }
}

/// Copies a file so that every user can read and run it.
///
/// A program of its own writes it: a file that another thread's child has just inherited, open for writing, cannot be run.
///
/// # Panics
/// When it cannot be copied.
#[track_caller]
pub fn install(from: &Path, to: &Path) {
    let mut command = Command::new("install");
    run(command.args(["-m", "755"]).arg(from).arg(to)).ok();
}

/// Makes a program run as another user, with no supplementary groups.
pub fn as_uid(command: &mut Command, uid: u32) -> &mut Command {
    command.uid(uid).gid(uid)
}

/// Runs this on a thread of another user, which the kernel tells whoever the thread connects to.
///
/// # Panics
/// When this process may not, or with what `run` panics.
pub fn acting<T: Send>(uid: u32, run: impl FnOnce() -> T + Send) -> T {
    let thread = || {
        let uid = Uid::from_raw(uid);
        set_thread_res_uid(uid, uid, uid).expect("act as another user");
        run()
    };
    std::thread::scope(|scope| scope.spawn(thread).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Waits for the end of a child; `None` when it still runs after `time`.
pub(crate) fn wait(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    if let Some(status) = child.try_wait().unwrap() {
        return Some(status);
    }
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&Timespec::try_from(time).unwrap()));
    child.try_wait().unwrap()
}

fn file() -> File {
    tempfile::tempfile().expect("a temporary file")
}

fn shared(file: &File) -> Stdio {
    file.try_clone().expect("a second handle of a file").into()
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
