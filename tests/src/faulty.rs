//! A disk that fails a service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{CONFIG, Service, Setup, program, run};

/// What is preloaded into a service, where there is a compiler for it. Its source says what it does.
///
/// # Panics
/// When it cannot be compiled.
pub fn faults(folder: &Path) -> Option<PathBuf> {
    let faults = folder.join("faults.so");
    let mut compile = Command::new(program("cc")?);
    compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&faults);
    run(compile.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/faults.c"))).ok();
    Some(faults)
}

/// A service with these faults, which is not started yet, and the file for their plan.
///
/// # Panics
/// When there is no room for its directory.
pub fn faulty(faults: &Path) -> (Service, PathBuf) {
    let place = "store_key_path = \"{dir}/key/store.key\"\nsqlite_db_path = \"{dir}/state/keys";
    let setup = Setup::default().config(CONFIG.replace("sqlite_db_path = \"{dir}/keys", place));
    let service = setup.env("LD_PRELOAD", faults).env("FAULT_PLAN", "key/plan").prepare();
    // The service removes it, so it is where its sandbox lets it.
    fs::create_dir(service.dir().join("key")).expect("a folder for the store key");
    let plan = service.dir().join("key/plan");
    (service, plan)
}
