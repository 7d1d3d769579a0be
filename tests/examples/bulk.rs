//! A service with very many keys of one user: how soon it answers, what memory it takes, and what others notice of it.
//!
//! The keys are made once and kept in a folder, a copy of which each measurement starts with. So a change is measured on the store that
//! was measured before it.
//!
//! usage: bulk FOLDER KEYS [PROVIDER]    (run as root; put the folder on a tmpfs; PROVIDER is software, tpm or tpm-sealed)

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints, and gives up by panicking")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use interface::ProviderId;
use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::Client;
use interface::operations::{CopyKey, Find, GenerateKey, ListKeys, Ping, SignHash};
use tests::{CONFIG, STRANGER, Service, Setup, TPM, TPM_SEALED, acting, run};

/// Whose the many keys are.
const GREEDY: u32 = STRANGER;
/// Who has two of its own.
const POLITE: u32 = GREEDY + 1;
/// Connections that make keys at once.
const MAKERS: usize = 4;
/// Starts that are measured.
const STARTS: usize = 7;
/// Requests of each kind that are measured.
const REQUESTS: usize = 5000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (folder, keys, provider) = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder, keys] => (folder, keys, "software"),
        [folder, keys, provider] => (folder, keys, provider),
        _ => {
            println!("usage: bulk FOLDER KEYS [PROVIDER]");
            std::process::exit(2);
        }
    };
    let (folder, keys) = (Path::new(folder), keys.parse().expect("a number of keys"));
    let (provider, config) = match provider {
        "software" => (ProviderId::SOFTWARE, CONFIG.to_owned()),
        "tpm" => (ProviderId::TPM, format!("{CONFIG}{TPM}")),
        "tpm-sealed" => (ProviderId::TPM_SEALED, format!("{CONFIG}{TPM_SEALED}")),
        other => panic!("no provider {other}"),
    };
    if !folder.join("keys.sqlite3").exists() {
        fill(folder, keys, provider, &config);
    }
    let on_many = || {
        let chip = Some(folder.join("tpm")).filter(|chip| chip.exists());
        let service = chip.into_iter().fold(Setup::default().config(&*config), Setup::chip).prepare();
        copy(folder, service.dir());
        service
    };
    for _ in 0..STARTS {
        let mut service = on_many();
        let begun = Instant::now();
        service.restart();
        ping(&service.client(), provider);
        let answered = begun.elapsed();
        let (memory, work) = (memory(&service), work(&service));
        let begun = Instant::now();
        service.stop();
        println!(
            "start {:5.0} ms ({work:5} ms of processors), memory {memory} MiB, stop {:4.0} ms",
            millis(answered),
            millis(begun.elapsed())
        );
    }
    let alone = Service::with_config(&config);
    generate(&alone, provider, POLITE, "web", 2);
    let mut beside = on_many();
    beside.restart();
    for (what, request) in REQUESTED {
        for (where_, service) in [("alone", &alone), ("beside", &beside)] {
            let times = acting(POLITE, || measure(service, provider, request));
            println!("{what:10} {where_:7} p50 {:6.3} ms, p99 {:6.3} ms", times[0], times[1]);
        }
    }
}

/// Makes a store of so many keys of one user, and some of another.
fn fill(folder: &Path, keys: usize, provider: ProviderId, config: &str) {
    let service = Service::with_config(config);
    generate(&service, provider, POLITE, "web", 2);
    std::thread::scope(|scope| {
        for maker in 0..MAKERS {
            let service = &service;
            scope.spawn(move || generate(service, provider, GREEDY, &format!("tenant-{maker}"), keys / MAKERS));
        }
    });
    let mut service = service;
    service.stop();
    std::fs::create_dir_all(folder).expect("make the folder");
    copy(service.dir(), folder);
    if service.chip().is_some() {
        run(Command::new("cp").arg("-r").arg(service.dir().join("tpm")).arg(folder)).ok();
    }
    std::fs::remove_file(folder.join("store.key.rows-signed")).expect("forget where the store was");
}

/// Makes a key and copies of it, of which a TPM need not know.
fn generate(service: &Service, provider: ProviderId, uid: u32, name: &str, count: usize) {
    acting(uid, || {
        let client = service.client();
        let (of, attributes) = (format!("{name}-0"), Some((&key()).into()));
        let make = GenerateKey { key_name: of.clone(), attributes: attributes.clone(), ..GenerateKey::default() };
        client.call(provider, &make).expect("make a key");
        for number in 1..count {
            let key_name = format!("{name}-{number}");
            let copy = CopyKey { key_name, of: of.clone(), attributes: attributes.clone(), ..CopyKey::default() };
            client.call(provider, &copy).expect("copy a key");
        }
    });
}

/// Copies what a store consists of.
fn copy(from: &Path, to: &Path) {
    for file in ["keys.sqlite3", "store.key", "store.key.rows-signed"] {
        if from.join(file).exists() {
            run(Command::new("cp").arg("-p").arg(from.join(file)).arg(to)).ok();
        }
    }
}

type Request = fn(&Client, ProviderId);

/// What the polite user asks for.
const REQUESTED: [(&str, Request); 4] = [("ping", ping), ("sign", sign), ("find", find), ("list keys", list)];

fn ping(client: &Client, _: ProviderId) {
    client.call(ProviderId::CORE, &Ping {}).expect("ping");
}

fn sign(client: &Client, provider: ProviderId) {
    let alg = Signature::Ecdsa { hash: Hash::Sha256.into() };
    let sign = SignHash { key_name: "web-0".into(), alg: Some(alg.into()), hash: vec![0x5a; 32], ..SignHash::default() };
    client.call(provider, &sign).expect("sign");
}

fn find(client: &Client, provider: ProviderId) {
    let found = client.find(provider, &Find::default()).expect("find");
    assert_eq!(found.len(), 2);
}

fn list(client: &Client, _: ProviderId) {
    let listed = client.call(ProviderId::CORE, &ListKeys {}).expect("list keys");
    assert_eq!(listed.keys.len(), 2);
}

/// The median and the 99th percentile in milliseconds.
fn measure(service: &Service, provider: ProviderId, request: Request) -> [f64; 2] {
    let client = service.client();
    (0..REQUESTS / 10).for_each(|_| request(&client, provider));
    let time = |_| {
        let begun = Instant::now();
        request(&client, provider);
        begun.elapsed()
    };
    let mut times: Vec<Duration> = (0..REQUESTS).map(time).collect();
    times.sort_unstable();
    [50, 99].map(|percent| millis(times[REQUESTS * percent / 100]))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What the service has used of the processors, in milliseconds: on a machine with other work that tells more than the time.
fn work(service: &Service) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.pid())).expect("the state of the service");
    let (_, fields) = stat.rsplit_once(')').expect("fields");
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}

/// Memory of the service in MiB.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("the state of the service");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

fn key() -> Attributes {
    let algorithm = Algorithm::Signature(Signature::Ecdsa { hash: Hash::Sha256.into() });
    let policy = Policy { usage: Usage::SIGN | Usage::EXPORT | Usage::COPY, algorithm, also: Vec::new() };
    Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy }
}
