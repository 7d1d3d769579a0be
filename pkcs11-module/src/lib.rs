//! The keys of a Parsec service as a PKCS#11 module, `libparsec_pkcs11.so`.
//!
//! The way of a call: `functions` (its row) → `ffi` (pointers become safe values) → `calls` (what it does) → `state` (the module
//! and its sessions) → `operations` (what is under way) → `objects` and `mechanism` (what the token has and can do) →
//! `interface::Client` → the service. Nothing uses what stands before it on this way, but all use `ffi`.
//!
//! The module links no libcrypto, starts no thread, and has no thread-local destructor, so that it lives in programs that
//! fork, forbid threads, or unload it at exit. All keys and all state worth keeping are the service's.

mod calls;
mod error;
mod ffi;
mod functions;
mod mechanism;
mod objects;
mod operations;
mod random;
mod state;

pub use functions::by_name::*;

#[global_allocator]
static ALLOCATOR: interface::Allocator = interface::ALLOCATOR;
