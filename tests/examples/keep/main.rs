//! Makes a folder of `tests/fixtures`: what the programs in `PARSEC_BIN_DIR` write, and how they answer. `tests/fixtures/keep` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "it stops where anything fails")]

mod configurations;
mod interrupted;
mod proofs;
mod software;
mod tpm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{CONFIG, Service, Setup, as_uid, run};

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder to make"));
    fs::create_dir(&folder).expect("a folder that is not there yet");
    configurations::keep(&folder);
    software::keep(&folder);
    tpm::keep(&folder);
    interrupted::keep(&folder);
}

/// A service of the release, and the user who types.
struct Desk {
    service: Service,
    uid: u32,
}

impl Desk {
    fn start(config: &str) -> Self {
        Self { service: Setup::default().config(config).start(), uid: 0 }
    }

    fn run(&self, command: &mut Command) -> String {
        run(as_uid(command, self.uid)).ok()
    }

    fn parsec(&self, line: &str) -> String {
        self.run(&mut self.service.parsec(line.split(' ')))
    }

    fn tool(&self, line: &str) -> String {
        self.run(&mut self.service.pkcs11_tool(line.split(' ')))
    }

    fn openssl(&self, line: &str) -> String {
        self.run(&mut self.service.openssl(line.split(' ')))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.service.dir().join(file)
    }

    /// A key's reference file and its URIs, in the folder.
    fn refer(&self, folder: &Path, name: &str, provider: &str) {
        let which = format!("{name} --provider {provider}");
        fs::write(folder.join(format!("{provider}-{name}.pem")), self.parsec(&format!("key pem {which}"))).unwrap();
        let uris = self.parsec(&format!("key uri {which}")) + &self.parsec(&format!("key uri {which} --pkcs11"));
        let file = folder.join("uris");
        fs::write(&file, fs::read_to_string(&file).unwrap_or_default() + &uris).unwrap();
    }

    /// Ends the service and keeps its store.
    fn close(mut self, config: &str, folder: &Path) {
        assert!(self.service.stop().success());
        self.keep(config, folder);
    }

    /// Keeps the store as it is.
    fn keep(&self, config: &str, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("config.toml"), config).unwrap();
        for file in ["keys.sqlite3", "keys.sqlite3-wal", "store.key"] {
            if self.path(file).exists() {
                fs::copy(self.path(file), folder.join(file)).unwrap();
            }
        }
    }
}

/// Both ways of knowing who asks, and old primitives too.
fn config() -> String {
    CONFIG
        .replace("auth_type = \"UnixPeerCredentials\"", "auth_types = [\"UnixPeerCredentials\", \"Direct\"]")
        .replace("name = \"0\"", "name = \"uid:0\"")
        .replace("[core_settings]", "[core_settings]\nallow_deprecated = true")
}
