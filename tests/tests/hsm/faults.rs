//! A library that fails as those of vendors do (`tests/faulting`): no key is lost, nothing is left on the token, and everybody gets an
//! answer.

use super::keys::{DIGEST, Keys, ec, pair};
use super::{PKCS11, SHA256, await_token, setup};
use interface::ProviderId;
use interface::algorithm::Signature;
use interface::attributes::Attributes;
use interface::attributes::KeyType;
use interface::client::{Client, Error};
use std::fs;
use std::time::{Duration, Instant};
use tests::{Service, built, eventually};

/// How long a request to the library may take, in milliseconds.
const LIMIT: u64 = 300;
/// How long an answer may take that needs two such requests and a new process of the library.
const BOUND: Duration = Duration::from_secs(20);
/// Calls in a session after which one profile's has expired, and some more.
const MANY: usize = 250;
const RULES: &str = "rules";

/// A service whose token's library has the habits of a profile.
fn start(profile: &str, variable: Option<&str>) -> (Service, Client) {
    let library = built("libfaulting.so");
    let config = setup().map_config(|config| {
        let config = config.replace("{library}", library.to_str().unwrap());
        config.replace("user_pin", &format!("timeout = {LIMIT}\nuser_pin"))
    });
    let config = config.env("FAULTING_PROFILE", profile).env("FAULTING_RULES", RULES).env("FAULTING_CALLS", "calls");
    super::start(variable.into_iter().fold(config, |config, name| config.env(name, "1")))
}

/// Has the library meet these faults, and no others, from now on.
fn meet(service: &Service, rules: &str) {
    let file = service.dir().join(RULES);
    fs::write(&file, "").unwrap();
    let marks = fs::read_dir(service.dir()).unwrap().map(|entry| entry.unwrap().path());
    let marks = marks.filter(|path| path.file_stem() == Some(RULES.as_ref()) && path.extension().is_some());
    marks.for_each(|mark| fs::remove_file(mark).unwrap());
    fs::write(&file, rules).unwrap();
}

/// What a request gives, in bounded time.
fn bounded<T>(what: &str, request: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let begun = Instant::now();
    let answer = request();
    assert!(begun.elapsed() < BOUND, "{what}: no answer within {BOUND:?}");
    answer
}

#[test]
fn with_the_habits_of_every_vendor_keys_are_made_used_and_destroyed() {
    let pss = Signature::RsaPss { hash: SHA256 };
    // A key that wants a login of its own each time cannot be used yet.
    for profile in faulting::profile::all().into_iter().filter(|profile| !profile.login_each_time) {
        let name = &profile.name;
        let (service, client) = start(name, profile.variable.as_deref());
        let token = Keys(&client, PKCS11);
        let make = |key: &str, attributes: &Attributes| {
            eventually(&format!("{name}: {key}"), || bounded(name, || token.make(key, attributes)).ok());
        };
        make("k", &ec());
        meet(&service, &profile.rules);
        for _ in 0..if profile.session_calls.is_some() { MANY } else { 3 } {
            bounded(name, || token.ecdsa("k")).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        await_token(&client);
        make("r", &pair(KeyType::RsaKeyPair, 2048, pss));
        let signature = bounded(name, || token.sign("r", pss)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(token.verifies("r", pss, &signature), "{name}");
        token.destroy("k").unwrap_or_else(|error| panic!("{name}: {error}"));
        let left = service.token().objects();
        assert_eq!(left.len(), 2, "{name}: {left:?}");
    }
}

#[test]
fn a_fault_in_any_function_loses_no_key_and_leaves_none() {
    let (service, client) = start("", None);
    let (token, software) = (Keys(&client, PKCS11), Keys(&client, ProviderId::SOFTWARE));
    token.make("kept", &ec()).unwrap();
    software.make("s", &ec()).unwrap();
    // Of the three operations, one meets each fault; all do by `tests/run --all`.
    let all = std::env::var_os("PARSEC_TESTS_ALL").is_some();
    for (place, function) in FUNCTIONS.iter().enumerate() {
        for (turn, action) in ACTIONS.iter().enumerate() {
            let rules = format!("{function} once {action}");
            let meeting = |(number, _): &(usize, _)| all || (place + turn) % 3 == *number;
            for (_, operation) in [make, sign, destroy].into_iter().enumerate().filter(meeting) {
                operation(&service, &token, &rules);
                meet(&service, "");
                await_token(&client);
                eventually(&rules, || token.ecdsa("kept").ok());
                software.ecdsa("s").unwrap();
                let left = service.token().objects();
                assert_eq!(left.len(), 2, "{rules}: {left:?}");
            }
        }
    }
}

const FUNCTIONS: &[&str] = &[
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_GetAttributeValue",
    "C_GenerateKeyPair",
    "C_DestroyObject",
    "C_SignInit",
    "C_Sign",
];
/// CKR_DEVICE_ERROR, the session's end, and a code of a vendor's own are among what is answered.
const ACTIONS: &[&str] = &[
    "return 0x30",
    "return 0xb3",
    "return 0x80000123",
    "late 0x05",
    "gone 0x32",
    "pretend",
    "garbage",
    "hang",
    "die",
    "late-die",
];

fn make(service: &Service, token: &Keys<'_>, rules: &str) {
    meet(service, rules);
    let made = bounded(rules, || token.make("new", &ec()));
    meet(service, "");
    await_token(token.0);
    if made.is_err() {
        eventually(&format!("{rules}: the name"), || token.make("new", &ec()).ok());
    }
    token.ecdsa("new").unwrap_or_else(|error| panic!("{rules}: {error}"));
    token.destroy("new").unwrap_or_else(|error| panic!("{rules}: {error}"));
}

fn sign(service: &Service, token: &Keys<'_>, rules: &str) {
    meet(service, rules);
    let algorithm = Signature::Ecdsa { hash: SHA256 };
    if let Ok(signature) = bounded(rules, || token.sign("kept", algorithm)) {
        assert!(token.verifies("kept", algorithm, &signature), "{rules}: a wrong signature of {DIGEST:?}");
    }
}

fn destroy(service: &Service, token: &Keys<'_>, rules: &str) {
    token.make("old", &ec()).unwrap_or_else(|error| panic!("{rules}: {error}"));
    meet(service, rules);
    let destroyed = bounded(rules, || token.destroy("old"));
    meet(service, "");
    await_token(token.0);
    if destroyed.is_err() {
        // it is done later, or asked for again
        eventually(&format!("{rules}: the name"), || {
            let _ = token.destroy("old");
            token.make("old", &ec()).ok()
        });
        token.destroy("old").unwrap_or_else(|error| panic!("{rules}: {error}"));
    }
}
