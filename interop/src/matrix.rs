//! The matrix of interoperation: a test says which foreign program it is about, and what becomes of the test is a row.
//!
//! Rows go to the file that `PARSEC_INTEROP_ROWS` names, when it is set, one line each, with tabs between the fields: program,
//! what was done, provider, result, version. `interop/matrix` makes `MATRIX.md` of them. The names of tests that are not for the
//! provider of the run go to `PARSEC_INTEROP_CANCELLED`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use interface::ProviderId;

/// The foreign program of a test, which is over when this is dropped.
pub struct Row {
    program: String,
    version: String,
    provider: String,
    limits: Vec<String>,
    cancelled: bool,
}

impl Row {
    /// A program of the system, or `None` after a [`tests::skip`].
    pub fn program(name: &str) -> Option<Self> {
        let path = tests::program(name)?;
        Some(Self::new(name, owner(&path).unwrap_or_default()))
    }

    /// A library of the system that a program loads, at this path, or `None` after a [`tests::skip`].
    pub fn library(name: &str, path: impl AsRef<Path>) -> Option<Self> {
        if !path.as_ref().exists() {
            tests::skip(&format!("{name} is not installed"));
            return None;
        }
        Some(Self::new(name, owner(path.as_ref()).unwrap_or_default()))
    }

    /// A program that `interop/peers` has built, at this path, whose folder ends in its version.
    pub fn peer(name: &str, path: &Path) -> Self {
        let folder = path.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        Self::new(name, folder.rsplit('-').next().unwrap_or_default())
    }

    /// A crate that the tests link.
    pub fn linked(name: &str) -> Self {
        let lock = include_str!("../../Cargo.lock");
        let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).and_then(|(_, rest)| rest.split_once('"'));
        Self::new(name, entry.map_or("", |(version, _)| version))
    }

    /// Any other program.
    pub fn new(program: impl Into<String>, version: impl Into<String>) -> Self {
        Self { program: program.into(), version: version.into(), provider: provider(), limits: Vec::new(), cancelled: false }
    }

    /// The same with keys of the sealed tier, whatever the provider of this run.
    pub fn sealed(mut self) -> Self {
        self.provider = ProviderId::TPM_SEALED.to_string();
        self
    }

    /// Whose keys the program uses; it is also the name of their token.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Records what this version of the program cannot do, whatever module or provider it has.
    pub fn except(&mut self, what: &str) {
        self.limits.push(what.to_owned());
    }

    /// There is no such row: the test is about what the provider of this run does not do, and has to return after it.
    pub fn cancel(&mut self) {
        self.cancelled = true;
        append("PARSEC_INTEROP_CANCELLED", &format!("{}\n", test()));
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if self.cancelled {
            return;
        }
        let test = test();
        let what = test.rsplit("::").next().unwrap_or_default().replace('_', " ");
        let result = match self.limits.as_slice() {
            _ if std::thread::panicking() => "FAILED".to_owned(),
            [] => "works".to_owned(),
            limits => format!("works, except {}", limits.join(", ")),
        };
        append("PARSEC_INTEROP_ROWS", &format!("{}\t{what}\t{}\t{result}\t{}\n", self.program, self.provider, self.version));
    }
}

/// The name of the running test.
fn test() -> String {
    std::thread::current().name().unwrap_or("unnamed").to_owned()
}

/// Writes a line to the file that the variable names, if it is set.
fn append(variable: &str, line: &str) {
    if let Some(file) = std::env::var_os(variable) {
        let mut file = File::options().append(true).create(true).open(file).expect("a file of the run");
        file.write_all(line.as_bytes()).expect("write a line");
    }
}

/// The provider whose keys foreign programs use in this run: `PARSEC_INTEROP_PROVIDER`, or the software provider.
pub fn provider() -> String {
    std::env::var("PARSEC_INTEROP_PROVIDER").unwrap_or_else(|_| "software".to_owned())
}

/// The Debian package that a file belongs to, and its version.
fn owner(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    // A package may have put it into `/lib` before that became a link to `/usr/lib`.
    let before = Path::new("/").join(path.strip_prefix("/usr").unwrap_or(&path));
    let package = [&path, &before].into_iter().find_map(|path| dpkg_query(&["-S".as_ref(), path.as_ref()]))?;
    let package = package.split_once(": ")?.0;
    dpkg_query(&["-W", "-f", "${Package} ${Version}", package].map(OsStr::new))
}

fn dpkg_query(arguments: &[&OsStr]) -> Option<String> {
    let output = Command::new("dpkg-query").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
