//! The machine that a program sees, where a test lays out some of it without changing the machine.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use crate::{Service, install, program, run, skip};

/// A user's program on a machine of its own: `$1` holds files of `/etc`, which are there beside the real ones, and `/run` is empty.
const MOUNTED: &str = r#"mount -t overlay -o lowerdir="$1":/etc overlay /etc && mount -t tmpfs tmpfs /run &&
    user=$2 && shift 2 && exec setpriv --reuid="$user" --regid="$user" --clear-groups "$@""#;

/// What gives a program more rights than the user has who starts it.
#[derive(Clone, Copy, Debug)]
pub enum Privilege {
    /// The set-uid bit: it runs as the user to whom its file belongs.
    SetUid(u32),
    /// File capabilities: it may serve on low ports, and runs as the user who starts it.
    Capability,
}

impl Service {
    /// Writes a file of the machine on which [`Self::on_host`] runs programs, named by its path below `/etc`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn etc(&self, file: &str, text: &str) -> PathBuf {
        let path = self.dir().join("etc").join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder below etc");
        std::fs::write(&path, text).expect("a file below etc");
        path
    }

    /// As [`Self::command`], for a program that a user starts on a machine whose `/etc` has the files of [`Self::etc`].
    ///
    /// # Panics
    /// When there is no room for a folder.
    pub fn on_host(&self, user: u32, program: impl AsRef<OsStr>) -> Command {
        let etc = self.dir().join("etc");
        std::fs::create_dir_all(&etc).expect("the folder of etc");
        let mut command = self.command("unshare");
        command.args(["--mount", "sh", "-c", MOUNTED, "sh"]).arg(etc).arg(user.to_string()).arg(program);
        command
    }

    /// A copy of a program, with more rights than the user has who starts it.
    ///
    /// # Panics
    /// When the copy cannot be made.
    pub fn privileged(&self, program: &std::path::Path, privilege: Privilege) -> PathBuf {
        let name = program.file_name().expect("the name of a program").to_string_lossy();
        let copy = self.dir().join(format!("{name}-{privilege:?}").replace(['(', ')'], ""));
        install(program, &copy);
        match privilege {
            Privilege::SetUid(user) => {
                run(Command::new("chown").arg(user.to_string()).arg(&copy)).ok();
                run(Command::new("chmod").arg("u+s").arg(&copy)).ok();
            }
            Privilege::Capability => drop(run(Command::new("setcap").arg("cap_net_bind_service+ep").arg(&copy)).ok()),
        }
        copy
    }
}

/// Whether the kernel has told a process that it has more rights than whoever started it: `AT_SECURE`.
///
/// # Panics
/// When there is no such process.
pub fn is_privileged(pid: u32) -> bool {
    let vector = std::fs::read(format!("/proc/{pid}/auxv")).expect("a process");
    let (words, _) = vector.as_chunks();
    let words: Vec<usize> = words.iter().map(|word| usize::from_ne_bytes(*word)).collect();
    words.chunks_exact(2).any(|entry| entry == [23, 1])
}

/// Whether a test may lay out a machine and give programs rights; when not, it is counted as skipped.
pub fn may_mount() -> bool {
    let (Some(unshare), Some(_), Some(_)) = (program("unshare"), program("setpriv"), program("setcap")) else { return false };
    let mount = "mount -t tmpfs tmpfs /run";
    let may = run(Command::new(unshare).args(["--mount", "sh", "-c", mount])).status.success();
    if !may {
        skip("this user may not mount anything");
    }
    may
}
