//! Where a foreign program meets the service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tests::{CONFIG, Ran, Service, Setup, TPM, TPM_SEALED, may_lock_memory, program, run, skip};

use crate::{Daemon, Row, provider};

const MODULE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pkcs11-module/packaging/parsec.module");

/// A service for one test, and the row of the foreign program that uses it.
pub struct Desk {
    pub service: Service,
    pub row: Row,
}

impl Desk {
    /// A fresh service for a program of the system, or `None` after a [`tests::skip`].
    pub fn new(program: &str) -> Option<Self> {
        Row::program(program).map(Self::with)
    }

    /// A fresh service for any other program.
    pub fn with(row: Row) -> Self {
        Self { service: setup().start(), row }
    }

    /// As [`Self::with`], for keys of the sealed tier, or `None` after a [`tests::skip`].
    pub fn sealed(row: Row) -> Option<Self> {
        Some(Self { service: sealed()?.start(), row: row.sealed() })
    }

    /// As [`Self::new`], on a service that permits deprecated primitives.
    pub fn permissive(program: &str) -> Option<Self> {
        let row = Row::program(program)?;
        let config = config().replace("[core_settings]", "[core_settings]\nallow_deprecated = true");
        Some(Self { service: Setup::default().config(config).start(), row })
    }

    /// What this desk and others need as well, or `None` after a [`tests::skip`].
    pub fn and(self, name: &str) -> Option<Self> {
        program(name).map(|_| self)
    }

    /// This desk, if the provider of this run can do what the test is about.
    pub fn only_if(mut self, can: bool) -> Option<Self> {
        if !can {
            self.row.cancel();
        }
        can.then_some(self)
    }

    /// A file in the directory of the service, which is where programs run.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.service.dir().join(file)
    }

    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, file: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), bytes).unwrap();
    }

    /// # Panics
    /// When there is no such file.
    pub fn read(&self, file: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.path(file)).unwrap()
    }

    /// # Panics
    /// When there is no such file, or it is no text.
    pub fn text(&self, file: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    /// Our module, which every user may load.
    pub fn module(&self) -> PathBuf {
        self.service.staged("libparsec_pkcs11.so")
    }

    /// A program and its arguments, with spaces between them.
    pub fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = self.service.command(words.next().unwrap());
        command.args(words);
        command
    }

    /// Runs [`Self::command`] to its end.
    #[track_caller]
    pub fn run(&self, line: &str) -> Ran {
        run(&mut self.command(line))
    }

    /// The output of [`Self::command`], which has to succeed.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        self.run(line).ok()
    }

    /// Runs `pkcs11-tool` with our module.
    #[track_caller]
    pub fn pkcs11_tool(&self, arguments: &str) -> Ran {
        run(&mut self.service.pkcs11_tool(arguments.split(' ')))
    }

    /// [`Self::command`] with our OpenSSL provider.
    pub fn ours(&self, line: &str) -> Command {
        let mut command = self.command(line);
        command.env("OPENSSL_CONF", self.service.openssl_conf());
        command
    }

    /// The output of `openssl` without our provider, as whoever receives what we made runs it. It has to succeed.
    #[track_caller]
    pub fn openssl(&self, arguments: &str) -> String {
        self.ok(&format!("openssl {arguments}"))
    }

    /// A server that would listen on every address of the machine, on one that has nothing but a loopback.
    pub fn isolated(&self, server: &str) -> Command {
        let mut command = self.command("unshare --net sh -c");
        command.arg(format!("ip link set lo up && exec {server}"));
        command
    }

    /// The output of [`Self::command`] on the machine of an [isolated](Self::isolated) server; it has to succeed.
    #[track_caller]
    pub fn beside(&self, server: &Daemon, line: &str) -> String {
        self.ok(&format!("nsenter --net=/proc/{}/ns/net {line}", server.pid()))
    }

    /// Lays out what an installation has for p11-kit: the module and the file that names it.
    ///
    /// # Panics
    /// When there is no room for them.
    pub fn install(&self) {
        for dir in ["modules", "lib"] {
            std::fs::create_dir(self.path(dir)).unwrap();
        }
        std::fs::copy(MODULE_FILE, self.path("modules/parsec.module")).unwrap();
        std::fs::rename(self.module(), self.path("lib/libparsec_pkcs11.so")).unwrap();
    }

    /// A program for which alone both are [installed](Self::install).
    pub fn installed(&self, line: &str) -> Command {
        let script = format!(
            "mount --bind modules /usr/share/p11-kit/modules && mount --bind lib {} && exec {line}",
            library("pkcs11").display()
        );
        let mut command = self.command("unshare --mount sh -c");
        command.arg(script);
        command
    }

    /// The output of our command line, which has to succeed.
    #[track_caller]
    pub fn parsec(&self, arguments: &str) -> String {
        run(&mut self.service.parsec(arguments.split(' '))).ok()
    }

    /// Makes a key of each of these kinds, which is also its name, with its certificate in a file and in the token.
    pub fn certify(&self, kinds: &[&str]) {
        for kind in kinds {
            self.parsec(&format!("key new {kind} --algorithm {kind}"));
            self.parsec(&format!("key public {kind} --out {kind}.pub"));
            self.parsec(&format!("key csr {kind} --self-signed --cn localhost --ip 127.0.0.1 --out {kind}.crt"));
            self.parsec(&format!("cert put {kind} {kind}.crt"));
        }
    }
}

/// Whether the provider of this run has keys of this kind, named as on the command line.
///
/// # Panics
/// When the provider has it and cannot make or destroy one.
pub fn has(service: &Service, kind: &str) -> bool {
    static KNOWN: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let probe = || {
        let made = run(&mut service.parsec(["key", "new", "probe", "--algorithm", kind]));
        if made.status.success() {
            run(&mut service.parsec(["key", "rm", "probe"])).ok();
        } else {
            assert!(made.err.contains(" has no "), "{}", made.err);
        }
        made.status.success()
    };
    provider() == "software" || *known.entry(kind.to_owned()).or_insert_with(probe)
}

/// Those of these kinds of key that it [has].
pub fn had<'a>(service: &Service, kinds: &[&'a str]) -> Vec<&'a str> {
    kinds.iter().copied().filter(|kind| has(service, kind)).collect()
}

/// A service with the provider of this run.
pub fn setup() -> Setup {
    provided(Setup::default())
}

/// The same with the sealed tier beside it, or `None` after a [`tests::skip`].
pub fn sealed() -> Option<Setup> {
    may_lock_memory().then(|| Setup::default().config(config() + TPM_SEALED))
}

/// Any setup, with the provider of this run.
pub fn provided(setup: Setup) -> Setup {
    setup.config(config())
}

/// Its configuration.
fn config() -> String {
    match provider().as_str() {
        "software" => CONFIG.to_owned(),
        "tpm" => CONFIG.split_once("[[provider]]").map(|(rest, _)| format!("{rest}{TPM}")).unwrap(),
        other => panic!("PARSEC_INTEROP_PROVIDER={other}: the tests know `software` and `tpm`"),
    }
}

/// A library that Debian keeps below `/usr/lib/` and the name of the processor.
pub fn library(file: &str) -> PathBuf {
    Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH)).join(file)
}

/// Whether the test may have a network and mounts of its own; when not, it is counted as skipped.
pub fn may_unshare() -> bool {
    let (Some(unshare), Some(_)) = (program("unshare"), program("ip")) else { return false };
    let may = run(Command::new(unshare).args(["--net", "--mount", "true"])).status.success();
    if !may {
        skip("this user may not make namespaces");
    }
    may
}

/// What `OPENSSL_CONF` has to name for a program to have libp11's engine with our module.
///
/// # Panics
/// When the file cannot be written.
pub fn engine_conf(service: &Service) -> PathBuf {
    let config = service.dir().join("engine.cnf");
    let module = service.staged("libparsec_pkcs11.so");
    std::fs::write(&config, ENGINE_CNF.replace("{module}", &module.display().to_string())).unwrap();
    config
}

const ENGINE_CNF: &str = "
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11_section
[pkcs11_section]
engine_id = pkcs11
MODULE_PATH = {module}
init = 0
[req]
distinguished_name = name
[name]
";
