//! Which system calls change what lasts, read out of a process that has stopped at one.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::libc::{self, user_regs_struct};
use nix::unistd::Pid;

/// The file that a TPM in software keeps what lasts in, in the folder of the service.
pub(super) const CHIP: &str = "tpm/tpm2-00.permall";

/// A system call that changes what lasts.
#[derive(Clone, Debug)]
pub struct Call {
    /// As the manual has it.
    pub name: &'static str,
    /// Of the file or folder; empty for the TPM.
    pub path: PathBuf,
    pub(super) change: Change,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write {
        offset: u64,
        data: Vec<u8>,
        grows: bool,
    },
    Sync,
    Resize {
        len: u64,
    },
    /// Blocks are taken for later writes; the file has this length then.
    Allocate {
        len: u64,
        grows: bool,
    },
    Open {
        new: bool,
        empties: bool,
    },
    Rename {
        to: PathBuf,
    },
    Remove,
    /// Of what the replay of a power loss does not know: rights, owners, new folders, sockets.
    Other,
    Chip,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        match &self.change {
            Change::Write { offset, data, .. } => write!(f, "{}({file}, {} bytes at {offset})", self.name, data.len()),
            Change::Chip => write!(f, "{}(TPM)", self.name),
            _ => write!(f, "{}({file})", self.name),
        }
    }
}

/// Which files and which TPM are watched.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) port: Option<u16>,
    /// The sockets to the TPM, as /proc names them.
    pub(super) sockets: HashSet<PathBuf>,
}

impl Place {
    /// What is in the TPM for good; nothing where there is none.
    pub(super) fn chip(&self) -> Vec<u8> {
        fs::read(self.root.join(CHIP)).unwrap_or_default()
    }

    /// The log, the TPM's own state and the test's files are not the service's promises.
    fn holds(&self, path: &Path) -> bool {
        path.strip_prefix(&self.root).is_ok_and(|rest| {
            let first = rest.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
            first.is_some_and(|name| !["log", "tpm", "config.toml"].contains(&name.as_str()))
        }) || path == self.root
    }
}

/// A thread of the service, stopped.
pub(super) struct Task {
    pub(super) pid: Pid,
    pub(super) regs: user_regs_struct,
}

impl Task {
    pub(super) fn number(&self) -> libc::c_long {
        self.regs.orig_rax.cast_signed()
    }

    /// The call, where it changes something of the place.
    pub(super) fn call(&self, place: &Place) -> Option<Call> {
        let (first, second, third, fourth) = (self.regs.rdi, self.regs.rsi, self.regs.rdx, self.regs.r10);
        let here = libc::AT_FDCWD.cast_unsigned().into();
        let by = |name, path: Option<PathBuf>, change| {
            let path = path.filter(|path| place.holds(path))?;
            Some(Call { name, path, change })
        };
        let link = |fd| self.link(fd);
        match self.number() {
            libc::SYS_write => self.write("write", place, || Some((self.position(first)?, self.bytes(second, third)?))),
            libc::SYS_pwrite64 => self.write("pwrite64", place, || Some((fourth, self.bytes(second, third)?))),
            libc::SYS_writev => self.write("writev", place, || Some((self.position(first)?, self.gather(second, third)?))),
            libc::SYS_sendto => self.write("sendto", place, || None),
            libc::SYS_sendmsg => self.write("sendmsg", place, || None),
            libc::SYS_fsync => by("fsync", link(first), Change::Sync),
            libc::SYS_fdatasync => by("fdatasync", link(first), Change::Sync),
            libc::SYS_ftruncate => by("ftruncate", link(first), Change::Resize { len: second }),
            libc::SYS_fallocate => {
                let path = link(first)?;
                let (old, end) = (path.metadata().map_or(0, |about| about.len()), third.saturating_add(fourth));
                let len = if second == 0 { old.max(end) } else { old };
                by("fallocate", Some(path), Change::Allocate { len, grows: end > old })
            }
            libc::SYS_fchmod => by("fchmod", link(first), Change::Other),
            libc::SYS_fchown => by("fchown", link(first), Change::Other),
            libc::SYS_chmod => by("chmod", self.at(here, first), Change::Other),
            libc::SYS_chown => by("chown", self.at(here, first), Change::Other),
            libc::SYS_mkdir => by("mkdir", self.at(here, first), Change::Other),
            libc::SYS_mkdirat => by("mkdirat", self.at(first, second), Change::Other),
            libc::SYS_rmdir => by("rmdir", self.at(here, first), Change::Other),
            libc::SYS_unlink => by("unlink", self.at(here, first), Change::Remove),
            libc::SYS_unlinkat => by("unlinkat", self.at(first, second), Change::Remove),
            libc::SYS_rename => by("rename", self.at(here, first), Change::Rename { to: self.at(here, second)? }),
            libc::SYS_renameat | libc::SYS_renameat2 => {
                by("renameat", self.at(first, second), Change::Rename { to: self.at(third, fourth)? })
            }
            libc::SYS_link => by("link", self.at(here, second), Change::Other),
            libc::SYS_symlink => by("symlink", self.at(here, second), Change::Other),
            libc::SYS_open => self.open("open", place, self.at(here, first), second),
            libc::SYS_openat => self.open("openat", place, self.at(first, second), third),
            _ => None,
        }
    }

    /// The socket that a `connect` leads to the TPM, once it has been made.
    pub(super) fn socket(&self, place: &Place) -> Option<PathBuf> {
        let address = (self.number() == libc::SYS_connect).then(|| self.bytes(self.regs.rsi, 4)).flatten()?;
        let inet = libc::c_int::from(u16::from_ne_bytes([address[0], address[1]])) == libc::AF_INET;
        let port = u16::from_be_bytes([address[2], address[3]]);
        (inet && place.port == Some(port)).then(|| self.link(self.regs.rdi)).flatten()
    }

    fn write(&self, name: &'static str, place: &Place, written: impl FnOnce() -> Option<(u64, Vec<u8>)>) -> Option<Call> {
        let path = self.link(self.regs.rdi)?;
        if place.sockets.contains(&path) {
            return Some(Call { name, path: PathBuf::new(), change: Change::Chip });
        }
        let (offset, data) = place.holds(&path).then(written)??;
        let len = path.metadata().map_or(0, |about| about.len());
        let grows = offset.saturating_add(u64::try_from(data.len()).ok()?) > len;
        Some(Call { name, path, change: Change::Write { offset, data, grows } })
    }

    fn open(&self, name: &'static str, place: &Place, path: Option<PathBuf>, flags: u64) -> Option<Call> {
        let path = path.filter(|path| place.holds(path))?;
        let has = |flag: libc::c_int| flags & u64::from(flag.cast_unsigned()) != 0;
        let there = path.exists();
        let new = has(libc::O_CREAT) && !there;
        let empties = has(libc::O_TRUNC) && there;
        (new || empties).then_some(Call { name, path, change: Change::Open { new, empties } })
    }

    fn proc(&self, rest: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{rest}", self.pid))
    }

    fn link(&self, fd: u64) -> Option<PathBuf> {
        fs::read_link(self.proc(&format!("fd/{}", descriptor(fd)))).ok()
    }

    /// Where the next `write` goes.
    fn position(&self, fd: u64) -> Option<u64> {
        let info = fs::read_to_string(self.proc(&format!("fdinfo/{}", descriptor(fd)))).ok()?;
        info.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
    }

    fn bytes(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let memory = File::open(self.proc("mem")).ok()?;
        memory.read_exact_at(&mut bytes, address).ok()?;
        Some(bytes)
    }

    fn gather(&self, vectors: u64, count: u64) -> Option<Vec<u8>> {
        let vectors = self.bytes(vectors, count * 16)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).ok();
        let parts: Option<Vec<_>> =
            vectors.chunks(16).map(|vector| self.bytes(number(&vector[..8])?, number(&vector[8..])?)).collect();
        Some(parts?.concat())
    }

    fn text(&self, address: u64) -> Option<PathBuf> {
        let memory = File::open(self.proc("mem")).ok()?;
        let mut bytes = vec![0; libc::PATH_MAX as usize];
        // The text may end where the memory does.
        let read = memory.read_at(&mut bytes, address).ok()?;
        let end = bytes[..read].iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned().into())
    }

    fn at(&self, folder: u64, address: u64) -> Option<PathBuf> {
        let path = self.text(address)?;
        let folder = match descriptor(folder) {
            libc::AT_FDCWD => fs::read_link(self.proc("cwd")).ok()?,
            _ => self.link(folder)?,
        };
        Some(folder.join(path))
    }
}

/// The descriptor that a register holds, of which the kernel looks at the lower half.
fn descriptor(register: u64) -> libc::c_int {
    u32::try_from(register & u64::from(u32::MAX)).unwrap_or(u32::MAX).cast_signed()
}
