//! Changes: places in the system, what is there, and what shall be.

use super::super::context::Context;
use super::super::error::{During, Error, Result};
use super::super::openssl::below;
use super::super::output::write_file;
use interface::attributes::Usage;
use interface::operations::{Grant, ListGrants, Revoke};
use interface::{ProviderId, Status, trust};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// Where the changes are made.
pub(super) struct Desk<'a> {
    pub(super) root: &'a Path,
    pub(super) context: &'a Context,
}

impl Desk<'_> {
    /// Where a file is. Those of an image are in it. Nobody else may change a file or a folder on the way: else that person would say
    /// what is written, and where.
    pub(super) fn file(&self, path: &Path) -> Result<PathBuf> {
        let file = below(self.root, path);
        let inside = |root: &Path| {
            let known = file.ancestors().find_map(|path| fs::canonicalize(path).ok());
            known.is_some_and(|known| known.starts_with(root)) && !path.components().any(|part| part == Component::ParentDir)
        };
        match fs::canonicalize(self.root).is_ok_and(|root| inside(&root)) {
            true => {}
            false => return Err(Error::Failed(format!("{} is not in {}", file.display(), self.root.display()))),
        }
        let there = file.ancestors().find(|path| fs::symlink_metadata(path).is_ok()).unwrap_or(self.root);
        let dangling = fs::symlink_metadata(there).is_ok_and(|there| there.is_symlink()) && !there.exists();
        if dangling {
            return Err(Error::Failed(format!("{} is a link to nothing: remove it, or make what it names", there.display())));
        }
        trust::check(there, geteuid().as_raw())
            .map_err(|why| Error::Failed(format!("setup does not touch {}: it {why}", file.display())))?;
        Ok(file)
    }
}

/// Something that setup can read, write and restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(super) enum Place {
    Folder {
        path: PathBuf,
    },
    File {
        path: PathBuf,
    },
    /// An empty file, for what others put into it.
    Blank {
        path: PathBuf,
    },
    /// The lines between two marks in a file that belongs to somebody else.
    Block {
        path: PathBuf,
        mark: String,
    },
    /// A setting of the user's git.
    Git {
        name: String,
    },
    /// What somebody may do with a key.
    Grant {
        key: String,
        owner: Option<String>,
        provider: String,
        who: String,
    },
}

/// What a place had before, and what it has now; `None` is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    #[serde(flatten)]
    pub(super) place: Place,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

impl Change {
    /// Whether setup makes such a change, and may take it back: what is undone gives nobody a right, and an image sets nothing of a user's.
    pub(super) fn sound(&self, desk: &Desk<'_>) -> bool {
        let Some(new) = &self.new else { return false };
        match &self.place {
            Place::Git { .. } => desk.root == Path::new("/"),
            Place::Grant { .. } => usage(new).contains(usage(self.old.as_deref().unwrap_or_default())),
            _ => true,
        }
    }
}

impl Place {
    /// The file or the folder.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder { path } | Self::File { path } | Self::Blank { path } | Self::Block { path, .. } => Some(path),
            Self::Git { .. } | Self::Grant { .. } => None,
        }
    }

    pub(super) fn shown(&self, desk: &Desk<'_>) -> String {
        match self {
            Self::Git { name } => format!("git config --global {name}"),
            Self::Grant { key, who, .. } => format!("key '{key}', granted to {who}"),
            _ => self.path().map(|path| below(desk.root, path).display().to_string()).unwrap_or_default(),
        }
    }

    /// What stands there.
    pub(super) fn read(&self, desk: &Desk<'_>) -> Result<Option<String>> {
        match self {
            Self::Folder { path } | Self::Blank { path } => Ok(fs::symlink_metadata(desk.file(path)?).is_ok().then(String::new)),
            Self::File { path } => text(&desk.file(path)?),
            Self::Block { path, mark } => {
                let text = text(&desk.file(path)?)?;
                Ok(text.and_then(|text| split(&text, mark).map(|(_, block, _)| block.to_owned())))
            }
            Self::Git { name } => git(&["--get", name]),
            Self::Grant { .. } => self.granted(desk),
        }
    }

    /// Makes it be there, or not.
    pub(super) fn write(&self, desk: &Desk<'_>, new: Option<&str>) -> Result<()> {
        match (self, new) {
            (Self::Folder { path }, Some(_)) => {
                // in a home it is the user's alone
                let mode = if path.starts_with("/etc") { 0o755 } else { 0o700 };
                let path = desk.file(path)?;
                let made = DirBuilder::new().mode(mode).create(&path);
                made.map_err(Error::io(format!("make {}", path.display())))
            }
            (Self::Folder { path }, None) => match fs::remove_dir(desk.file(path)?) {
                Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                    Err(Error::io(format!("remove {}", path.display()))(error))
                }
                _ => Ok(()),
            },
            (Self::File { path } | Self::Blank { path }, Some(text)) => put(&desk.file(path)?, text),
            (Self::File { path }, None) => remove(&desk.file(path)?),
            (Self::Blank { path }, None) => match text(&desk.file(path)?)?.as_deref() {
                Some("") => remove(&desk.file(path)?),
                _ => Ok(()),
            },
            (Self::Block { path, mark }, new) => {
                let path = desk.file(path)?;
                put(&path, &with_block(&text(&path)?.unwrap_or_default(), mark, new))
            }
            (Self::Git { name }, Some(value)) => git(&[name, value]).map(|_| ()),
            (Self::Git { name }, None) => git(&["--unset", name]).map(|_| ()),
            (Self::Grant { .. }, new) => self.grant(desk, new),
        }
    }

    fn granted(&self, desk: &Desk<'_>) -> Result<Option<String>> {
        let Self::Grant { key, owner, provider, who } = self else { return Ok(None) };
        let Some(key_name) = present_name(desk, key, owner.as_deref(), provider)? else { return Ok(None) };
        let question = ListGrants { key_name, owner: owner.clone() };
        let grants = match desk.context.client.call(known(provider)?, &question) {
            Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => return Ok(None),
            grants => grants.during(|| format!("list who may use key '{key}'"))?,
        };
        let grant = grants.grants.into_iter().find(|grant| grant.principal == *who);
        Ok(grant.map(|grant| grant.usage.as_ref().map_or(Usage::NONE, Usage::from).roles().join(",")))
    }

    fn grant(&self, desk: &Desk<'_>, roles: Option<&str>) -> Result<()> {
        let Self::Grant { key, owner, provider, who } = self else { return Ok(()) };
        let Some(key_name) = present_name(desk, key, owner.as_deref(), provider)? else { return Ok(()) };
        let (owner, principal) = (owner.clone(), who.clone());
        let done = match roles {
            None => desk.context.client.call(known(provider)?, &Revoke { key_name, principal, owner }).map(|_| ()),
            Some(roles) => {
                let grant = Grant { key_name, principal, owner, usage: Some(usage(roles).into()) };
                desk.context.client.call(known(provider)?, &grant).map(|_| ())
            }
        };
        done.during(|| format!("change what {who} may do with key '{key}'"))
    }
}

/// The name that a key has now; `None` if it is no more, or somebody else's.
fn present_name(desk: &Desk<'_>, key: &str, owner: Option<&str>, provider: &str) -> Result<Option<String>> {
    match desk.context.client.lookup(known(provider)?, owner, key) {
        Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => Ok(None),
        found => found.map(|record| (!record.foreign).then_some(record.name)).during(|| format!("look up key '{key}'")),
    }
}

/// The roles that stand in a list.
pub(super) fn usage(roles: &str) -> Usage {
    let named = Usage::ROLES.iter().filter(|(role, _)| roles.split(',').any(|word| word == *role));
    named.fold(Usage::NONE, |all, (_, usage)| all | *usage)
}

fn known(provider: &str) -> Result<ProviderId> {
    provider.parse().map_err(|_| Error::Failed(format!("there is no provider '{provider}'")))
}

/// The text of a file, if there is one.
pub(super) fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("read {}", path.display()))(error)),
    }
}

/// Writes a file behind its links, with the mode that it has.
fn put(path: &Path, text: &str) -> Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(&path).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
    write_file(&path, text.as_bytes(), mode)
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(Error::io(format!("remove {}", path.display())))
}

/// Runs `git config --global`; `None` where the setting is not there.
fn git(arguments: &[&str]) -> Result<Option<String>> {
    let output = Command::new("git").args(["config", "--global"]).args(arguments).output();
    let output = output.map_err(Error::io("run git"))?;
    match output.status.code() {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())),
        // there is no such setting, or no file
        Some(1) if arguments[0] == "--get" => Ok(None),
        _ => Err(Error::Failed(format!(
            "git config --global {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

fn marks(mark: &str) -> (String, String) {
    (format!("# begin parsec setup {mark}\n"), format!("# end parsec setup {mark}\n"))
}

/// What is before the marks, between them, and after them.
fn split<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let (begin, end) = marks(mark);
    let (rest, after) = text.split_once(&end)?;
    let (before, block) = rest.rsplit_once(&begin)?;
    Some((before, block, after))
}

/// The text with this between the marks, which are made at its end where it has none.
pub(super) fn with_block(text: &str, mark: &str, block: Option<&str>) -> String {
    let (begin, end) = marks(mark);
    let (before, _, after) = split(text, mark).unwrap_or((text, "", ""));
    let block = block.map(|block| {
        let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        format!("{gap}{begin}{block}{end}")
    });
    format!("{before}{}{after}", block.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_and_goes_and_leaves_the_rest() {
        let with = with_block("Host a\n", "ssh", Some("Host *\n"));
        assert_eq!(with, "Host a\n# begin parsec setup ssh\nHost *\n# end parsec setup ssh\n");
        let edited = format!("{with}Host z\n");
        assert_eq!(with_block(&edited, "git", None), edited);
        assert_eq!(with_block(&with_block(&edited, "ssh", Some("Host b\n")), "ssh", None), "Host a\nHost z\n");
        assert_eq!(with_block(&with_block("", "ssh", Some("x\n")), "ssh", None), "");
        // a mark without its end takes nothing away
        let torn = "# begin parsec setup ssh\nHost mine\n";
        assert_eq!(with_block(&with_block(torn, "ssh", Some("Host b\n")), "ssh", None), torn);
    }
}
