//! A folder to run the `openssl` command in.

use interface::{
    ProviderId,
    reference::{KeyUri, Reference},
};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// A folder with keys, references to them and an `openssl.cnf` that loads the library.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.load(&["default", "parsec"]);
        bench
    }

    /// Writes an `openssl.cnf` that loads these providers, in this order.
    pub(crate) fn load(&self, providers: &[&str]) {
        let list: String = providers.iter().map(|name| format!("{name} = {name}_section\n")).collect();
        let others = providers.iter().filter(|name| **name != "parsec");
        let others: String = others.map(|name| format!("[{name}_section]\nactivate = 1\n")).collect();
        let conf = format!(
            "openssl_conf = init\nconfig_diagnostics = 1\n[init]\nproviders = providers\n[providers]\n{list}{others}\
             [parsec_section]\nmodule = {}\nactivate = 1\nsocket = {}\n",
            library().display(),
            self.path("parsec.sock").display(),
        );
        std::fs::write(self.path("openssl.cnf"), conf).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a key with OpenSSL, `NAME.key`, its public key `NAME.pub` and a reference with that inside, `NAME.pem`.
    pub(crate) fn key(&self, name: &str, algorithm: &str, option: &str) {
        let option = if option.is_empty() { String::new() } else { format!(" -pkeyopt {option}") };
        self.plain(&format!("genpkey -algorithm {algorithm}{option} -out {name}.key"));
        self.plain(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
        self.plain(&format!("pkey -in {name}.key -pubout -outform der -out {name}.spki"));
        let uri = KeyUri { name: Some(name.to_owned()), owner: Some("uid:0".to_owned()), provider: Some(ProviderId::SOFTWARE) };
        let spki = Some(std::fs::read(self.path(&format!("{name}.spki"))).unwrap());
        std::fs::write(self.path(&format!("{name}.pem")), Reference { uri, spki }.to_pem().unwrap()).unwrap();
    }

    /// Compiles a C program that stands beside this file.
    pub(crate) fn compile(&self, name: &str) -> PathBuf {
        let program = self.path(name);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openssl");
        let compiled = Command::new("cc")
            .args(["-Wall", "-o"])
            .arg(&program)
            .arg(format!("{folder}/{name}.c"))
            .args(["-lssl", "-lcrypto", "-lpthread"])
            .output()
            .expect("a C compiler and libssl-dev: apt-get install gcc libssl-dev");
        assert!(compiled.status.success(), "{}", text(&compiled));
        program
    }

    /// Runs `openssl` with our configuration.
    pub(crate) fn openssl(&self, arguments: &str) -> Output {
        self.run(arguments, &self.path("openssl.cnf"))
    }

    /// Runs `openssl` with our configuration, and expects success.
    pub(crate) fn ok(&self, arguments: &str) -> String {
        let output = self.openssl(arguments);
        assert!(output.status.success(), "openssl {arguments}\n{}", text(&output));
        text(&output)
    }

    /// Runs `openssl` with our configuration, and expects a failure.
    pub(crate) fn fails(&self, arguments: &str) -> String {
        let output = self.openssl(arguments);
        assert!(!output.status.success(), "openssl {arguments}\n{}", text(&output));
        text(&output)
    }

    pub(crate) fn plain(&self, arguments: &str) {
        let output = self.run(arguments, Path::new("/dev/null"));
        assert!(output.status.success(), "openssl {arguments}\n{}", text(&output));
    }

    fn run(&self, arguments: &str, conf: &Path) -> Output {
        self.command(arguments, conf).output().expect("the openssl command")
    }

    fn command(&self, arguments: &str, conf: &Path) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(self.folder.path()).env("OPENSSL_CONF", conf);
        command
    }

    /// Starts `openssl s_server` with our configuration on a free port.
    pub(crate) fn server(&self, arguments: &str) -> Server {
        let mut command = self.command(&format!("s_server -accept 127.0.0.1:0 {arguments}"), &self.path("openssl.cnf"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the openssl command");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let accept = lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned));
        let address = accept.expect("s_server told no address");
        // whatever else it prints must not fill the pipe
        std::thread::spawn(move || lines.count());
        Server { child, address }
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The library that cargo built beside this test.
pub(crate) fn library() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    folder.join("libparsec_openssl.so")
}

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
