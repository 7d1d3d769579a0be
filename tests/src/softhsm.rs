//! A token in software, for one test.

use crate::command;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian's package has the library.
const LIBRARY: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token of SoftHSM, in a folder of its own.
pub struct SoftHsm {
    folder: PathBuf,
}

impl SoftHsm {
    /// Its label.
    pub const LABEL: &'static str = "tests";
    /// The PIN of its user.
    pub const PIN: &'static str = "9012";
    /// The PIN of its security officer.
    pub const OFFICER_PIN: &'static str = "90120000";

    /// A new token in this folder.
    ///
    /// # Panics
    /// When there is no SoftHSM: `tests/packages` installs it.
    pub fn new(folder: PathBuf) -> Self {
        std::fs::create_dir_all(folder.join("tokens")).expect("a folder for tokens");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            folder.join("tokens").display()
        );
        std::fs::write(folder.join("softhsm2.conf"), text).expect("write SoftHSM's configuration");
        let token = Self { folder };
        token.add(Self::LABEL);
        token
    }

    /// Makes a further token.
    ///
    /// # Panics
    /// When that fails.
    pub fn add(&self, label: &str) {
        let mut util = Command::new("softhsm2-util");
        util.args(["--init-token", "--free", "--label", label, "--pin", Self::PIN, "--so-pin", Self::OFFICER_PIN]);
        command::run(util.env("SOFTHSM2_CONF", self.conf())).ok();
    }

    /// What `SOFTHSM2_CONF` has to name.
    pub fn conf(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    /// The folder of the tokens' files.
    pub fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// Its library.
    pub fn library() -> &'static Path {
        Path::new(LIBRARY)
    }

    /// `pkcs11-tool` on the token, as its user.
    pub fn tool<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut tool = Command::new("pkcs11-tool");
        tool.env("SOFTHSM2_CONF", self.conf()).arg("--module").arg(Self::library());
        tool.args(["--token-label", Self::LABEL, "--login", "--pin", Self::PIN]).args(arguments);
        tool
    }

    /// The kinds and ids of the objects that the token has, as `pkcs11-tool` lists them. One without an id is none of the service's: where
    /// it is killed, SoftHSM may leave a part of one.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub fn objects(&self) -> Vec<String> {
        let listed = command::run(&mut self.tool(["--list-objects"])).ok();
        let (mut objects, mut kind) = (Vec::new(), "");
        for line in listed.lines().map(str::trim) {
            if line.contains(" Object") {
                kind = line;
            } else if line.starts_with("ID:") {
                objects.push(format!("{kind} {line}"));
            }
        }
        objects
    }
}
