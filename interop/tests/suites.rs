//! The test suites that other projects wrote for PKCS#11 modules, on SoftHSM and on our module.
//!
//! `suites/NAME` lists the tests that SoftHSM passes, which our module has to pass too. Where it does not, the line says why. The cryptoki
//! crate forgives SoftHSM what it lacks, and us nothing: what neither has is marked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why on stderr"
)]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use interop::{Desk, Row, cryptoki_tests, pykcs11, python_pkcs11};
use tempfile::TempDir;
use tests::{CONFIG, Ran, Setup, TPM, program, run};

const LABEL: &str = "interop";
// which the cryptoki crate's tests have in their code
const PIN: &str = "fedcba123456";
const SO_PIN: &str = "abcdef654321";

/// What a suite runs on.
struct Token {
    module: PathBuf,
    setting: (&'static str, String),
    dir: PathBuf,
}

impl Token {
    /// A fresh SoftHSM in a directory, or `None` after a [`tests::skip`].
    fn softhsm(dir: &TempDir) -> Option<Self> {
        program("softhsm2-util")?;
        let config = dir.path().join("softhsm2.conf");
        std::fs::write(&config, format!("directories.tokendir = {}\n", dir.path().display())).unwrap();
        let setting = ("SOFTHSM2_CONF", config.to_str().unwrap().to_owned());
        let token = Self { module: "/usr/lib/softhsm/libsofthsm2.so".into(), setting, dir: dir.path().to_owned() };
        run(token.command("softhsm2-util").args(["--init-token", "--free", "--label", LABEL, "--so-pin", SO_PIN, "--pin", PIN]))
            .ok();
        Some(token)
    }

    /// The token of a desk.
    fn ours(desk: &Desk) -> Self {
        let setting = ("PARSEC_SERVICE_ENDPOINT", desk.service.endpoint());
        Self { module: desk.module(), setting, dir: desk.service.dir().to_owned() }
    }

    /// The token of a desk, made as SoftHSM's is, and behind the name of its module: python-pkcs11 knows modules by their names,
    /// and asks less of those that it does not know.
    fn like_softhsm(desk: &Desk) -> Self {
        let module = desk.path("libsofthsm2.so");
        symlink(desk.module(), &module).unwrap();
        desk.pkcs11_tool(&format!("--init-token --label {LABEL} --so-pin {SO_PIN}")).ok();
        desk.pkcs11_tool(&format!("--init-pin --login --login-type so --so-pin {SO_PIN} --new-pin {PIN}")).ok();
        Self { module, ..Self::ours(desk) }
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.dir).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.dir);
        command.env(self.setting.0, &self.setting.1);
        command
    }

    /// The tests of python-pkcs11 that pass.
    fn python_pkcs11(&self) -> BTreeSet<String> {
        let python = python_pkcs11();
        let tests = python.ancestors().nth(2).unwrap().join("source/tests");
        let mut pytest = self.command(python);
        pytest.args(["-B", "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--import-mode", "append"]).arg(tests);
        pytest.env("PKCS11_MODULE", &self.module).env("PKCS11_TOKEN_LABEL", LABEL);
        pytest.env("PKCS11_TOKEN_PIN", PIN).env("PKCS11_TOKEN_SO_PIN", SO_PIN);
        let ran = run(&mut pytest);
        passed(&ran, |line| line.strip_prefix("PASSED ")?.rsplit_once("tests/").map(|(_, test)| test))
    }

    /// The listed tests of the cryptoki crate that pass, each in a process of its own: one that fails leaves the library as it is.
    ///
    /// To the library that the crate is told to take the module for it forgives much.
    fn cryptoki(&self, library: &str) -> BTreeSet<String> {
        let passes = |test: &&str| {
            let (program, name) = test.split_once("::").unwrap();
            let mut command = self.command(cryptoki_tests().join(program));
            command.env("TEST_PKCS11_MODULE", &self.module).env("TEST_PRETEND_LIBRARY", library);
            !passed(&run(command.args(["--exact", name])), |line| line.strip_suffix(" ... ok")).is_empty()
        };
        CRYPTOKI.lines().map(|(test, _)| test).filter(passes).map(str::to_owned).collect()
    }
}

/// The tests that a suite's output names as passed.
fn passed<'a>(ran: &'a Ran, name: impl Fn(&'a str) -> Option<&'a str>) -> BTreeSet<String> {
    eprintln!("{}{}", ran.out, ran.err);
    ran.out.lines().filter_map(name).map(str::to_owned).collect()
}

/// The tests of a suite that SoftHSM passes, each with what keeps ours from passing it, or nothing.
struct Expected(&'static str);

impl Expected {
    fn lines(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        self.0.lines().map(|line| line.split_once(" # ").map_or((line, None), |(test, why)| (test.trim(), Some(why))))
    }

    fn of_softhsm(&self, passed: &BTreeSet<String>) {
        let all: BTreeSet<_> = self.lines().map(|(test, _)| test.to_owned()).collect();
        let changed: Vec<_> = passed.symmetric_difference(&all).collect();
        assert!(changed.is_empty(), "the list of what SoftHSM passes is out of date: {changed:#?}");
    }

    fn of_ours(&self, passed: &BTreeSet<String>, row: &mut Row) {
        let wrong: Vec<_> = self.lines().filter(|(test, why)| passed.contains(*test) == why.is_some()).collect();
        assert!(wrong.is_empty(), "these pass, or fail, against the list: {wrong:#?}");
        let reasons: BTreeSet<_> = self.lines().filter_map(|(_, why)| why).collect();
        reasons.into_iter().for_each(|why| row.except(why));
    }
}

const PYTHON_PKCS11: Expected = Expected(include_str!("../suites/python-pkcs11"));
const CRYPTOKI: Expected = Expected(include_str!("../suites/cryptoki"));

#[test]
fn softhsm_passes_the_tests_that_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let Some(softhsm) = Token::softhsm(&dir) else { return };
    PYTHON_PKCS11.of_softhsm(&softhsm.python_pkcs11());
    CRYPTOKI.of_softhsm(&softhsm.cryptoki("softhsm"));
}

#[test]
fn its_own_tests_pass_as_on_softhsm() {
    let row = Row::peer("python-pkcs11", &python_pkcs11());
    let setup = Setup::default().config(format!("{CONFIG}{TPM}")).allow_deprecated();
    let mut desk = Desk { service: setup.start(), row };
    let passed = Token::like_softhsm(&desk).python_pkcs11();
    PYTHON_PKCS11.of_ours(&passed, &mut desk.row);
}

#[test]
fn its_integration_tests_pass_with_nothing_forgiven() {
    let mut desk = Desk::with(Row::peer("cryptoki", &cryptoki_tests().join("basic")));
    let passed = Token::ours(&desk).cryptoki("");
    CRYPTOKI.of_ours(&passed, &mut desk.row);
}

#[test]
fn keys_are_made_used_found_and_removed() {
    let desk = Desk::with(Row::peer("PyKCS11", &pykcs11()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/pykcs11.py");
    let mut python = Token::ours(&desk).command(pykcs11());
    run(python.arg(script).arg(desk.module()).arg("any PIN will do")).ok();
}
