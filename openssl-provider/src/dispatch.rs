//! The entry points of each operation: the dispatch tables that [`algorithms`](crate::algorithms) lists.
#![allow(
    clippy::missing_safety_doc,
    reason = "entry points rest on what the core promises in the manual page that their file names"
)]

pub(crate) mod asym_cipher;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod keyexch;
pub(crate) mod keymgmt;
pub(crate) mod signature;
pub(crate) mod store;
