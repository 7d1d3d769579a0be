//! Foreign software against this service, and its shims against upstream Parsec.
//!
//! What no Debian package has is made by `interop/peers` in a cache, when it is not there yet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why on stderr"
)]

mod desk;
mod latchset;
mod machine;
mod matrix;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tests::{Release, Setup};

pub use desk::{Desk, engine_conf, had, has, library, may_unshare, provided, sealed, setup};
pub use latchset::Latchset;
pub use machine::Machine;
pub use matrix::{Row, provider};
pub use tests::{Daemon, eventually, listens, loopback};

/// Upstream's service, with its Mbed Crypto provider.
pub fn upstream() -> Setup {
    Setup::program(upstream_service()).env("RUST_LOG", "warn")
}

/// Upstream's service: the program.
pub fn upstream_service() -> PathBuf {
    peer("UPSTREAM_PARSEC")
}

/// Upstream's command-line tool.
pub fn upstream_tool() -> PathBuf {
    peer("UPSTREAM_PARSEC_TOOL")
}

/// The `openssl` command of OpenSSL 3.5, with libcrypto inside.
pub fn openssl_3_5() -> PathBuf {
    peer("OPENSSL_3_5")
}

/// The `openssl` command of OpenSSL 4.0, with libcrypto inside.
pub fn openssl_4_0() -> PathBuf {
    peer("OPENSSL_4_0")
}

/// The folder of the programs that are the cryptoki crate's own integration tests.
pub fn cryptoki_tests() -> PathBuf {
    peer("CRYPTOKI_TESTS")
}

/// A Python that has python-pkcs11 and what its own tests need; `../source` has the tests.
pub fn python_pkcs11() -> PathBuf {
    peer("PYTHON_PKCS11")
}

/// A Python that has PyKCS11 and what its own tests need; `../source` has the tests.
pub fn pykcs11() -> PathBuf {
    peer("PYKCS11")
}

/// OpenSC's `p11test`, beside the scripts that test its pkcs11-tool.
pub fn opensc_tests() -> PathBuf {
    peer("OPENSC_TESTS")
}

/// A Python that has tlslite-ng.
pub fn tlslite() -> PathBuf {
    peer("TLSLITE")
}

/// A Python that has asyncssh.
pub fn asyncssh() -> PathBuf {
    peer("ASYNCSSH")
}

/// A Python that has pyHanko; its command line lies beside it.
pub fn pyhanko() -> PathBuf {
    peer("PYHANKO")
}

/// A program that uses keys by crypto11: `tests/pkcs11/crypto11.go`.
pub fn crypto11() -> PathBuf {
    peer("CRYPTO11")
}

/// The folder of the packages that node-webcrypto-p11 is and needs.
pub fn webcrypto() -> PathBuf {
    peer("WEBCRYPTO")
}

/// The `node` of nodejs.org's kind, with OpenSSL inside.
pub fn node() -> PathBuf {
    peer("NODE")
}

/// An `nginx` that takes the URIs of providers, which came with 1.29.
pub fn newer_nginx() -> PathBuf {
    peer("NEWER_NGINX")
}

/// The `openssl` command of Debian's next release, whose libraries lie below the folder above its own.
pub fn newer_openssl() -> PathBuf {
    peer("NEWER_OPENSSL")
}

/// The folder with the programs of a release of ours that is kept in `tests/fixtures`.
pub fn release(release: &Release) -> PathBuf {
    peer(&format!("PARSEC_RELEASE_{}", release.commit()))
}

/// `cargo deb`: the program.
pub fn cargo_deb() -> PathBuf {
    peer("CARGO_DEB")
}

/// The path of a program that `interop/peers` names, taken from the environment when `tests/run` has put it there.
fn peer(name: &str) -> PathBuf {
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let built = || BUILT.get_or_init(build).get(name).cloned();
    std::env::var_os(name).map(PathBuf::from).or_else(built).unwrap_or_else(|| panic!("interop/peers cannot make {name}"))
}

fn build() -> HashMap<String, PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("run interop/peers");
    assert!(output.status.success(), "{} failed", script.display());
    let lines = String::from_utf8(output.stdout).expect("paths in UTF-8");
    lines.lines().filter_map(|line| line.split_once('=')).map(|(name, path)| (name.to_owned(), path.into())).collect()
}
