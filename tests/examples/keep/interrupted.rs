//! Stores of a service that was killed while it made a key, and while it destroyed one.

use std::fs;
use std::path::Path;
use std::process::Command;

use interface::ProviderId;
use interface::attributes::{Attributes, EccFamily, KeyType};
use interface::operations::{DestroyKey, GenerateKey};
use interface::policy::Job;
use rusqlite::Connection;
use tests::{CONFIG, Service, Setup, run};

use crate::Desk;

const KEY: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);

pub(crate) fn keep(folder: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let faults = scratch.path().join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/faults.c");
    run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&faults).arg(source)).ok();
    for (state, name) in [(0, "making"), (2, "destroying")] {
        let step = (1..1000).find(|step| {
            let plan = scratch.path().join("plan");
            fs::write(&plan, format!("before {step}")).unwrap();
            let mut service = Setup::default().env("LD_PRELOAD", &faults).env("FAULT_PLAN", &plan).prepare();
            live(&mut service);
            let found = is_so(&service, state);
            if found {
                Desk { service, uid: 0 }.keep(CONFIG, &folder.join(name));
            }
            found
        });
        assert!(step.is_some(), "the service is never killed while {name} a key");
    }
}

fn live(service: &mut Service) {
    if service.try_restart().is_ok() {
        let client = service.client();
        let attributes = Attributes { key_type: KEY, bits: 256, policy: Job::Sign.policy(KEY).unwrap() };
        let make = |name: &str| {
            let (key_name, attributes) = (name.to_owned(), Some((&attributes).into()));
            client.call(ProviderId::SOFTWARE, &GenerateKey { key_name, attributes, ..GenerateKey::default() }).is_ok()
        };
        if make("kept") && make("other") {
            let _ = client.call(ProviderId::SOFTWARE, &DestroyKey { key_name: "other".to_owned(), owner: None });
        }
    }
}

/// Whether the key `kept` is there and the other one in this state.
fn is_so(service: &Service, state: i64) -> bool {
    let scratch = tempfile::tempdir().unwrap();
    for file in ["keys.sqlite3", "keys.sqlite3-wal"] {
        let _ = fs::copy(service.dir().join(file), scratch.path().join(file));
    }
    let store = Connection::open(scratch.path().join("keys.sqlite3")).unwrap();
    let states = "SELECT group_concat(state) FROM (SELECT state FROM key ORDER BY name)";
    store.query_row(states, [], |row| row.get::<_, String>(0)).is_ok_and(|states| states == format!("1,{state}"))
}
