//! A service under ptrace, with a fault at one of its calls.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::call::{Call, Change, Place, Task};
use super::disk::{Event, Journal};
use crate::Service;

/// How long a service under trace may take to listen.
const DEADLINE: Duration = Duration::from_secs(60);

/// What happens at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 before it.
    Before,
    /// kill -9 after it.
    After,
    /// kill -9 in the middle of a write.
    Torn,
    /// It does nothing and fails with EIO, once.
    Error,
    /// A write stops half-way, once.
    Short,
    /// From here on nothing that needs room has any: ENOSPC.
    Full,
    /// A flush fails with EIO, and what it should have kept is lost when the power goes.
    Unflushed,
}

impl Fault {
    /// All of them, with the word for each.
    pub const ALL: [(&'static str, Self); 7] = [
        ("before", Self::Before),
        ("after", Self::After),
        ("torn", Self::Torn),
        ("error", Self::Error),
        ("short", Self::Short),
        ("full", Self::Full),
        ("unflushed", Self::Unflushed),
    ];

    /// Whether the service is killed at once.
    pub fn kills(self) -> bool {
        matches!(self, Self::Before | Self::After | Self::Torn)
    }

    /// Whether it can happen at this call.
    pub fn fits(self, call: &Call) -> bool {
        let halved = matches!(&call.change, Change::Write { data, .. } if data.len() > 1);
        match self {
            Self::Before | Self::After => true,
            Self::Error => !matches!(call.change, Change::Chip),
            Self::Torn | Self::Short => halved,
            Self::Unflushed => matches!(call.change, Change::Sync),
            Self::Full => {
                let new = matches!(call.change, Change::Open { new: true, .. });
                new || matches!(call.change, Change::Write { grows: true, .. } | Change::Allocate { grows: true, .. })
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    fault: Option<(Fault, usize)>,
    /// Only armed calls count.
    armed: bool,
    counted: usize,
    hit: Option<Call>,
    calls: Vec<Call>,
    journal: Journal,
    ended: bool,
}

/// A service that is followed.
pub struct Traced {
    state: Arc<(Mutex<State>, Condvar)>,
    tracer: Option<JoinHandle<()>>,
    pid: Pid,
    socket: PathBuf,
}

impl Traced {
    /// What [`crate::Setup::by`] needs, so that the service waits until it is traced.
    pub const STARTER: [&'static str; 4] = ["sh", "-c", "read _; exec \"$@\" </dev/null", "sh"];

    /// Starts the service with this fault at this call, counted from 1 and from here on, or from [`Self::arm`] on.
    ///
    /// # Panics
    /// When it cannot be started or traced.
    pub fn start(service: &Service, fault: Option<(Fault, usize)>, armed: bool) -> Self {
        let state = Arc::new((Mutex::new(State { fault, armed, ..State::default() }), Condvar::new()));
        let place =
            Place { root: service.dir().to_owned(), port: service.chip().map(crate::Swtpm::port), sockets: Default::default() };
        let (mut command, socket) = (service.serve(), service.socket());
        command.stdin(Stdio::piped()).process_group(0);
        let (sender, receiver) = std::sync::mpsc::channel();
        let (shared, removed) = (Arc::clone(&state), socket.clone());
        // Only the thread that attaches may ask of a traced process.
        let tracer = std::thread::spawn(move || {
            let child = attach(&mut command).expect("trace the service");
            let pid = pid(&child);
            sender.send(pid).expect("somebody who waits");
            let (pending, chip) = (HashMap::new(), place.chip());
            let follower = Follower { leader: pid, pending, shared, place, socket: removed, chip };
            follower.follow(child);
        });
        let pid = receiver.recv().expect("a traced service");
        Self { state, tracer: Some(tracer), pid, socket }
    }

    /// Waits until it listens; whether it does.
    ///
    /// # Panics
    /// When it neither listens nor ends.
    pub fn ready(&self) -> bool {
        let deadline = Instant::now() + DEADLINE;
        let mut state = lock(&self.state);
        while !state.ended {
            if UnixStream::connect(&self.socket).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "the traced service does not listen");
            state = self.state.1.wait_timeout(state, Duration::from_millis(2)).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Calls count from here on. How many events came before.
    pub fn arm(&self) -> usize {
        let mut state = lock(&self.state);
        state.armed = true;
        state.calls.clear();
        state.journal.len()
    }

    /// Notes that a client was told that it is done.
    pub fn acknowledge(&self) {
        lock(&self.state).journal.push(Event::Acknowledged);
    }

    /// From here on nothing fails.
    pub fn mend(&self) {
        lock(&self.state).fault = None;
    }

    /// Where the fault was, once it was.
    pub fn hit(&self) -> Option<Call> {
        lock(&self.state).hit.clone()
    }

    /// Whether it is still there.
    pub fn runs(&self) -> bool {
        !lock(&self.state).ended
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        let _ = nix::sys::signal::kill(self.pid, Signal::SIGTERM);
        self.wait();
    }

    /// The calls since it was armed.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// Kills it, if it is still there: what it has done to the disk since its start.
    pub fn end(mut self) -> Journal {
        self.kill();
        std::mem::take(&mut lock(&self.state).journal)
    }

    fn kill(&mut self) {
        if self.runs() {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(tracer) = self.tracer.take() {
            let _ = tracer.join();
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock(state: &(Mutex<State>, Condvar)) -> MutexGuard<'_, State> {
    state.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Starts a program that waits for the end of its standard input, and seizes it meanwhile.
fn attach(command: &mut Command) -> io::Result<Child> {
    let mut child = command.spawn()?;
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid(&child), options)?;
    ptrace::interrupt(pid(&child))?;
    waitpid(pid(&child), Some(WaitPidFlag::__WALL))?;
    ptrace::syscall(pid(&child), None)?;
    drop(child.stdin.take());
    Ok(child)
}

/// A call between its entry and its exit.
struct Pending {
    call: Option<Call>,
    socket: Option<PathBuf>,
    /// What it returns, instead of what the kernel says.
    result: Option<i64>,
    kill: bool,
    lost: bool,
}

struct Follower {
    leader: Pid,
    pending: HashMap<Pid, Pending>,
    shared: Arc<(Mutex<State>, Condvar)>,
    place: Place,
    socket: PathBuf,
    /// What was in the TPM for good when it was last looked at.
    chip: Vec<u8>,
}

impl Follower {
    fn follow(mut self, child: Child) {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Ok(WaitStatus::PtraceSyscall(pid)) => {
                    // One that was killed meanwhile cannot be asked any more.
                    let _ = self.stopped(pid);
                    let _ = ptrace::syscall(pid, None);
                }
                Ok(WaitStatus::PtraceEvent(pid, ..)) => drop(ptrace::syscall(pid, None)),
                Ok(WaitStatus::Stopped(pid, signal)) => drop(ptrace::syscall(pid, signal)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        drop(child);
        lock(&self.shared).ended = true;
        self.shared.1.notify_all();
    }

    fn stopped(&mut self, pid: Pid) -> nix::Result<()> {
        let task = Task { pid, regs: ptrace::getregs(pid)? };
        match ptrace::syscall_info(pid)?.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => self.entered(task),
            libc::PTRACE_SYSCALL_INFO_EXIT => self.left(task),
            _ => Ok(()),
        }
    }

    fn entered(&mut self, mut task: Task) -> nix::Result<()> {
        let mut pending = Pending { call: task.call(&self.place), socket: None, result: None, kill: false, lost: false };
        if let Some(call) = &pending.call {
            self.look_at_chip();
            if let Some(fault) = self.fault(call) {
                let half = i64::try_from(task.regs.rdx / 2).unwrap_or(0);
                let refuse = match fault {
                    Fault::Before => Some(libc::EINTR),
                    Fault::Error | Fault::Unflushed => Some(libc::EIO),
                    Fault::Full => Some(libc::ENOSPC),
                    Fault::After | Fault::Torn | Fault::Short => None,
                };
                pending.result = refuse.map(|errno| -i64::from(errno));
                pending.kill = fault.kills();
                pending.lost = fault == Fault::Unflushed;
                if refuse.is_some() {
                    task.regs.orig_rax = u64::MAX;
                } else if fault != Fault::After {
                    task.regs.rdx = half.cast_unsigned();
                }
                ptrace::setregs(task.pid, task.regs)?;
                if fault == Fault::Before {
                    self.kill();
                }
            }
        } else {
            pending.socket = task.socket(&self.place);
        }
        if pending.call.is_some() || pending.socket.is_some() {
            self.pending.insert(task.pid, pending);
        }
        Ok(())
    }

    /// The TPM has answered by now what the service goes by in this call.
    fn look_at_chip(&mut self) {
        let chip = self.place.chip();
        if chip != self.chip {
            self.chip.clone_from(&chip);
            lock(&self.shared).journal.push(Event::Chip(chip));
        }
    }

    /// The fault, where it happens at this call.
    fn fault(&self, call: &Call) -> Option<Fault> {
        let mut state = lock(&self.shared);
        if !state.armed {
            return None;
        }
        state.calls.push(call.clone());
        let (fault, at) = state.fault.filter(|(fault, _)| fault.fits(call))?;
        state.counted += 1;
        let now = if fault == Fault::Full { state.counted >= at } else { state.counted == at };
        if now && state.hit.is_none() {
            state.hit = Some(call.clone());
        }
        now.then_some(fault)
    }

    fn left(&mut self, mut task: Task) -> nix::Result<()> {
        let Some(pending) = self.pending.remove(&task.pid) else { return Ok(()) };
        if let Some(result) = pending.result {
            task.regs.rax = result.cast_unsigned();
            ptrace::setregs(task.pid, task.regs)?;
        }
        let result = task.regs.rax.cast_signed();
        // A connection that is still being made is one already.
        if let Some(socket) = pending.socket.filter(|_| result >= 0 || result == -i64::from(libc::EINPROGRESS)) {
            self.place.sockets.insert(socket);
        }
        if let Some(call) = pending.call {
            let mut state = lock(&self.shared);
            if pending.lost {
                state.journal.push(Event::Lost(call.path));
            } else if result >= 0 {
                state.journal.done(call, usize::try_from(result).unwrap_or(usize::MAX));
            }
        }
        if pending.kill {
            self.kill();
        }
        Ok(())
    }

    fn kill(&self) {
        let _ = killpg(self.leader, Signal::SIGKILL);
        // A client then knows at once that it need not wait for a restart.
        remove(&self.socket);
    }
}

fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}
