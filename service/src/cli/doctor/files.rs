//! The files of an installation: the service's own, the two libraries, and the configurations of programs that name our keys.

use super::super::openssl::{CONFIG, UNITS, below, installed_module};
use super::super::purpose::module;
use super::super::servers::{Loads, SERVERS, Server};
use super::Finding;
use interface::client::Process;
use interface::reference::Reference;
use nix::sys::statvfs::statvfs;
use parsec_service::config::Config;
use parsec_service::error::Error;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of disk under which the store may soon take no more keys.
const ROOM: u64 = 64 << 20;
/// Folders below a server's own that are looked through.
const DEPTH: usize = 4;
/// Seconds that a program may take.
const PATIENCE: &str = "10";
/// The type of /proc (statfs(2)).
const PROC: rustix::fs::FsWord = 0x9fa0;
/// Words of a configuration that may name a file.
const WORDS: usize = 1000;
/// No configuration is longer.
const LONGEST: u64 = 1 << 20;

/// What can be told of the files below a folder. Programs are asked only about the system itself.
pub(super) fn examine(root: Option<&Path>) -> Vec<Finding> {
    let (own, root) = (root.is_none(), root.unwrap_or_else(|| Path::new("/")));
    let mut findings = vec![configuration(root)];
    if own {
        findings.extend(room());
    }
    findings.push(device(root));
    findings.extend(pkcs11(root, own));
    findings.extend(openssl(root, own));
    findings.extend(SERVERS.iter().filter_map(|known| server(root, known)));
    findings.extend(ssh(root));
    findings
}

fn configuration(root: &Path) -> Finding {
    let path = below(root, Path::new("/etc/parsec/config.toml"));
    let shown = path.display();
    match path.try_exists() {
        Ok(false) => Finding::ok("config", format!("{shown} is not there: the service has its defaults")),
        Err(error) => Finding::note("config", format!("{shown}: {error}"), "look as root"),
        Ok(true) => match Config::load(Some(&path)) {
            Ok(_) => Finding::ok("config", format!("{shown} is sound")),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
                Finding::note("config", format!("{shown} is closed to this user"), "look as root")
            }
            Err(error) => Finding::wrong("config", error, "correct it, then systemctl restart parsec"),
        },
    }
}

/// The disk of the store.
fn room() -> Option<Finding> {
    let store = Config::load(None).ok()?.store_path;
    let folder = store.ancestors().find(|folder| folder.exists())?;
    let disk = statvfs(folder).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let told = format!("{} MiB are free for the key store in {}", free >> 20, folder.display());
    Some(match free {
        ..ROOM => Finding::wrong("disk", told, "make room: keys can still be used and destroyed, not made"),
        _ => Finding::ok("disk", told),
    })
}

fn device(root: &Path) -> Finding {
    let device = below(root, Path::new("/dev/tpmrm0"));
    if device.exists() {
        Finding::ok("tpm", "there is a TPM at /dev/tpmrm0")
    } else if below(root, Path::new("/dev/tpm0")).exists() {
        Finding::note(
            "tpm",
            "there is a TPM, and the kernel has no resource manager for it",
            "modprobe tpm, or tcti = \"device:/dev/tpm0\"",
        )
    } else {
        Finding::note("tpm", "there is no TPM", "enable it in the firmware (fTPM, PTT) to keep keys in hardware")
    }
}

/// The PKCS#11 module, and whether p11-kit shows it to programs.
fn pkcs11(root: &Path, own: bool) -> Vec<Finding> {
    let module = below(root, Path::new(&module()));
    if !module.exists() {
        return vec![Finding::wrong("pkcs11", format!("{} is not there", module.display()), "apt install libparsec-pkcs11")];
    }
    let mut findings = vec![Finding::ok("pkcs11", format!("the module is {}", module.display()))];
    if let Some(listed) = own.then(|| output("p11-kit", &["list-modules"], None)).flatten() {
        findings.push(if listed.contains("parsec") {
            Finding::ok("p11-kit", "p11-kit shows the module to its programs")
        } else {
            let cure = format!("echo 'module: {}' > /etc/pkcs11/modules/parsec.module", module.display());
            Finding::note("p11-kit", "p11-kit does not know the module", cure)
        });
    }
    findings
}

/// OpenSSL's provider, and whether the OpenSSL that is there loads it.
fn openssl(root: &Path, own: bool) -> Vec<Finding> {
    let (module, config) = (below(root, &installed_module()), below(root, Path::new(CONFIG)));
    if !module.exists() {
        return vec![Finding::wrong(
            "openssl",
            format!("{} is not there", module.display()),
            "apt install parsec-openssl-provider",
        )];
    }
    if !config.exists() {
        return vec![Finding::note(
            "openssl",
            format!("no program loads the provider {}", module.display()),
            "parsec setup NAME, or parsec openssl-env --install",
        )];
    }
    let loaded = own.then(|| output("openssl", &["list", "-providers"], Some(&config))).flatten();
    vec![match loaded {
        Some(loaded) if !loaded.contains("parsec") => {
            let cure = format!("OPENSSL_CONF={} openssl list -providers says why", config.display());
            Finding::wrong("openssl", "OpenSSL does not load the provider", cure)
        }
        Some(_) => Finding::ok("openssl", format!("OpenSSL loads the provider with OPENSSL_CONF={}", config.display())),
        None => Finding::ok("openssl", format!("the provider is {}", module.display())),
    }]
}

/// A server whose configuration names one of our keys: it must load the provider.
fn server(root: &Path, server: &Server) -> Option<Finding> {
    let (Server { name, unit, .. }, sign) = (server, server.sign()?);
    let mut files = Vec::new();
    collect(&below(root, Path::new(server.config)), DEPTH, &mut files);
    let file = files.iter().find(|file| names_key(root, file))?.display();
    let mut settings = Vec::new();
    match server.loads {
        Loads::Unit => {
            for folder in UNITS.iter().map(|folder| below(root, Path::new(folder))) {
                collect(&folder.join(format!("{unit}.d")), 1, &mut settings);
                settings.push(folder.join(unit));
            }
        }
        Loads::System => settings.push(below(root, Path::new("/etc/ssl/openssl.cnf"))),
        Loads::Own(..) | Loads::Module => settings.clone_from(&files),
    }
    let loads = settings.iter().filter_map(|file| text(file)).any(|text| text.contains(sign));
    Some(if loads {
        Finding::ok(name, format!("{file} names a key of the service, and OpenSSL's provider is set up for {unit}"))
    } else {
        let cure = format!("parsec setup {name}, and what that tells you to do");
        Finding::wrong(name, format!("{file} names a key of the service, and {unit} does not load OpenSSL's provider"), cure)
    })
}

/// Whether a word of a configuration is a URI of ours, or a file with a reference.
fn names_key(root: &Path, file: &Path) -> bool {
    let Some(text) = text(file) else { return false };
    let words = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = words.flat_map(|line| line.split(|c: char| c.is_whitespace() || ";=<\"',".contains(c)));
    let mut seen = BTreeSet::new();
    words.any(|word| {
        let reference = || content(&below(root, Path::new(word))).is_some_and(|pem| Reference::from_pem(&pem).is_ok());
        word.contains("parsec:") || word.starts_with('/') && seen.len() < WORDS && seen.insert(word.to_owned()) && reference()
    })
}

/// Configurations of ssh that name a module of ours which is not there.
fn ssh(root: &Path) -> Option<Finding> {
    let mut files = vec![below(root, Path::new("/etc/ssh/ssh_config"))];
    collect(&below(root, Path::new("/etc/ssh/ssh_config.d")), 1, &mut files);
    files.extend(Process::default().variable("HOME").map(|home| below(root, &Path::new(&home).join(".ssh/config"))));
    let named = |file: &PathBuf| {
        let text = text(file)?;
        let module = text.lines().find_map(|line| {
            let (key, module) = line.trim().split_once([' ', '\t', '='])?;
            key.eq_ignore_ascii_case("PKCS11Provider").then(|| module.trim().trim_matches('"').to_owned())
        })?;
        module.contains("parsec").then(|| (file.clone(), PathBuf::from(module)))
    };
    let (file, named) = files.iter().find_map(named)?;
    let (file, shown) = (file.display(), named.display());
    Some(if below(root, &named).exists() {
        Finding::ok("ssh", format!("{file} names the module {shown}"))
    } else {
        Finding::wrong("ssh", format!("{file} names {shown}, which is not there"), format!("PKCS11Provider {}", module()))
    })
}

/// All files in a folder, or the file itself.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    if folder.is_file() {
        files.push(folder.to_owned());
    }
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 1 => collect(&entry.path(), depth - 1, files),
            Ok(kind) if !kind.is_dir() => files.push(entry.path()),
            _ => {}
        }
    }
}

fn text(file: &Path) -> Option<String> {
    String::from_utf8(content(file)?).ok()
}

/// What is in a short file. Devices, pipes and files of the kernel are not read.
fn content(file: &Path) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(file, flags, Mode::empty()).ok()?);
    let metadata = file.metadata().ok()?;
    // What the kernel makes up while it is read has no length.
    if !metadata.is_file() || !(1..=LONGEST).contains(&metadata.len()) || rustix::fs::fstatfs(&file).ok()?.f_type == PROC {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What a program prints; `None` where there is no such program.
fn output(program: &str, arguments: &[&str], openssl_conf: Option<&Path>) -> Option<String> {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(program).args(arguments).envs(openssl_conf.map(|path| ("OPENSSL_CONF", path)));
    let output = command.output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
