//! What reads the bytes of others. Each target takes any bytes and must not panic.
//!
//! `tests/fuzz/run TARGET` runs the fuzzer on one of them. The files in `corpus` are where it begins. `cargo test -p fuzz` replays them
//! on a stable compiler, each with a few thousand mutations. A file that made a target panic goes into `corpus`, so that the test covers
//! it from then on. `cargo run -p fuzz --example seeds` writes the files that real encoders make.

mod formats;
mod replay;
mod wire;

pub use formats::formats;
pub use replay::replay;
pub use wire::{requests, responses};
