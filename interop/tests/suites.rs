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
use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use interop::{Desk, Row, cryptoki_tests, opensc_tests, pykcs11, python_pkcs11};
use tempfile::TempDir;
use tests::{CONFIG, Ran, Setup, TPM, program, run};

const LABEL: &str = "interop";
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// What a suite runs on.
struct Token {
    module: PathBuf,
    setting: (&'static str, String),
    dir: PathBuf,
}

/// The PINs of a token: its user's and its officer's.
#[derive(Clone, Copy)]
struct Pins(&'static str, &'static str);

/// Those that the tests of each suite have in their code; python-pkcs11's have none.
const CRYPTOKI_PINS: Pins = Pins("fedcba123456", "abcdef654321");
const PYKCS11_PINS: Pins = Pins("1234", "123456");
const OPENSC_PINS: Pins = Pins("123456", "12345678");

impl Token {
    /// A fresh SoftHSM in a directory, or `None` after a [`tests::skip`].
    fn softhsm(dir: &TempDir, Pins(pin, officer): Pins) -> Option<Self> {
        program("softhsm2-util")?;
        let config = dir.path().join("softhsm2.conf");
        std::fs::write(&config, format!("directories.tokendir = {}\n", dir.path().display())).unwrap();
        let setting = ("SOFTHSM2_CONF", config.to_str().unwrap().to_owned());
        let token = Self { module: SOFTHSM.into(), setting, dir: dir.path().to_owned() };
        let mut util = token.command("softhsm2-util");
        run(util.args(["--init-token", "--free", "--label", LABEL, "--so-pin", officer, "--pin", pin])).ok();
        Some(token)
    }

    /// The token of a desk.
    fn ours(desk: &Desk) -> Self {
        let setting = ("PARSEC_SERVICE_ENDPOINT", desk.service.endpoint());
        Self { module: desk.module(), setting, dir: desk.service.dir().to_owned() }
    }

    /// The token of a desk, made as SoftHSM's is, and behind the name of its module: python-pkcs11 knows modules by their names,
    /// and asks less of those that it does not know.
    fn like_softhsm(desk: &Desk, Pins(pin, officer): Pins) -> Self {
        let module = desk.path("libsofthsm2.so");
        symlink(desk.module(), &module).unwrap();
        desk.pkcs11_tool(&format!("--init-token --label {LABEL} --so-pin {officer}")).ok();
        desk.pkcs11_tool(&format!("--init-pin --login --login-type so --so-pin {officer} --new-pin {pin}")).ok();
        Self { module, ..Self::ours(desk) }
    }

    /// Its slot, as p11test wants it.
    fn slot(&self) -> String {
        let slots = run(self.command("pkcs11-tool").arg("--module").arg(&self.module).arg("--list-token-slots")).ok();
        let number = slots.split_once("(0x").and_then(|(_, rest)| rest.split_once(')')).expect("a slot").0;
        u64::from_str_radix(number, 16).unwrap().to_string()
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.dir).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.dir);
        command.env(self.setting.0, &self.setting.1);
        command
    }

    /// The tests that pass of those which a Python's package brought in this folder of its source.
    fn pytest(&self, python: &Path, tests: &str, environment: &[(&str, &OsStr)]) -> BTreeSet<String> {
        let source = python.ancestors().nth(2).unwrap().join("source").join(tests);
        let mut pytest = self.command(python);
        pytest.args(["-B", "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--import-mode", "append"]).arg(source);
        let ran = run(pytest.envs(environment.iter().copied()));
        let folder = format!("{tests}/");
        passed(&ran, |line| line.strip_prefix("PASSED ")?.rsplit_once(&folder).map(|(_, test)| test))
    }

    fn python_pkcs11(&self, Pins(pin, officer): Pins) -> BTreeSet<String> {
        let environment = [
            ("PKCS11_MODULE", self.module.as_os_str()),
            ("PKCS11_TOKEN_LABEL", LABEL.as_ref()),
            ("PKCS11_TOKEN_PIN", pin.as_ref()),
            ("PKCS11_TOKEN_SO_PIN", officer.as_ref()),
        ];
        self.pytest(&python_pkcs11(), "tests", &environment)
    }

    /// The tests of PyKCS11 that pass, but for one that gives the 8 bytes of a label in the place of 32: what stands behind them is chance.
    fn pykcs11(&self) -> BTreeSet<String> {
        let environment: [(&str, &OsStr); 3] = [
            ("PYKCS11LIB", self.module.as_os_str()),
            ("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/suites").as_ref()),
            ("PYTEST_ADDOPTS", "-p as_softhsm -k 'not test_initToken or utf8'".as_ref()),
        ];
        self.pytest(&pykcs11(), "test", &environment)
    }

    /// What passes of the scripts that are OpenSC's tests of pkcs11-tool. `make` initialises the token again, without anything on it.
    fn opensc(&self, make: &str) -> BTreeSet<String> {
        let (source, tests) = (opensc_tests(), self.dir.join("tests"));
        std::fs::create_dir(&tests).unwrap();
        let common = std::fs::read_to_string(source.with_file_name("common.sh")).unwrap();
        let own = OPENSC_OWN.replace("{module}", &self.module.display().to_string()).replace("{make}", make);
        std::fs::write(tests.join("common.sh"), common + &own).unwrap();
        let passes = |script: &&str| {
            let path = source.with_file_name(format!("test-pkcs11-tool-{script}.sh"));
            let mut bash = self.command("bash");
            bash.arg(path).current_dir(&tests).env("SOURCE_PATH", &self.dir).env("SCRIPT", script);
            passed(&run(&mut bash), |line| line.strip_prefix("PASSED "))
        };
        OPENSC_SCRIPTS.iter().flat_map(passes).collect()
    }

    /// What passes of OpenSC's p11test, on a token with the keys that it is run with: its tests, and the lines of its tables which say
    /// that something works.
    fn p11test(&self, slot: &str) -> BTreeSet<String> {
        let Pins(pin, _) = OPENSC_PINS;
        for (kind, id) in P11TEST_KEYS {
            let mut tool = self.command("pkcs11-tool");
            tool.arg("--module").arg(&self.module).args(["--slot", slot, "--login", "--pin", pin, "--extractable"]);
            run(tool.args(["--keypairgen", "--key-type", kind, "--id", id, "--label", kind])).ok();
        }
        let mut p11test = self.command(opensc_tests());
        let ran = run(p11test.arg("-m").arg(&self.module).args(["-s", slot, "-p", pin]));
        let mut passed = passed(&ran, |line| line.strip_prefix("[       OK ] "));
        let mut key = "";
        for line in ran.out.lines() {
            if let Some(next) = p11test_key(line) {
                key = next;
            } else if line.contains("[./]") {
                let words: Vec<_> = line.split_whitespace().collect();
                passed.insert(format!("{key} {}", words.join(" ")));
            }
        }
        passed
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

/// The id of the key that the next lines of a table are about.
fn p11test_key(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix('[')?.split_once("    ] [")?;
    id.chars().all(|digit| digit.is_ascii_hexdigit()).then_some(id)
}

/// Keys as `runtest.sh` of OpenSC makes them for p11test, but for the secret ones: whether those unwrap in SoftHSM is chance, and it uses no
/// others than such that can be read.
const P11TEST_KEYS: [(&str, &str); 4] =
    [("RSA:2048", "02"), ("EC:secp256r1", "03"), ("EC:secp521r1", "04"), ("EC:edwards25519", "05")];

/// The label of the token that OpenSC's scripts import into.
const OPENSC_LABEL: &str = "SC test";

const OPENSC_SCRIPTS: &[&str] = &["allowed-mechanisms", "sign-verify", "sym-crypt-test", "unwrap-wrap-test"];

/// What comes after OpenSC's `common.sh`: the token, and lines for what passes, by the heading under which it stands.
const OPENSC_OWN: &str = "
P11LIB={module}
PKCS11_TOOL=pkcs11-tool
softhsm2-util() { command softhsm2-util --module \"$P11LIB\" \"$@\"; }
softhsm_initialize() { {make}; }
softhsm_cleanup() { :; }
echo() {
  builtin echo \"$@\"
  [[ -z $* || $* == *===* || $1 == -n ]] || read -r heading <<<\"$*\"
}
assert() {
  ((number += 1))
  if [[ $1 == 0 ]]; then builtin echo \"PASSED $SCRIPT $number: $heading\"; else ERRORS=1; fi
}
";

/// The tests that a suite's output names as passed.
fn passed<'a>(ran: &'a Ran, name: impl Fn(&'a str) -> Option<&'a str>) -> BTreeSet<String> {
    eprintln!("{}{}", ran.out, ran.err);
    ran.out.lines().filter_map(name).map(str::to_owned).collect()
}

/// What a reason begins with that is none where what is deprecated is permitted.
const DEPRECATED: &str = "deprecated: ";

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

    /// Of a service that permits what is deprecated, or not.
    fn of_ours(&self, passed: &BTreeSet<String>, permissive: bool, row: &mut Row) {
        let applies = |why: &str| !permissive || !why.starts_with(DEPRECATED);
        let lines: Vec<_> = self.lines().map(|(test, why)| (test, why.filter(|why| applies(why)))).collect();
        let wrong: Vec<_> = lines.iter().filter(|(test, why)| passed.contains(*test) == why.is_some()).collect();
        assert!(wrong.is_empty(), "these pass, or fail, against the list: {wrong:#?}");
        let reasons: BTreeSet<_> = lines.iter().filter_map(|(_, why)| *why).collect();
        reasons.into_iter().for_each(|why| row.except(why));
    }
}

const PYTHON_PKCS11: Expected = Expected(include_str!("../suites/python-pkcs11"));
const CRYPTOKI: Expected = Expected(include_str!("../suites/cryptoki"));
const PYKCS11: Expected = Expected(include_str!("../suites/pykcs11"));
const OPENSC: Expected = Expected(include_str!("../suites/opensc"));
const P11TEST: Expected = Expected(include_str!("../suites/p11test"));

/// What a suite finds on a fresh SoftHSM, or `None` after a [`tests::skip`].
fn on_softhsm(pins: Pins, suite: impl Fn(&Token) -> BTreeSet<String>) -> Option<BTreeSet<String>> {
    let dir = tempfile::tempdir().unwrap();
    Token::softhsm(&dir, pins).map(|token| suite(&token))
}

#[test]
fn softhsm_passes_the_tests_that_are_listed() {
    let Some(passed) = on_softhsm(CRYPTOKI_PINS, |token| token.python_pkcs11(CRYPTOKI_PINS)) else { return };
    PYTHON_PKCS11.of_softhsm(&passed);
    CRYPTOKI.of_softhsm(&on_softhsm(CRYPTOKI_PINS, |token| token.cryptoki("softhsm")).unwrap());
}

#[test]
fn softhsm_passes_the_tests_of_pykcs11_that_are_listed() {
    let Some(passed) = on_softhsm(PYKCS11_PINS, Token::pykcs11) else { return };
    PYKCS11.of_softhsm(&passed);
}

#[test]
fn softhsm_passes_the_tests_of_opensc_that_are_listed() {
    let Pins(pin, officer) = OPENSC_PINS;
    let make = format!(
        "rm -rf {{dir}}/*-*-*; softhsm2-util --init-token --free --label '{OPENSC_LABEL}' --so-pin {officer} --pin {pin}"
    );
    let make = |token: &Token| make.replace("{dir}", &token.dir.display().to_string());
    let Some(passed) = on_softhsm(OPENSC_PINS, |token| token.opensc(&make(token))) else { return };
    OPENSC.of_softhsm(&passed);
    P11TEST.of_softhsm(&on_softhsm(OPENSC_PINS, |token| token.p11test(&token.slot())).unwrap());
}

/// A desk whose service permits what is deprecated.
fn permissive(row: Row) -> Desk {
    Desk { service: Setup::default().allow_deprecated().start(), row }
}

#[test]
fn its_own_tests_pass_as_on_softhsm() {
    let row = Row::peer("python-pkcs11", &python_pkcs11());
    let setup = Setup::default().config(format!("{CONFIG}{TPM}")).allow_deprecated();
    let mut desk = Desk { service: setup.start(), row };
    let passed = Token::like_softhsm(&desk, CRYPTOKI_PINS).python_pkcs11(CRYPTOKI_PINS);
    PYTHON_PKCS11.of_ours(&passed, true, &mut desk.row);
}

#[test]
fn its_own_tests_pass_without_what_is_deprecated() {
    let mut desk = Desk::with(Row::peer("python-pkcs11", &python_pkcs11()));
    let passed = Token::like_softhsm(&desk, CRYPTOKI_PINS).python_pkcs11(CRYPTOKI_PINS);
    PYTHON_PKCS11.of_ours(&passed, false, &mut desk.row);
}

#[test]
fn its_tests_pass_as_on_softhsm() {
    let mut desk = permissive(Row::peer("PyKCS11", &pykcs11()));
    let passed = Token::like_softhsm(&desk, PYKCS11_PINS).pykcs11();
    PYKCS11.of_ours(&passed, true, &mut desk.row);
}

#[test]
fn its_tests_of_modules_pass_as_on_softhsm() {
    let mut desk = permissive(Row::peer("OpenSC", &opensc_tests()));
    let (token, Pins(pin, officer)) = (Token::like_softhsm(&desk, OPENSC_PINS), OPENSC_PINS);
    P11TEST.of_ours(&token.p11test(&token.slot()), true, &mut desk.row);
    let tool = "pkcs11-tool --module \"$P11LIB\"";
    let make = format!(
        "{tool} --init-token --label '{OPENSC_LABEL}' --so-pin {officer} && {tool} --init-pin --login --login-type so --so-pin {officer} --new-pin {pin}"
    );
    OPENSC.of_ours(&token.opensc(&make), true, &mut desk.row);
}

#[test]
fn its_integration_tests_pass_with_nothing_forgiven() {
    let mut desk = Desk::with(Row::peer("cryptoki", &cryptoki_tests().join("basic")));
    let passed = Token::ours(&desk).cryptoki("");
    CRYPTOKI.of_ours(&passed, true, &mut desk.row);
}

#[test]
fn keys_are_made_used_found_and_removed() {
    let desk = Desk::with(Row::peer("PyKCS11", &pykcs11()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/pykcs11.py");
    let mut python = Token::ours(&desk).command(pykcs11());
    run(python.arg(script).arg(desk.module()).arg("any PIN will do")).ok();
}
