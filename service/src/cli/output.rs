//! What the program prints. Every result has two forms: text for people, and one JSON object for scripts. Neither can make a
//! terminal do anything: a [`Text`] marks what others chose and stays on its line, and the last step escapes everything else.

use super::error::{Error, Result};
use interface::text;
use serde::Serialize;
use std::fmt::Display;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Version of the JSON. Members may be added within a version; none changes its meaning or goes away.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: u32,
    #[serde(flatten)]
    result: &'a T,
}

/// Prints a result.
pub(crate) fn show(json: bool, result: &(impl Serialize + Display)) -> Result<()> {
    let schema = SCHEMA;
    let mut text = if json {
        let object = serde_json::to_string_pretty(&Versioned { schema, result });
        text::json(&object.map_err(|error| Error::Failed(error.to_string()))?)
    } else {
        text::lines(&result.to_string())
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    write(text.as_bytes())
}

/// Writes to stdout. A reader that has seen enough is no error.
pub(crate) fn write(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::io("write to stdout")),
    }
}

/// Tells what went wrong on stderr.
pub(crate) fn complain(what: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "{}", text::lines(&what.to_string()).trim_end());
}

/// Text that others chose, such as a name. For people it is one line; JSON has it as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Text(pub(crate) String);

impl Text {
    pub(crate) fn new(text: impl ToString) -> Self {
        Self(text.to_string())
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text::Line(&self.0).fmt(f)
    }
}

/// Puts a file in its place, whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let failed = || Error::io(format!("write {}", path.display()));
    let name = path.file_name().ok_or_else(|| Error::Usage(format!("'{}' is no name of a file", path.display())))?;
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        if error.kind() != ErrorKind::AlreadyExists {
            let _ = std::fs::remove_file(&temporary);
        }
        failed()(error)
    })
}

/// Fails if a file cannot be written, before something is done that the file is about.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let failed = Error::io(format!("write {}", path.display()));
    if path.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    tempfile_in(folder).map_err(failed)
}

fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let temporary = folder.join(format!(".parsec.{}.new", std::process::id()));
    File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    std::fs::remove_file(&temporary)
}

/// A Unix time as a day of UTC, such as 2026-11-30; empty of 0, which an upstream service tells.
pub(crate) fn day(seconds: u64) -> String {
    let day = der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).ok().filter(|_| seconds > 0);
    day.map_or_else(String::new, |day| format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()))
}

/// PEM to stdout, or to a file.
#[derive(Serialize)]
pub(crate) struct Pem {
    pub(crate) pem: String,
}

impl Display for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.pem)
    }
}

impl Pem {
    pub(crate) fn new(label: &'static str, der: &[u8]) -> Result<Self> {
        let pem =
            der::pem::encode_string(label, der::pem::LineEnding::LF, der).map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self { pem })
    }

    /// Writes the file where one is named, and prints otherwise.
    pub(crate) fn deliver(&self, json: bool, out: Option<&Path>) -> Result<()> {
        match out {
            Some(path) => write_file(path, self.pem.as_bytes(), 0o644),
            None => show(json, self),
        }
    }
}

/// Rows as columns that stand under each other.
pub(crate) fn table<const N: usize>(f: &mut std::fmt::Formatter<'_>, head: [&str; N], rows: &[[String; N]]) -> std::fmt::Result {
    let rows: Vec<[_; N]> = rows.iter().map(|row| std::array::from_fn(|column| text::line(&row[column]))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(head[column].len())
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    line(head)?;
    rows.iter().try_for_each(|row| line(std::array::from_fn(|column| &*row[column])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_and_readable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.pem");
        write_file(&path, b"one", 0o644).unwrap();
        write_file(&path, b"two", 0o644).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(write_file(&path, b"x", 0o644).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn columns_stand_under_each_other() {
        struct Table;
        impl Display for Table {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                table(f, ["A", "B"], &[["schlüssel".into(), "1".into()]])
            }
        }
        assert_eq!(Table.to_string(), "A          B\nschlüssel  1\n");
    }
}
