//! `parsec openssl-env`: an environment in which a program's OpenSSL loads our provider.
//!
//! It writes a configuration of its own, and each program selects it with `OPENSSL_CONF`. It does not change the system's
//! configuration, because a mistake there would break TLS for every program.

use super::error::{Error, Result};
use super::output::{self, write_file};
use interface::client::Endpoint;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Where the configuration is installed.
pub(super) const CONFIG: &str = "/etc/parsec/openssl.cnf";

#[derive(clap::Args)]
pub(crate) struct OpensslEnv {
    /// The provider [default: parsec.so among the modules of the system's OpenSSL]
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// A systemd unit that is to load it, such as nginx.service
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
            match check_unit(&self.root, &unit) {
                Err(wrong) if !self.install => next.push(wrong.to_string()),
                checked => checked?,
            }
            let (path, text) = drop_in(&unit, &[format!("Environment=OPENSSL_CONF={CONFIG}")]);
            files.push(File { path, text });
            next.push(format!("then: systemctl daemon-reload && systemctl restart {unit}"));
        }
        if !module.exists() {
            let module = module.display();
            next.push(format!("{module} is not there yet: install -D -m 755 libparsec_openssl.so {module}"));
        }
        if self.install {
            for File { path, text } in &mut files {
                *path = below(&self.root, path);
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))?;
                }
                write_file(path, text.as_bytes(), 0o644)?;
            }
        }
        output::show(json, &Environment { files, installed: self.install, next })
    }
}

/// The file that gives a unit these settings.
pub(super) fn drop_in(unit: &str, settings: &[String]) -> (PathBuf, String) {
    (format!("/etc/systemd/system/{unit}.d/parsec.conf").into(), format!("[Service]\n{}\n", settings.join("\n")))
}

/// Where a file of the system is in the tree at `root`.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Where systemd finds units (systemd.unit(5)).
pub(super) const UNITS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Fails for a unit that is not installed: a drop-in for it would do nothing. A tree without any units is not a system yet.
pub(super) fn check_unit(root: &Path, unit: &str) -> Result<()> {
    let names = |folder: &&str| std::fs::read_dir(below(root, Path::new(folder))).into_iter().flatten();
    let names = UNITS.iter().flat_map(names).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: BTreeSet<_> = names.filter(|name| !name.ends_with(".d")).collect();
    // an instance of a template
    let template = unit.split_once('@').and_then(|(name, rest)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1)));
    if names.is_empty() || names.contains(unit) || template.is_some_and(|template| names.contains(&template)) {
        return Ok(());
    }
    let hint = parsec_service::section::nearest(unit, names.iter().map(String::as_str));
    let hint = hint.map(|near| format!(": did you mean '{near}'?")).unwrap_or_default();
    Err(Error::Usage(format!("no unit {unit} is installed{hint} (systemctl list-unit-files has them all)")))
}

/// OpenSSL's provider.
pub(super) fn installed_module() -> PathBuf {
    installed("ossl-modules/parsec.so")
}

/// A library that was installed with this program, or else where a package puts it.
pub(super) fn installed(library: &str) -> PathBuf {
    let path = |prefix: &Path| prefix.join(format!("lib/{}-linux-gnu/{library}", std::env::consts::ARCH));
    let program = std::env::current_exe().unwrap_or_default();
    let own = program.ancestors().nth(2).map(path).filter(|path| path.exists());
    own.unwrap_or_else(|| path(Path::new("/usr")))
}

/// The package's configuration, for a provider and a service that may be elsewhere. OpenSSL's own provider comes first: it gets what
/// belongs to no key, such as the key exchange of TLS. Once one provider is named, it has to be named, too.
pub(super) fn config(module: &Path, endpoint: Option<&Endpoint>) -> String {
    const PACKAGED: &str = include_str!("../../../openssl-provider/packaging/openssl.cnf");
    let module = format!("[parsec_provider]\nmodule = {}\n", module.display());
    let socket = endpoint.map(|endpoint| format!("socket = {}\n", endpoint.path())).unwrap_or_default();
    PACKAGED.replace("[parsec_provider]\n", &(module + &socket))
}
