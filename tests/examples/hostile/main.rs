//! A polite client beside one hostile user: how long signatures and new connections take, alone and under each flood.
//!
//! Each flood gets a service of its own, a polite process that stays from before the flood to its end, and one hostile process. Both
//! are users of their own. The polite process is measured twice, without and with the flood, so that what else the machine does
//! weighs on both alike.
//!
//! What a program burns by itself takes turns from others too, and no service can do anything about that: it is for the kernel
//! (`CPUWeight=`, nice). So the hostile process runs in the idle class, where the processor that it uses is nobody else's; what it
//! makes the service do counts in full. With `SAME_PRIORITY` in the environment it runs as the others do, and the flood `busy`,
//! which asks for nothing, does so always.
//!
//! usage: hostile smoke|quick|full [FLOOD…]

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and gives up by panicking"
)]

mod enemy;
mod floods;
mod line;
mod polite;
mod table;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use floods::{FLOODS, Flood};
use polite::Measured;
use rustix::fs::{FileType, Mode, OFlags};
use table::Row;
use tests::{CONFIG, Service, Setup, as_uid, install};

/// Whom the floods come from.
const HOSTILE: u32 = tests::STRANGER;
/// Who works beside them.
const POLITE: u32 = HOSTILE + 1;

/// How long and how much.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Of each measurement.
    seconds: f64,
    /// From the beginning of a flood to that of the measurement.
    ramp: f64,
    /// Of the floods that need many of their own.
    keys: usize,
    /// How long the memory of the service may take to get less.
    settle: f64,
}

impl Scale {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "smoke" => Self { seconds: 0.1, ramp: 0.02, keys: 50, settle: 0.0 },
            "quick" => Self { seconds: 2.0, ramp: 0.5, keys: 3000, settle: 30.0 },
            "full" => Self { seconds: 10.0, ramp: 2.0, keys: 50_000, settle: 30.0 },
            _ => return None,
        })
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["as-polite", socket, name] => polite::run(Path::new(socket), name),
        ["as-hostile", flood, socket, scale] => {
            enemy::run(flood_named(flood), Path::new(socket), Scale::named(scale).expect("a scale"));
        }
        [scale, names @ ..] if Scale::named(scale).is_some() => bench(scale, names),
        _ => {
            eprintln!("usage: hostile smoke|quick|full [FLOOD…]\n\nfloods:");
            FLOODS.iter().for_each(|flood| eprintln!("  {:14} {}", flood.name, flood.what));
            std::process::exit(2);
        }
    }
}

fn flood_named(name: &str) -> &'static Flood {
    FLOODS.iter().find(|flood| flood.name == name).unwrap_or_else(|| panic!("no flood is named {name}"))
}

fn bench(scale: &str, names: &[&str]) {
    assert!(rustix::process::geteuid().is_root(), "two users are needed, which only root can be: run it as root");
    let floods: Vec<&Flood> =
        if names.is_empty() { FLOODS.iter().collect() } else { names.iter().map(|name| flood_named(name)).collect() };
    let mut rows = Vec::new();
    for flood in floods {
        let row = under(flood, scale);
        eprintln!("{}", row.line());
        rows.push(row);
    }
    println!("{}", table::text(&rows));
    // What a flood does not reach, it does not show: a service that answers nobody would look well.
    if rows.iter().any(|row| row.done + row.refused == 0 && row.flood.answered) {
        std::process::exit(1);
    }
}

/// Measures one flood, on a service of its own.
fn under(flood: &'static Flood, scale_name: &str) -> Row {
    let scale = Scale::named(scale_name).expect("a scale");
    let mut setup = Setup::default();
    for (name, value) in environment() {
        setup = setup.env(name, value);
    }
    if flood.direct {
        setup = setup.config(CONFIG.replace("UnixPeerCredentials", "Direct"));
    }
    // A pipe that nobody reads, in the place of the log.
    let unread = flood.unread_log.then(|| {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("log");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from(0o600), 0).expect("make a pipe");
        let held = rustix::fs::open(&path, OFlags::RDWR, Mode::empty()).expect("open a pipe");
        (folder, path, held)
    });
    if let Some((_, path, held)) = &unread {
        let _ = held.as_fd();
        let script = format!("shift 0; exec \"$@\" 2>{}", path.display());
        setup = setup.by(["sh", "-c", &script, "sh"]);
    }
    let service = setup.start();
    let program = service.dir().join("hostile");
    install(&std::env::current_exe().expect("the program's own path"), &program);

    let name = if flood.direct { "polite" } else { "" };
    let mut polite = Role::start(&[], &program, POLITE, &["as-polite"], &service, &[name]);
    polite.expect("ready");
    let idle = polite.measure(scale.seconds);
    let rest = memory(&service);
    let starter: &[&str] = if flood.own_priority || same_priority() { &[] } else { &["chrt", "--idle", "0"] };
    let mut hostile = Role::start(starter, &program, HOSTILE, &["as-hostile", flood.name], &service, &[scale_name]);
    hostile.expect("ready");
    hostile.say("go");
    hostile.expect("under way");
    std::thread::sleep(Duration::from_secs_f64(scale.ramp));
    let beside = polite.measure(scale.seconds);
    let peak = memory(&service);
    hostile.say("enough");
    let counts: Vec<u64> = hostile.line().split(' ').filter_map(|count| count.parse().ok()).collect();
    drop(hostile);
    let after = settled(&service, rest, scale.settle);
    Row { flood, idle, beside, done: counts[0], refused: counts[1], memory: [rest, peak, after] }
}

/// Whether the hostile process shall have the processor as the others have it.
fn same_priority() -> bool {
    std::env::var_os("SAME_PRIORITY").is_some()
}

/// What the packaged unit sets for the service.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    const UNIT: &str = include_str!("../../../service/packaging/systemd/parsec.service");
    UNIT.lines()
        .filter_map(|line| line.strip_prefix("Environment="))
        .flat_map(str::split_whitespace)
        .filter_map(|set| set.split_once('='))
}

/// The memory that the service has after a flood: once it is below four times what it had before, or after so many seconds.
fn settled(service: &Service, rest: u64, seconds: f64) -> u64 {
    let begun = Instant::now();
    loop {
        let now = memory(service);
        if now < 4 * rest || begun.elapsed().as_secs_f64() >= seconds {
            return now;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Memory of the service in MiB; 0 when it has ended.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// A process of this program as another user, which is told what to do a line at a time.
struct Role {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Role {
    fn start(starter: &[&str], program: &Path, uid: u32, words: &[&str], service: &Service, more: &[&str]) -> Self {
        let mut all = starter.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(all.next().expect("a program"));
        command.args(all).args(words).arg(service.socket()).args(more).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = as_uid(&mut command, uid).spawn().expect("start a process as another user");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, said }
    }

    fn say(&mut self, word: &str) {
        let stdin = self.child.stdin.as_mut().expect("its input");
        writeln!(stdin, "{word}").expect("tell a process what to do");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("read what a process says");
        line.trim().to_owned()
    }

    fn expect(&mut self, word: &str) {
        let line = self.line();
        if line != word {
            let mut rest = String::new();
            let _ = self.said.read_to_string(&mut rest);
            panic!("a process says '{line}{rest}' where '{word}' was awaited");
        }
    }

    fn measure(&mut self, seconds: f64) -> Measured {
        self.say(&seconds.to_string());
        Measured::parse(&self.line()).expect("a measurement")
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
