//! Programs that use keys through the PKCS#11 module while the service is killed again and again, and an exact account of what became
//! of each key.
//!
//! `client.c` is such a program. What it calls, what it gets and how long that takes comes from the module's own trace; what it knows of
//! its keys it says itself. In the end a fresh process looks for every key that there ever was, and nothing else may be there.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use interface::ProviderId;
use interface::operations::ListKeys;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Service, command, eventually, program, run};

/// How long a program may take to end once it is told to.
const DEADLINE: Duration = Duration::from_secs(60);

/// A service and the programs that use it.
pub struct Crowd {
    service: Service,
    program: PathBuf,
    clients: Vec<Client>,
    kills: usize,
}

impl Crowd {
    /// So many programs, once each of them has done something. `wait`: how long each waits for a service that is not there, in seconds,
    /// where that is not the usual time. `None` after a [`skip`](crate::skip).
    ///
    /// # Panics
    /// When they do not start.
    pub fn start(number: usize, wait: Option<u32>) -> Option<Self> {
        let compiler = program("cc")?;
        let service = Service::start();
        let program = service.dir().join("client");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clients/client.c");
        let mut cc = Command::new(compiler);
        cc.args(["-O1", "-Wall", "-Wno-unused-function", "-Werror", "-I/usr/include/p11-kit-1", "-o"]).arg(&program);
        run(cc.arg(source).arg("-ldl")).ok();
        let start = |number| {
            let mut command = service.command(&program);
            command.arg(service.staged("libparsec_pkcs11.so")).arg(format!("c{number}"));
            command.env("PARSEC_PKCS11_TRACE", "/dev/stdout");
            if let Some(wait) = wait {
                command.env("PARSEC_WAIT_SECONDS", wait.to_string());
            }
            Client::start(&mut command)
        };
        let clients = (0..number).map(start).collect();
        let crowd = Self { service, program, clients, kills: 0 };
        crowd.go_on();
        Some(crowd)
    }

    /// Waits until every program has done some more.
    ///
    /// # Panics
    /// When one hangs.
    pub fn go_on(&self) {
        const SOME: u64 = 100;
        let done = || self.clients.iter().map(|client| client.calls.load(Ordering::Relaxed));
        let before: Vec<_> = done().collect();
        eventually("every program to go on", || done().zip(&before).all(|(now, before)| now > before + SOME).then_some(()));
    }

    /// Kills the service, and starts it at once.
    ///
    /// # Panics
    /// When it does not start.
    pub fn kill(&mut self) {
        self.service.kill9();
        self.service.restart();
        self.kills += 1;
    }

    /// Ends the programs, and accounts for all their keys.
    ///
    /// # Panics
    /// When a program has crashed or does not end.
    pub fn end(mut self) -> Account {
        self.clients.iter().for_each(Client::stop);
        let mut all = Account { kills: self.kills, ..Account::default() };
        for client in std::mem::take(&mut self.clients) {
            all.add(client.end());
        }
        self.judge(&mut all);
        all
    }

    /// Looks for every key, in a fresh process and in the list that the messages of lost answers name.
    fn judge(&self, account: &mut Account) {
        let labels: String = account.keys.keys().map(|label| format!("{label}\n")).collect();
        let module = self.service.staged("libparsec_pkcs11.so");
        let judged = crate::feed(self.service.command(&self.program).arg(module), labels.as_bytes()).ok();
        let listed = run(&mut self.service.parsec(["key", "list"])).ok();
        let mut good = 0;
        for (what, label) in judged.lines().filter_map(|line| line.split_once(' ')) {
            let told = account.keys.get(label).copied().unwrap_or(Told::Destroyed);
            let lists = listed.split_whitespace().any(|word| word == label);
            good += usize::from(what == "good");
            match (told, what) {
                (Told::Made, "good") | (Told::Destroyed, "gone") => {}
                (Told::Unmade | Told::Undestroyed, "good" | "gone") if lists == (what == "good") => {
                    account.settled.push(format!("{label}: {told:?}, and parsec key list says that it is {what}"));
                }
                _ => account.violations.push(format!("{label}: {told:?}, and found {what}")),
            }
        }
        let there = self.service.client().call(ProviderId::CORE, &ListKeys {}).map(|list| list.keys.len());
        match there {
            Ok(there) if there == good && judged.lines().count() == account.keys.len() => {}
            other => account.violations.push(format!("{other:?} keys are there, and {good} are somebody's")),
        }
        account.there = good;
    }
}

/// What a program was told of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Made,
    /// That it could not be made.
    Unmade,
    Destroyed,
    /// That it could not be destroyed.
    Undestroyed,
}

/// What became of all keys and calls.
#[derive(Debug, Default)]
pub struct Account {
    kills: usize,
    keys: BTreeMap<String, Told>,
    /// That succeeded, by function.
    calls: BTreeMap<String, u64>,
    made: usize,
    /// Keys in the end.
    there: usize,
    /// The call that took longest, in microseconds.
    longest: (u64, String),
    /// Calls that failed, as the module tells it.
    pub errors: Vec<String>,
    /// Keys of which the program was not told what became of them, each with what it is now.
    pub settled: Vec<String>,
    /// Keys that are not as they must be.
    pub violations: Vec<String>,
}

impl Account {
    /// Takes what a program or its module has said.
    fn line(&mut self, line: &str) {
        match line.split_once(' ') {
            Some((pid, call)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => self.call(call),
            Some(("made", label)) => {
                self.made += 1;
                self.tell(label, Told::Made);
            }
            Some(("unmade", label)) => self.tell(label, Told::Unmade),
            Some(("destroyed", label)) => self.tell(label, Told::Destroyed),
            Some(("undestroyed", label)) => self.tell(label, Told::Undestroyed),
            Some(("held", _)) => {}
            _ => self.violations.push(format!("a program says: {line}")),
        }
    }

    fn tell(&mut self, label: &str, told: Told) {
        self.keys.insert(label.to_owned(), told);
    }

    fn call(&mut self, call: &str) {
        let function = call.split('(').next().unwrap_or_default();
        let Some((_, result)) = call.rsplit_once(") = ") else {
            return self.violations.push(format!("no line of a trace: {call}"));
        };
        let took = result.split(' ').nth(1).and_then(|micros| micros.parse().ok()).unwrap_or(0);
        if took > self.longest.0 {
            self.longest = (took, function.to_owned());
        }
        if result.starts_with("CKR_OK ") {
            *self.calls.entry(function.to_owned()).or_default() += 1;
        } else {
            self.errors.push(format!("{function}: {result}"));
        }
    }

    fn add(&mut self, other: Self) {
        self.keys.extend(other.keys);
        other.calls.into_iter().for_each(|(function, count)| *self.calls.entry(function).or_default() += count);
        self.made += other.made;
        self.longest = self.longest.clone().max(other.longest);
        self.errors.extend(other.errors);
        self.violations.extend(other.violations);
    }

    fn count(&self, function: &str) -> u64 {
        self.calls.get(function).copied().unwrap_or(0)
    }
}

impl Display for Account {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let destroyed = self.keys.values().filter(|told| **told == Told::Destroyed).count();
        writeln!(
            f,
            "{} kills; {} signatures, {} searches, {} keys made, {destroyed} destroyed, {} there in the end",
            self.kills,
            self.count("C_Sign"),
            self.count("C_FindObjectsInit"),
            self.made,
            self.there,
        )?;
        writeln!(f, "the longest call: {} ms, {}", self.longest.0 / 1000, self.longest.1)?;
        for (what, lines) in [
            ("errors", &self.errors),
            ("keys of unsure fate", &self.settled),
            ("keys lost, back or unaccounted for", &self.violations),
        ] {
            writeln!(f, "{what}: {}", lines.len())?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

/// A program that runs.
struct Client {
    child: Child,
    /// Lines that it and its module have written: one for each call, or more.
    calls: Arc<AtomicU64>,
    reader: Option<JoinHandle<Account>>,
}

impl Client {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("start a program");
        let (said, calls) = (child.stdout.take().expect("its output"), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&calls);
        let reader = Some(std::thread::spawn(move || read(said, &counted)));
        Self { child, calls, reader }
    }

    fn stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("tell a program to stop");
    }

    fn end(mut self) -> Account {
        let status = command::wait(&mut self.child, DEADLINE).expect("a program that ends");
        assert!(status.success(), "a program has failed ({status})");
        self.reader.take().expect("its reader").join().expect("read what a program says")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(said: impl Read, count: &AtomicU64) -> Account {
    let mut account = Account::default();
    for line in BufReader::new(said).lines() {
        account.line(&line.expect("a line of text"));
        count.fetch_add(1, Ordering::Relaxed);
    }
    account
}
