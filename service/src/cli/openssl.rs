//! `parsec openssl-env`: the environment in which a program's OpenSSL has our provider.
//!
//! It is a configuration of its own, named by `OPENSSL_CONF` for the programs that are to have it, and not a change of the system's: a
//! mistake there would take TLS away from everything.

use super::error::{Error, Result};
use super::output::{self, write_file};
use interface::client::Endpoint;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Where the configuration is installed.
const CONFIG: &str = "/etc/parsec/openssl.cnf";

#[derive(clap::Args)]
pub(crate) struct OpensslEnv {
    /// The provider [default: parsec.so among the modules of the system's OpenSSL]
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Also what makes a systemd unit use it, such as nginx.service
    #[arg(long)]
    unit: Option<String>,
    /// Write the files instead of printing them
    #[arg(long)]
    install: bool,
    /// Write them below this folder, as for the image of a container
    #[arg(long, value_name = "FOLDER", requires = "install", default_value = "/")]
    root: PathBuf,
}

/// A file that belongs somewhere.
#[derive(Serialize)]
struct File {
    path: PathBuf,
    text: String,
}

#[derive(Serialize)]
struct Environment {
    files: Vec<File>,
    installed: bool,
    /// What is left to do.
    next: Vec<String>,
}

impl Display for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for File { path, text } in &self.files {
            match self.installed {
                true => writeln!(f, "wrote {}", path.display())?,
                false => writeln!(f, "# {}\n{text}", path.display())?,
            }
        }
        let comment = if self.installed { "" } else { "# " };
        self.next.iter().try_for_each(|next| writeln!(f, "{comment}{next}"))
    }
}

impl OpensslEnv {
    /// `endpoint` is that of the service, where it was named.
    pub(crate) fn run(&self, endpoint: Option<&Endpoint>, json: bool) -> Result<()> {
        let module = self.module.clone().unwrap_or_else(installed_module);
        let mut files = vec![File { path: CONFIG.into(), text: config(&module, endpoint) }];
        let mut next = vec![format!("for one program: OPENSSL_CONF={CONFIG} program …")];
        if let Some(unit) = &self.unit {
            let unit = if unit.contains('.') { unit.clone() } else { format!("{unit}.service") };
            let path = PathBuf::from(format!("/etc/systemd/system/{unit}.d/parsec.conf"));
            files.push(File { path, text: format!("[Service]\nEnvironment=OPENSSL_CONF={CONFIG}\n") });
            next.push(format!("then: systemctl daemon-reload && systemctl restart {unit}"));
        }
        if !module.exists() {
            let module = module.display();
            next.push(format!("{module} is not there yet: install -D -m 755 libparsec_openssl.so {module}"));
        }
        if self.install {
            for File { path, text } in &files {
                let path = self.root.join(path.strip_prefix("/").unwrap_or(path));
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))?;
                }
                write_file(&path, text.as_bytes(), 0o644)?;
            }
        }
        output::show(json, &Environment { files, installed: self.install, next })
    }
}

/// Where a package puts the provider.
fn installed_module() -> PathBuf {
    format!("/usr/lib/{}-linux-gnu/ossl-modules/parsec.so", std::env::consts::ARCH).into()
}

/// OpenSSL's own provider comes first: it gets what belongs to no key, such as the key exchange of TLS. Once one provider is named, it
/// has to be named, too.
fn config(module: &Path, endpoint: Option<&Endpoint>) -> String {
    let socket = endpoint.map(|endpoint| format!("socket = {}\n", endpoint.path())).unwrap_or_default();
    format!(
        "openssl_conf = init
config_diagnostics = 1
[init]
providers = providers
[providers]
default = default_provider
parsec = parsec_provider
[default_provider]
activate = 1
[parsec_provider]
module = {}
activate = 1
{socket}[req]
distinguished_name = name
[name]
",
        module.display()
    )
}
