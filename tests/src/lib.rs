//! The harness and the suites that need a running service.
//!
//! [`Service`] starts the real `parsec serve` in a directory of its own, so that tests run side by side; [`run`] runs a program
//! as a person would and gives up on it after a deadline. A test that cannot run where it is calls [`skip`] and returns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why on stderr"
)]

mod abrmd;
mod clients;
mod command;
mod daemon;
#[cfg(target_arch = "x86_64")]
pub mod fault;
mod faulty;
mod flood;
mod host;
mod kryoptic;
mod memory;
mod page;
mod pinned;
mod proxy;
mod raw;
mod release;
mod service;
mod softhsm;
mod source;
mod swtpm;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use abrmd::Abrmd;
pub use clients::{Account, Crowd};
pub use command::{Ran, acting, as_uid, feed, install, run};
pub use daemon::{Daemon, eventually, listens, loopback};
pub use faulty::{faults, faulty};
pub use flood::Flood;
pub use host::{Privilege, is_privileged, may_mount};
pub use kryoptic::Kryoptic;
pub use memory::Secrets;
pub use page::{Block, Page};
pub use pinned::pinned;
pub use proxy::{Fault, Proxy};
pub use raw::{Answer, Raw, as_user, frame, request};
pub use release::{APPLICATION, OFFICER_PIN, PIN, Release, TENANT, Transcript};
pub use service::{CONFIG, HSM, Service, Setup, TPM, TPM_SEALED};
pub use softhsm::SoftHsm;
pub use source::Source;
pub use swtpm::{Swtpm, sized};

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// A uid that owns nothing on the machine: "another user" in the tests.
pub const STRANGER: u32 = 54_321;

/// A file that the workspace builds (`parsec`, `libparsec_pkcs11.so`, `libparsec_openssl.so`): in `PARSEC_BIN_DIR`, or where
/// cargo has put it beside the running test.
///
/// # Panics
/// When it has not been built.
pub fn built(name: &str) -> PathBuf {
    let dir = std::env::var_os("PARSEC_BIN_DIR").map_or_else(
        || {
            let test = std::env::current_exe().expect("the test's own path");
            test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned()
        },
        PathBuf::from,
    );
    let path = dir.join(name);
    assert!(path.exists(), "{} is missing: build the workspace first, with the profile of this test", path.display());
    path
}

/// The path of a program of the system, looked for where Debian keeps programs, or `None` after a [`skip`].
pub fn program(name: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Whether the test may act as another user; when not, it is counted as skipped.
pub fn may_change_user() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("only root can act as another user");
    }
    root
}

/// Whether a service may lock its memory, as that of [`TPM_SEALED`] does; when not, the test is counted as skipped.
pub fn may_lock_memory() -> bool {
    let capable = CapabilitySet::IPC_LOCK | CapabilitySet::SYS_RESOURCE;
    let capable = capabilities(None).is_ok_and(|sets| sets.effective.intersects(capable));
    let may = capable || getrlimit(Resource::Memlock).maximum.is_none();
    if !may {
        skip("the limit on locked memory is too low here: ulimit -l unlimited, or CAP_IPC_LOCK");
    }
    may
}

/// What starts a program as on a kernel with this version of Landlock, for [`Setup::by`]. 0 is a kernel with none, under a unit of
/// systemd's that does not permit seccomp either.
pub fn older_kernel(landlock: u8) -> [String; 4] {
    ["python3", "-c", include_str!("older-kernel.py"), &landlock.to_string()].map(str::to_owned)
}

/// Counts the running test as skipped, with the reason. The test has to return after it.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unnamed");
    eprintln!("skipped: {test}: {reason}");
    if let Some(list) = std::env::var_os("PARSEC_TEST_SKIPS") {
        let mut list = std::fs::File::options().append(true).create(true).open(list).expect("the list of skipped tests");
        list.write_all(format!("test {test}: {reason}\n").as_bytes()).expect("write the list of skipped tests");
    }
}
