//! The polite client: a signature on a connection that it keeps, a new connection that says Hello and Ping, and now and then a search
//! for its key, every few milliseconds, as a server does that is not busy.
//!
//! An answer that takes longer than a turn keeps the client from asking again. So the turns that it missed are counted as well, each
//! with what was left of the wait when it would have come: without them a service that stands still for a second would have one slow
//! answer in a thousand.

use std::io::BufRead;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Endpoint, Error, Identity};
use interface::operations::{Find, GenerateKey, Ping, SignHash};
use interface::{ProviderId, Status};

/// From the beginning of one turn to the next.
const TURN: Duration = Duration::from_millis(4);
/// A search in so many turns.
const SEARCH: u32 = 8;
/// How long an answer may take before it has failed.
const DEADLINE: Duration = Duration::from_secs(5);
/// The `CKA_ID` of its key.
pub(crate) const ID: &[u8] = b"the id of the polite user's key";

/// Times of one kind of request in milliseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    /// Median.
    pub(crate) p50: f64,
    /// One in a hundred takes longer.
    pub(crate) p99: f64,
}

/// What one measurement found.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Signatures with a P-256 key on a connection that is kept.
    pub(crate) sign: Times,
    /// New connections, from connecting to the answer of a Ping.
    pub(crate) connect: Times,
    /// Searches for the key by its id.
    pub(crate) find: Times,
    /// Requests without an answer.
    pub(crate) failures: u32,
}

impl Measured {
    fn text(&self) -> String {
        let times = [self.sign, self.connect, self.find].map(|times| format!("{} {}", times.p50, times.p99));
        format!("{} {}", times.join(" "), self.failures)
    }

    /// Reads what [`run`] has printed.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [s50, s99, c50, c99, f50, f99, failures] = numbers.try_into().ok()?;
        let times = |p50, p99| Times { p50, p99 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "printed from this type")]
        let failures = failures as u32;
        Some(Self { sign: times(s50, s99), connect: times(c50, c99), find: times(f50, f99), failures })
    }
}

/// Makes a key, then measures as many seconds as each line of the standard input says. `name`: that of an application, where the service
/// believes names.
pub(crate) fn run(socket: &Path, name: &str) {
    let polite = Polite { socket, name };
    let kept = polite.client();
    let make = GenerateKey {
        key_name: "web".into(),
        id: Some(ID.to_vec()),
        attributes: Some((&key()).into()),
        ..GenerateKey::default()
    };
    kept.call(ProviderId::SOFTWARE, &make).expect("make a key");
    for _ in 0..50 {
        polite.sign(&kept).expect("sign");
        polite.connect().expect("connect");
        polite.find(&kept).expect("find");
    }
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let seconds = line.expect("read the standard input").parse().expect("seconds");
        println!("{}", polite.measure(&kept, Duration::from_secs_f64(seconds)).text());
    }
}

struct Polite<'a> {
    socket: &'a Path,
    name: &'a str,
}

impl Polite<'_> {
    fn client(&self) -> Client {
        let endpoint = Endpoint::of_setting(&format!("unix:{}", self.socket.display())).expect("an endpoint");
        let identity = if self.name.is_empty() { Identity::User } else { Identity::Direct(self.name.into()) };
        Client::new(endpoint).with_identity(identity).with_deadline(DEADLINE)
    }

    /// The kept connection on one thread, new ones on another, so that neither waits for the other.
    fn measure(&self, kept: &Client, time: Duration) -> Measured {
        let (mut sign, mut connect, mut find, failures) =
            (Samples::default(), Samples::default(), Samples::default(), AtomicU32::new(0));
        let tried = |outcome: Result<(), Error>| {
            if let Err(error) = outcome
                && failures.fetch_add(1, Ordering::Relaxed) == 0
            {
                eprintln!("  a request of the polite client failed: {error}");
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| turns(time, |_| connect.time(TURN, || tried(self.connect()))));
            turns(time, |turn| {
                sign.time(TURN, || tried(self.sign(kept)));
                if turn % SEARCH == 0 {
                    find.time(TURN * SEARCH, || tried(self.find(kept)));
                }
            });
        });
        Measured { sign: sign.times(), connect: connect.times(), find: find.times(), failures: failures.into_inner() }
    }

    fn sign(&self, client: &Client) -> Result<(), Error> {
        let alg = Signature::Ecdsa { hash: Hash::Sha256.into() };
        let sign = SignHash { key_name: "web".into(), alg: Some(alg.into()), hash: vec![0x5a; 32], ..SignHash::default() };
        client.call(ProviderId::SOFTWARE, &sign).map(drop)
    }

    fn connect(&self) -> Result<(), Error> {
        self.client().call(ProviderId::CORE, &Ping {}).map(drop)
    }

    fn find(&self, client: &Client) -> Result<(), Error> {
        let found = client.find(ProviderId::SOFTWARE, &Find { id: Some(ID.to_vec()), ..Find::default() })?;
        let own = found.iter().any(|record| record.name == "web");
        if own { Ok(()) } else { Err(Error::refused(Status::PsaErrorDoesNotExist, "the polite client's key is not found")) }
    }
}

/// Does this once each turn for so long.
fn turns(time: Duration, mut work: impl FnMut(u32)) {
    let begun = Instant::now();
    for turn in 0.. {
        let start = Instant::now();
        if start - begun >= time {
            break;
        }
        work(turn);
        std::thread::sleep(TURN.saturating_sub(start.elapsed()));
    }
}

fn key() -> Attributes {
    let algorithm = Algorithm::Signature(Signature::Ecdsa { hash: Hash::Sha256.into() });
    let policy = Policy { usage: Usage::SIGN, algorithm, also: Vec::new() };
    Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy }
}

#[derive(Default)]
struct Samples(Vec<Duration>);

impl Samples {
    /// Times this, and the turns that were missed while it lasted.
    fn time(&mut self, turn: Duration, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        let mut took = start.elapsed();
        self.0.push(took);
        while took > turn {
            took -= turn;
            self.0.push(took);
        }
    }

    fn times(mut self) -> Times {
        self.0.sort_unstable();
        let at = |percent: usize| self.0.get(self.0.len() * percent / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        Times { p50: at(50), p99: at(99) }
    }
}
