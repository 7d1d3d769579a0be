//! Rights that the process gives up for ever, before it reads the store and hears its first client. A flaw in the service, or in a
//! library that it loads, then exposes no more of the host than the service needs. This does not depend on the unit that starts the
//! service.
//!
//! - no_new_privs: no program that it could run gains privileges.
//! - Landlock: the process opens only the files that libraries and the configuration need. It writes only to the store's folders
//!   and the TPM's device, and executes none. It makes no TCP connection but to the TPM that the configuration names. It sends no
//!   signals to other processes.
//! - seccomp ([`calls`]): no new processes, no memory that is both writable and executable, no setuid files, and no system calls
//!   for administrators, debuggers and experts. Code can still come from a file that the service has written.
//!
//! The rules bind the calling thread and all threads that it starts later. A child process could not take them off. So the service
//! applies them before it starts its first thread. A helper that starts processes of its own must be forked off before.
//!
//! If the kernel lacks a part, or a unit or container forbids it, the service applies the rest and logs in one line what is
//! missing.

mod calls;

use crate::error::{Error, Result};
use crate::privileges;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    Scope, make_bitflags, path_beneath_rules,
};
use std::path::{Path, PathBuf};

/// The parts of the host that one provider needs, beside those that every part of the service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A device, to read and write.
    Device(PathBuf),
    /// A port of TCP, to connect to.
    Port(u16),
    /// A file that is read now and then, and may be exchanged: so all in its folder.
    File(PathBuf),
}

/// The rules that are asked for; an older kernel has some of them.
const RULES: ABI = ABI::V6;

/// Since which version of Landlock, and of Linux, there are which rules.
const SINCE: &[(ABI, &str)] = &[
    (ABI::V3, "cutting files short (Linux 6.2)"),
    (ABI::V4, "TCP (Linux 6.7)"),
    (ABI::V5, "commands to devices (Linux 6.10)"),
    (ABI::V6, "signals and abstract sockets (Linux 6.12)"),
];

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// SQLite makes and removes files beside the store, and the store key is renamed into its place.
const OWN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});
const USE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev});

/// Files that libraries read: their own, the tables of users, hosts and services (nsswitch.conf(5)), and what the kernel says about
/// processors and processes. The service also reads there how a client's namespace maps its users. A missing file is skipped.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/opt",
    "/nix",
    "/gnu",
    "/etc",
    "/run/nscd",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/systemd/resolve",
    "/run/systemd/userdb",
    "/var/cache/nscd",
    "/var/lib/sss",
    "/proc",
    "/sys",
    "/dev/random",
    "/dev/urandom",
];
const DEVICES: &[&str] = &["/dev/null", "/dev/zero"];
/// Variables with folders that libraries, and what systemd hands over, are read from.
const VARIABLES: &[&str] = &["LD_LIBRARY_PATH", "CREDENTIALS_DIRECTORY"];
/// Variables that may name an abstract socket.
const SOCKETS: &[&str] = &["NOTIFY_SOCKET", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"];

/// Enters the sandbox, with the folders of these files of the service's own, which are made where they are not there.
///
/// # Errors
/// [`Error::Config`] where the kernel has a part and refuses it; [`Error::Io`] for a folder that cannot be made.
pub fn enter<'a>(own: impl IntoIterator<Item = &'a Path>, reach: impl IntoIterator<Item = &'a Reach>) -> Result<()> {
    let missing = apply(own, reach)?;
    if !missing.is_empty() {
        tracing::warn!("the kernel, or what the service runs in, lack {}: the rest of the sandbox is on", missing.join(" and "));
    }
    Ok(())
}

/// Does it, and says what the kernel lacks.
fn apply<'a>(own: impl IntoIterator<Item = &'a Path>, reach: impl IntoIterator<Item = &'a Reach>) -> Result<Vec<String>> {
    let refused = |why: String| {
        Error::Config(format!("the kernel refuses the sandbox ({why}): [core_settings] sandbox = false does without it"))
    };
    let mut folders = Vec::new();
    for file in own {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        privileges::make_private(folder).map_err(Error::io(format!("making {}", folder.display())))?;
        folders.push(folder.to_owned());
        // The file may be a symbolic link, and what belongs to it is then beside what it leads to.
        folders.extend(file.canonicalize().ok().as_deref().and_then(Path::parent).map(Path::to_owned));
    }
    rustix::thread::set_no_new_privs(true).map_err(|errno| refused(errno.to_string()))?;
    let restricted = restrict(&folders, reach).map_err(|error| refused(error.to_string()))?;
    let mut missing: Vec<_> = restricted.into_iter().collect();
    if !calls::refuse().map_err(|error| refused(error.to_string()))? {
        missing.push("filters of system calls (seccomp)".to_owned());
    }
    Ok(missing)
}

/// Applies the rules of Landlock, and says what is missing of them.
fn restrict<'a>(folders: &[PathBuf], reach: impl IntoIterator<Item = &'a Reach>) -> Result<Option<String>, RulesetError> {
    let (mut devices, mut ports, mut files) = (DEVICES.iter().map(PathBuf::from).collect::<Vec<_>>(), Vec::new(), Vec::new());
    for reach in reach {
        match reach {
            Reach::Device(path) => devices.push(there(path)),
            Reach::Port(port) => ports.push(Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))),
            Reach::File(path) => files.extend(path.parent().map(Path::to_owned)),
        }
    }
    let folder = |name| std::env::var_os(name).map_or_else(Vec::new, |value| std::env::split_paths(&value).collect());
    // The program itself, for the names in a backtrace.
    let read =
        SYSTEM.iter().map(PathBuf::from).chain(VARIABLES.iter().flat_map(folder)).chain(std::env::current_exe()).chain(files);
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(scope())?
        .create()?
        .add_rules(path_beneath_rules(read, READ))?
        .add_rules(path_beneath_rules(devices, USE))?
        .add_rules(path_beneath_rules(folders, OWN))?
        .add_rules(ports)?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => lacking(effective_abi),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => Some("Landlock".to_owned()),
    })
}

/// What a rule can name of a device. One that is not there yet needs a rule for its folder.
fn there(device: &Path) -> PathBuf {
    match device.parent() {
        Some(folder) if !device.exists() && folder.parent().is_some() => {
            tracing::warn!(
                "{} is not there: so that it can come, the sandbox lets the service open all that its user may in {}",
                device.display(),
                folder.display()
            );
            folder.to_owned()
        }
        _ => device.to_owned(),
    }
}

/// What this version of Landlock does not have of the rules.
fn lacking(abi: ABI) -> Option<String> {
    let rules: Vec<_> = SINCE.iter().filter(|(since, _)| abi < *since).map(|(_, rules)| *rules).collect();
    (!rules.is_empty()).then(|| format!("Landlock's rules for {}", rules.join(", ")))
}

/// Abstract sockets are out of reach too, unless systemd or the bus is at one.
fn scope() -> BitFlags<Scope> {
    let named = |name| std::env::var(name).is_ok_and(|value| value.starts_with('@') || value.contains("abstract="));
    if SOCKETS.iter().any(named) { Scope::Signal.into() } else { Scope::from_all(RULES) }
}

#[cfg(test)]
mod tests;
