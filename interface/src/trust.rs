//! Whether a configuration file can be trusted. A person who can change the service's file has all keys: it says where the store
//! is, and who is an administrator. A person who can change the clients' file sees what they decrypt.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links on one way, at most, as the kernel counts them.
const LINKS: usize = 40;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// It cannot be looked at.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Others may change it. Says who, and the command that mends it.
    #[error("{0}")]
    Others(String),
}

/// Refuses a file that anyone but root and this user may change, or put another one in the place of: so every folder and symbolic link
/// on the way to it counts too. In a folder with the sticky bit others may only add what is theirs.
///
/// # Errors
/// Every [`Distrust`].
pub fn check(path: &Path, user: u32) -> Result<(), Distrust> {
    let path = std::path::absolute(path)?;
    let (mut way, mut ahead, mut links) = (PathBuf::new(), steps(&path), 0);
    while let Some(step) = ahead.pop() {
        if step == ".." {
            way.pop();
            continue;
        }
        way.push(step);
        let file = fs::symlink_metadata(&way)?;
        judge(&way, &file, user)?;
        if file.is_symlink() {
            links += 1;
            let target = fs::read_link(&way)?;
            way.pop();
            if links > LINKS {
                return Err(io::Error::from(rustix::io::Errno::LOOP).into());
            }
            if !way.join(&target).exists() {
                // What an open descriptor leads to need not have a name (proc(5)).
                return judge(&path, &fs::metadata(&path)?, user);
            }
            ahead.extend(steps(&target));
        }
    }
    Ok(())
}

/// The steps of a path, the first one last. An absolute one begins with the root, which takes the place of all before.
fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().filter(|step| *step != Component::CurDir);
    steps.rev().map(|step| step.as_os_str().to_owned()).collect()
}

fn judge(path: &Path, file: &Metadata, user: u32) -> Result<(), Distrust> {
    let refused = |why: String, remedy: &str| {
        let who = if user == 0 { "root alone" } else { "root and the user who starts the service alone" };
        Err(Distrust::Others(format!("is not for {who} to change, as {0} {why}: {remedy} {0}", path.display())))
    };
    if file.uid() != 0 && file.uid() != user {
        return refused(format!("belongs to the user {}", file.uid()), "chown root");
    }
    let (mode, sticky) = (file.mode() & 0o7777, file.is_dir() && file.mode() & 0o1000 != 0);
    if mode & 0o022 != 0 && !sticky && !file.is_symlink() {
        return refused(format!("may be written by others (mode {mode:03o})"), "chmod go-w");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const STRANGER: u32 = 54_321;

    /// What is said of a file.
    fn refusal(path: &Path, user: u32) -> Option<String> {
        check(path, user).err().map(|error| error.to_string())
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder in a folder with a file in it; the outer one ends with this.
    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let (inner, file) = (outer.path().join("etc"), outer.path().join("etc/config.toml"));
        fs::create_dir(&inner).unwrap();
        fs::write(&file, "").unwrap();
        [(&inner, 0o755), (&file, 0o644)].iter().for_each(|(path, bits)| mode(path, *bits));
        (outer, inner, file)
    }

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn what_others_may_write_is_named() {
        let (outer, inner, file) = place();
        assert_eq!(refusal(&file, me()), None);
        for (path, bits, usual) in [(&file, 0o664, 0o644), (&file, 0o602, 0o600), (&inner, 0o775, 0o755), (&inner, 0o757, 0o755)]
        {
            mode(path, bits);
            let said = refusal(&file, me()).unwrap();
            assert!(said.contains(&format!("(mode {bits:o}): chmod go-w {}", path.display())), "{said}");
            mode(path, usual);
        }
        mode(outer.path(), 0o777);
        assert!(refusal(&file, me()).unwrap().contains("chmod go-w"), "a folder above counts too");
        mode(outer.path(), 0o1777);
        assert_eq!(refusal(&file, me()), None, "nobody else replaces what is in a folder with the sticky bit");
        mode(&file, 0o1666);
        assert!(refusal(&file, me()).is_some(), "the bit means nothing for a file");
    }

    #[test]
    fn what_belongs_to_others_is_named() {
        if me() != 0 {
            return;
        }
        let (outer, inner, file) = place();
        mode(outer.path(), 0o1777);
        for path in [&file, &inner] {
            chown(path, Some(STRANGER), None).unwrap();
            let said = refusal(&file, 0).unwrap();
            assert!(said.contains(&format!("belongs to the user {STRANGER}: chown root {}", path.display())), "{said}");
            assert_eq!(refusal(&file, STRANGER), None, "it is the user's own");
            chown(path, Some(0), None).unwrap();
        }
        assert_eq!(refusal(&file, STRANGER), None, "it is root's");
    }

    #[test]
    fn links_are_followed_and_judged() {
        let (outer, inner, file) = place();
        let (open, link) = (outer.path().join("open"), outer.path().join("link"));
        fs::create_dir(&open).unwrap();
        symlink("etc/../etc/./config.toml", &link).unwrap();
        assert_eq!(refusal(&link, me()), None);
        mode(&inner, 0o777);
        assert!(refusal(&link, me()).is_some(), "where it leads");
        mode(&inner, 0o755);
        symlink(&file, open.join("link")).unwrap();
        mode(&open, 0o777);
        assert!(refusal(&open.join("link"), me()).is_some(), "where it is");
        let round = outer.path().join("round");
        symlink("round", &round).unwrap();
        assert!(refusal(&round, me()).is_some());
    }

    #[test]
    fn a_descriptor_leads_to_its_file() {
        let (_outer, inner, file) = place();
        let named = |descriptor: &dyn AsRawFd| PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        let opened = fs::File::open(&file).unwrap();
        assert_eq!(refusal(&named(&opened), me()), None);
        mode(&inner, 0o777);
        assert!(refusal(&named(&opened), me()).is_some());
        let (pipe, _other) = io::pipe().unwrap();
        assert_eq!(refusal(&named(&pipe), me()), None, "a pipe of the user's");
    }
}
