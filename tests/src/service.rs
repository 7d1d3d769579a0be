//! A service that runs for one test.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use interface::client::Client;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{SoftHsm, Swtpm, built, command, eventually};

/// What a service starts with when a test asks for nothing else; `{dir}` stands for the test's own directory.
/// These are upstream's configuration keys, so an upstream service starts with it too.
pub const CONFIG: &str = r#"
[core_settings]
allow_root = true
log_level = "info"
log_error_details = true

[listener]
listener_type = "DomainSocket"
timeout = 5000
socket_path = "{dir}/parsec.sock"

[authenticator]
auth_type = "UnixPeerCredentials"
admins = [{ name = "0" }]

[[key_manager]]
name = "store"
manager_type = "SQLite"
sqlite_db_path = "{dir}/keys.sqlite3"

[[provider]]
provider_type = "MbedCrypto"
key_info_manager = "store"
"#;

/// What a configuration needs for a TPM provider; `{tcti}` stands for a software TPM of the test's own.
pub const TPM: &str = r#"
[[provider]]
provider_type = "Tpm"
key_info_manager = "store"
tcti = "{tcti}"
"#;

/// What a configuration needs for the sealed tier, after another provider; `{tcti}` as in [`TPM`].
pub const TPM_SEALED: &str = r#"
[[provider]]
provider_type = "TpmSealed"
key_info_manager = "store"
tcti = "{tcti}"
"#;

/// What a configuration needs for a token; `{token}` stands for one of SoftHSM's, of the test's own.
pub const HSM: &str = r#"
[[provider]]
provider_type = "Pkcs11"
key_info_manager = "store"
library_path = "{library}"
token_label = "{token}"
user_pin = "9012"
"#;

/// Makes a store one of version 4, whose rows are not signed, so that the service signs them as they are when it is told to accept that.
const UNSIGN: &str = include_str!("unsign.sql");

/// How long a service may take to answer its socket, or to end after it was told to.
const DEADLINE: Duration = Duration::from_secs(60);

/// How a service is to be started: the program `parsec serve` with [`CONFIG`], unless told otherwise.
pub struct Setup {
    program: PathBuf,
    arguments: Vec<OsString>,
    config: String,
    environment: Vec<(OsString, OsString)>,
    clients: Option<PathBuf>,
    chip: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { arguments: vec!["serve".into()], ..Self::program(built("parsec")) }
    }
}

impl Setup {
    /// Another service: `program -c CONFIG`.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            config: CONFIG.to_owned(),
            environment: Vec::new(),
            clients: None,
            chip: None,
        }
    }

    /// The service of another build of ours, which is in this folder.
    pub fn of(folder: &Path) -> Self {
        Self { program: folder.join("parsec"), ..Self::default() }
    }

    /// Takes the libraries and the command line from this folder, not those that are [`built`].
    pub fn clients(mut self, folder: &Path) -> Self {
        self.clients = Some(folder.to_owned());
        self
    }

    /// Has another program start it, which gets it and its arguments as its own last ones, and has to become it (execve).
    pub fn by<S: Into<OsString>>(mut self, starter: impl IntoIterator<Item = S>) -> Self {
        let mut words = starter.into_iter().map(Into::into).chain([self.program.into_os_string()]);
        self.program = words.next().unwrap_or_default().into();
        self.arguments = words.chain(std::mem::take(&mut self.arguments)).collect();
        self
    }

    /// Takes a copy of this folder for the state of its TPM, not a new one.
    pub fn chip(mut self, folder: PathBuf) -> Self {
        self.chip = Some(folder);
        self
    }

    /// Replaces the whole configuration; `{dir}` in it becomes the test's own directory. The socket has to stay `{dir}/parsec.sock`.
    pub fn config(mut self, toml: impl Into<String>) -> Self {
        self.config = toml.into();
        self
    }

    /// Changes the configuration that it has so far.
    pub fn map_config(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.config = change(&self.config);
        self
    }

    /// Permits deprecated primitives, which [`CONFIG`] does not.
    pub fn allow_deprecated(self) -> Self {
        self.map_config(|config| config.replace("[core_settings]", "[core_settings]\nallow_deprecated = true"))
    }

    /// Sets a variable in the service's environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start(self) -> Service {
        let mut service = self.prepare();
        service.restart();
        service
    }

    /// Lays out its directory without starting it.
    ///
    /// # Panics
    /// When there is no room for a temporary directory.
    pub fn prepare(mut self) -> Service {
        let dir = tempfile::Builder::new().prefix("parsec-").tempdir().expect("a temporary directory");
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("open the directory to other users");
        self.config = self.config.replace("{dir}", dir.path().to_str().expect("a UTF-8 path"));
        let state = dir.path().join("tpm");
        if let Some(chip) = &self.chip {
            command::run(Command::new("cp").arg("-r").arg(chip).arg(&state)).ok();
        }
        let tpm = self.config.contains("{tcti}").then(|| Swtpm::start(state));
        if let Some(tpm) = &tpm {
            self.config = self.config.replace("{tcti}", &tpm.tcti());
        }
        let token = self.config.contains("{token}").then(|| SoftHsm::new(dir.path().join("softhsm")));
        if let Some(token) = &token {
            let library = SoftHsm::library().to_str().expect("a UTF-8 path");
            self.config = self.config.replace("{library}", library).replace("{token}", SoftHsm::LABEL);
            self.environment.push(("SOFTHSM2_CONF".into(), token.conf().into()));
        }
        std::fs::write(dir.path().join("config.toml"), &self.config).expect("write the configuration");
        Service { setup: self, child: None, listener: None, tpm, token, dir }
    }
}

/// A running service, alone in a temporary directory; killed, and the directory removed, when dropped.
pub struct Service {
    setup: Setup,
    child: Option<Child>,
    /// What it is passed when it starts.
    listener: Option<UnixListener>,
    tpm: Option<Swtpm>,
    token: Option<SoftHsm>,
    dir: TempDir,
}

impl Service {
    /// Our service as [`Setup`] starts it.
    #[track_caller]
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// Our service with a configuration of its own, as in [`Setup::config`].
    #[track_caller]
    pub fn with_config(toml: &str) -> Self {
        Setup::default().config(toml).start()
    }

    /// The directory of the service, open to all users.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir().join("parsec.sock")
    }

    /// What clients put into `PARSEC_SERVICE_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Its TPM, where [`TPM`] is in its configuration.
    ///
    /// # Panics
    /// When it is not.
    pub fn tpm(&mut self) -> &mut Swtpm {
        self.tpm.as_mut().expect("a service with a TPM")
    }

    /// Its token, where [`HSM`] is in its configuration.
    ///
    /// # Panics
    /// When it is not.
    pub fn token(&self) -> &SoftHsm {
        self.token.as_ref().expect("a service with a token")
    }

    /// Has `pkcs11-spy`, where it is the library, write down each call in `calls`.
    pub fn spy(&mut self) {
        let calls = self.dir().join("calls");
        self.setup.environment.push(("PKCS11SPY_OUTPUT".into(), calls.into()));
    }

    /// All that the service has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    /// The first line of the log that has all these words, once it is there: the service does not wait for its log.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn logs(&self, words: &[&str]) -> String {
        let has = |line: &&str| words.iter().all(|word| line.contains(word));
        eventually(&format!("a line of the log with {words:?}"), || self.log().lines().find(has).map(str::to_owned))
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running service").id()
    }

    /// Our client of it.
    pub fn client(&self) -> Client {
        Client::new(self.endpoint().parse().expect("an endpoint"))
    }

    /// A program that will talk to this service, run in its directory, with no other setting of Parsec's or the user's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir()).env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.dir()).env("LC_ALL", "C.UTF-8").env("PARSEC_SERVICE_ENDPOINT", self.endpoint());
        command
    }

    /// Our command line on this service.
    pub fn parsec<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(self.client_file("parsec"));
        command.args(arguments);
        command
    }

    /// `openssl` with our provider.
    ///
    /// # Panics
    /// As [`Self::openssl_conf`].
    pub fn openssl<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command("openssl");
        command.env("OPENSSL_CONF", self.openssl_conf()).args(arguments);
        command
    }

    /// What `OPENSSL_CONF` has to name for a program to have our provider beside OpenSSL's own.
    ///
    /// # Panics
    /// When the provider is not built, or the file cannot be written.
    pub fn openssl_conf(&self) -> PathBuf {
        let config = self.dir().join("openssl.cnf");
        if !config.exists() {
            let module = self.staged("libparsec_openssl.so");
            let text = command::run(self.parsec(["openssl-env", "--module"]).arg(module)).ok();
            std::fs::write(&config, text).expect("write openssl.cnf");
        }
        config
    }

    /// `pkcs11-tool` with our module.
    pub fn pkcs11_tool<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command("pkcs11-tool");
        command.arg("--module").arg(self.staged("libparsec_pkcs11.so")).args(arguments);
        command
    }

    fn client_file(&self, name: &str) -> PathBuf {
        self.setup.clients.as_ref().map_or_else(|| built(name), |folder| folder.join(name))
    }

    /// A copy of a [`built`] file that every user can read, in the service's directory.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn staged(&self, name: &str) -> PathBuf {
        let copy = self.dir().join(name);
        if !copy.exists() {
            command::install(&self.client_file(name), &copy);
        }
        copy
    }

    /// Ends it as a crash would.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running service");
        child.kill().expect("kill the service");
        child.wait().expect("wait for the service");
    }

    /// From its next start on, passes it its socket, which stays over restarts: what systemd does with `parsec.socket`.
    ///
    /// # Panics
    /// When there is no listening at the socket.
    pub fn activate(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let listener = UnixListener::bind(self.socket()).expect("listen at the socket");
        std::fs::set_permissions(self.socket(), Permissions::from_mode(0o666)).expect("open the socket to all users");
        fcntl_setfd(&listener, FdFlags::empty()).expect("keep the socket for the service");
        let script = format!("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&{}", listener.as_raw_fd());
        self.setup = std::mem::take(&mut self.setup).by(["bash", "-c", &script, "bash"]);
        self.listener = Some(listener);
    }

    /// Puts the service of another build, which is in this folder, into its place, from the next start on.
    pub fn exchange(&mut self, folder: &Path) {
        self.setup.program = folder.join("parsec");
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().expect("a running service")), signal).expect("signal the service");
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it is not running, or does not end.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running service");
        kill_process(Pid::from_child(&child), Signal::TERM).expect("signal the service");
        command::wait(&mut child, DEADLINE).unwrap_or_else(|| {
            let _ = child.kill();
            panic!("the service does not stop\n{}", self.log())
        })
    }

    /// Starts it again on what it had stored, stopping it first where it runs.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn restart(&mut self) {
        if let Err(status) = self.try_restart() {
            panic!("the service ended at start ({status})\n{}", self.log());
        }
    }

    /// Like [`Self::restart`], for a service that may die on the way.
    ///
    /// # Errors
    /// The status that it ended with.
    ///
    /// # Panics
    /// When it neither comes up nor ends.
    #[track_caller]
    pub fn try_restart(&mut self) -> Result<(), ExitStatus> {
        if self.child.is_some() {
            self.stop();
        }
        let child = self.spawn();
        self.child = Some(child);
        self.wait_until_ready()
    }

    /// Starts it expecting that it refuses: the status it ends with. What it says is in [`Self::log`].
    ///
    /// # Panics
    /// When it stays up.
    #[track_caller]
    pub fn fail_to_start(&mut self) -> ExitStatus {
        let mut child = self.spawn();
        command::wait(&mut child, DEADLINE).unwrap_or_else(|| {
            let _ = child.kill();
            panic!("the service started, and should not have\n{}", self.log())
        })
    }

    /// Changes its store while it is stopped, as time or an accident would.
    ///
    /// # Panics
    /// When the statement fails, or the service does not start again.
    #[track_caller]
    pub fn alter_store(&mut self, sql: &str) {
        self.stop();
        let store = rusqlite::Connection::open(self.dir().join("keys.sqlite3")).expect("open the store");
        store.execute_batch(UNSIGN).expect("make it one of unsigned rows");
        store.execute_batch(sql).expect("change the store");
        drop(store);
        self.setup.arguments.push("--accept-loss".into());
        self.restart();
        self.setup.arguments.pop();
    }

    /// Its TPM, if it has one.
    pub fn chip(&self) -> Option<&Swtpm> {
        self.tpm.as_ref()
    }

    /// The program that it is, ready to be started.
    ///
    /// # Panics
    /// When its log cannot be opened.
    pub fn serve(&self) -> Command {
        let log = File::options().append(true).create(true).open(self.dir().join("log")).expect("open the log");
        let mut command = Command::new(&self.setup.program);
        command.args(&self.setup.arguments).arg("-c").arg(self.dir().join("config.toml")).current_dir(self.dir());
        // The TPM's library would write warnings of its own.
        command.env("TSS2_LOG", "all+NONE");
        command.envs(self.setup.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle of the log")).stderr(log);
        command
    }

    fn spawn(&self) -> Child {
        self.serve().spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.setup.program.display()))
    }

    #[track_caller]
    fn wait_until_ready(&mut self) -> Result<(), ExitStatus> {
        let deadline = Instant::now() + DEADLINE;
        while UnixStream::connect(self.socket()).is_err() {
            let child = self.child.as_mut().expect("a running service");
            if let Some(status) = command::wait(child, Duration::from_millis(5)) {
                self.child = None;
                return Err(status);
            }
            assert!(Instant::now() < deadline, "the service does not listen\n{}", self.log());
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the service in {}\n{}---", self.dir().display(), self.log());
        }
    }
}
