//! Many processes of many users on more keys than a chip has room for.

use super::keys::{DIGEST, Keys, SHA256, ec};
use super::service;
use interface::ProviderId;
use interface::algorithm::Signature;
use interface::client::{Client, Process};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature as Ecdsa, VerifyingKey};
use tests::{Service, as_uid, install, may_change_user, run};

/// What a process of the crowd does: `make` or `use`, and its number.
const PART: &str = "PARSEC_TEST_PART";
/// Signatures by each process; more than a few take long.
const ROUNDS: &str = "PARSEC_TEST_ROUNDS";

const USERS: u32 = 20;
const NAMES: [&str; 5] = ["web", "mail", "login", "code", "backup"];
const PROCESSES: u32 = 50;
/// What the service may grow by, from one crowd to the next, in KiB.
const GROWTH: u64 = 4096;

#[test]
fn a_hundred_keys_of_twenty_users_serve_fifty_processes_at_once() {
    if let Ok(part) = std::env::var(PART) {
        return take_part(&part);
    }
    if !may_change_user() {
        return;
    }
    let service = service();
    install(&std::env::current_exe().unwrap(), &service.dir().join("member"));
    crowd(&service, "make", USERS);
    crowd(&service, "use", PROCESSES);
    let before = memory(&service);
    crowd(&service, "use", PROCESSES);
    let after = memory(&service);
    assert!(after <= before + GROWTH, "the service grew from {before} to {after} KiB");
    let log = service.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Runs so many processes of all users at once.
fn crowd(service: &Service, part: &str, processes: u32) {
    let test = std::thread::current().name().unwrap().to_owned();
    std::thread::scope(|scope| {
        for number in 0..processes {
            let mut command = service.command(service.dir().join("member"));
            command
                .args([&test, "--exact", "--nocapture"])
                .env(PART, format!("{part} {number}"))
                .env(ROUNDS, rounds().to_string());
            as_uid(&mut command, 100_000 + number % USERS);
            scope.spawn(move || run(&mut command).ok());
        }
    });
}

fn rounds() -> u32 {
    std::env::var(ROUNDS).map_or(20, |rounds| rounds.parse().unwrap())
}

fn take_part(part: &str) {
    let client = Client::from_env(Process::default()).unwrap();
    let keys = Keys(&client, ProviderId::TPM);
    let (part, number) = part.split_once(' ').unwrap();
    if part == "make" {
        return NAMES.iter().for_each(|name| keys.make(name, &ec()).unwrap());
    }
    let keys = NAMES.map(|name| (name, VerifyingKey::from_sec1_bytes(&keys.public(name)).unwrap()));
    let mut random = 1 + number.parse::<usize>().unwrap();
    for round in 0..rounds() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (name, public) = &keys[(random >> 33) % keys.len()];
        let signature = Keys(&client, ProviderId::TPM).sign(name, Signature::Ecdsa { hash: SHA256 });
        let signature = signature.unwrap_or_else(|error| panic!("'{name}' in round {round}: {error}"));
        public.verify_prehash(&DIGEST, &Ecdsa::from_slice(&signature).unwrap()).expect("a signature by the same key");
    }
}

/// Resident, in KiB.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of the memory in use");
    line.split_whitespace().next().unwrap().parse().unwrap()
}
