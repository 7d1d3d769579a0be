//! What reads the bytes of others, for the fuzzer.

pub use crate::providers::tpm::verify::fuzz as attestations;
pub use crate::store::fuzz::rows;
