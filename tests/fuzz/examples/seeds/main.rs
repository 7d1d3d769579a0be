//! Writes the files that the fuzzer begins with: what real encoders make. `cargo run -p fuzz --example seeds`
#![allow(clippy::unwrap_used, reason = "whoever runs it sees the panic")]

mod formats;
mod rows;
mod shims;
mod wire;

use std::fs;
use std::path::Path;

/// Writes a file of a target's corpus.
pub(crate) fn seed(target: &str, name: &str, data: impl AsRef<[u8]>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), data).unwrap();
}

fn main() {
    wire::write();
    formats::write();
    rows::write();
    shims::write();
}
