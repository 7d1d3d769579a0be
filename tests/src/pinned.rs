//! Lists that change on purpose only.

use std::path::Path;
use std::{env, fs, thread};

/// Compares lines with the file of this name in `tests/abilities`, which `PARSEC_TESTS_PIN=true` has written anew.
///
/// # Panics
/// When they differ, with the lines that are too many and those that are missing.
pub fn pinned(name: &str, lines: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("abilities").join(name).with_extension("txt");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if env::var_os("PARSEC_TESTS_PIN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let known: Vec<&str> = known.lines().collect();
    let added = lines.iter().filter(|line| !known.contains(&line.as_str())).map(|line| format!("+ {line}"));
    let lost = known.iter().filter(|line| !lines.iter().any(|own| own == *line)).map(|line| format!("- {line}"));
    let changes: Vec<_> = lost.chain(added).collect();
    let test = thread::current().name().unwrap_or_default().to_owned();
    assert!(
        known == lines,
        "{} says something else:\n{}\nIf that is meant: PARSEC_TESTS_PIN=true cargo test --workspace --features service/ed448 {test}",
        path.display(),
        changes.join("\n")
    );
}
