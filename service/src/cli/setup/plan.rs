//! What a program needs: places that must have something, lines for files that are the administrator's, and commands.

use super::super::context::KeyRecord;
use super::super::error::{Error, Result};
use super::super::openssl::below;
use super::super::output::Text;
use super::change::{Change, Desk, Place, usage};
use super::record::Records;
use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that somebody else's file needs.
#[derive(Serialize)]
pub(super) struct Lines {
    pub(super) file: String,
    pub(super) lines: Vec<Text>,
}

#[derive(Default)]
pub(super) struct Plan {
    pub(super) wants: Vec<(Place, String)>,
    pub(super) write: Vec<Lines>,
    pub(super) next: Vec<String>,
}

impl Plan {
    pub(super) fn want(&mut self, place: Place, text: impl Into<String>) {
        self.wants.push((place, text.into()));
    }

    /// What there is to do. Of what is there already, the records learn which is shared with another program.
    pub(super) fn steps(&self, desk: &Desk<'_>, records: &mut Records) -> Result<Vec<Change>> {
        let mut steps = Vec::new();
        for (place, want) in &self.wants {
            for folder in folders(place) {
                step(desk, records, &mut steps, Place::Folder { path: folder }, "")?;
            }
            if let Place::Block { path, .. } = place {
                step(desk, records, &mut steps, Place::Blank { path: path.clone() }, "")?;
            }
            step(desk, records, &mut steps, place.clone(), want)?;
        }
        Ok(steps)
    }
}

fn step(desk: &Desk<'_>, records: &mut Records, steps: &mut Vec<Change>, place: Place, want: &str) -> Result<()> {
    let old = place.read(desk)?;
    if steps.iter().any(|step| step.place == place) {
        return Ok(());
    }
    if old.as_deref().is_some_and(|now| suffices(&place, now, want)) {
        if records.shared(&place)
            && let Some(change) = records.changed(&place).cloned()
        {
            records.add(change);
        }
        return Ok(());
    }
    let new = match (&place, &old) {
        (Place::Grant { .. }, Some(roles)) => (usage(roles) | usage(want)).roles().join(","),
        _ => want.to_owned(),
    };
    let change = Change { place, old, new: Some(new) };
    records.add(change.clone());
    steps.push(change);
    Ok(())
}

/// Whether what is there will do: a file may have more lines, and a grant more roles.
fn suffices(place: &Place, now: &str, want: &str) -> bool {
    match place {
        Place::File { .. } => want.lines().all(|line| now.lines().any(|other| other == line)),
        Place::Grant { .. } => now.split(',').any(|role| role == want),
        _ => now == want,
    }
}

/// The folders above a place, the topmost first.
fn folders(place: &Place) -> Vec<PathBuf> {
    let above = place.path().into_iter().flat_map(|path| path.ancestors().skip(1));
    let mut above: Vec<_> = above.filter(|path| path.parent().is_some()).map(Path::to_owned).collect();
    above.reverse();
    above
}

/// Fails if a step cannot be taken by this user.
pub(super) fn check(desk: &Desk<'_>, steps: &[Change]) -> Result<()> {
    for path in steps.iter().filter_map(|step| step.place.path()) {
        let path = below(desk.root, path);
        let path = fs::canonicalize(&path).unwrap_or(path);
        let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(desk.root);
        access(folder, AccessFlags::W_OK).map_err(|error| {
            let who = if folder.starts_with("/etc") { ": run this as root" } else { "" };
            Error::Failed(format!("nothing was changed: {} cannot be written ({}){who}", path.display(), error.desc()))
        })?;
    }
    Ok(())
}

/// The name of a key as part of the name of a file, and of lines for configurations.
pub(super) fn stem(key: &KeyRecord) -> Result<&str> {
    let name = key.name();
    if name.chars().all(|c| c.is_ascii_alphanumeric() || "-._@+".contains(c)) && !name.starts_with(['.', '-']) {
        return Ok(name);
    }
    Err(Error::Usage(format!("no file can be named after key '{name}': write one with parsec key pem, and leave --key out")))
}
