//! A second token in software, for one test.

use crate::{SoftHsm, command, skip};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The number of its slot.
const SLOT: &str = "42";

/// A token of kryoptic, in a folder of its own; its label and PINs are those of [`SoftHsm`].
pub struct Kryoptic {
    folder: PathBuf,
}

impl Kryoptic {
    /// Its library, as `interop/peers` has made it, or `None` after a [`skip`].
    pub fn library() -> Option<PathBuf> {
        let library = std::env::var_os("KRYOPTIC").map(PathBuf::from);
        if library.is_none() {
            skip("KRYOPTIC does not name the library: eval \"$(interop/peers KRYOPTIC | sed 's/^/export /')\"");
        }
        library
    }

    /// A new token in this folder.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(folder: PathBuf, library: &Path) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder for a token");
        let token = Self { folder };
        let text =
            format!("[[slots]]\nslot = {SLOT}\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", token.folder.join("token.sql").display());
        std::fs::write(token.conf(), text).expect("write kryoptic's configuration");
        let tool = |arguments: &[&str]| {
            let mut tool = Command::new("pkcs11-tool");
            tool.env("KRYOPTIC_CONF", token.conf()).arg("--module").arg(library).args(["--so-pin", SoftHsm::OFFICER_PIN]);
            command::run(tool.args(arguments)).ok();
        };
        tool(&["--init-token", "--slot", SLOT, "--label", SoftHsm::LABEL]);
        tool(&["--login", "--login-type", "so", "--init-pin", "--pin", SoftHsm::PIN]);
        token
    }

    /// What `KRYOPTIC_CONF` has to name.
    pub fn conf(&self) -> PathBuf {
        self.folder.join("kryoptic.conf")
    }
}
