//! The keys of a Parsec service as a PKCS#11 module, `libparsec_pkcs11.so`.
//!
//! The way of a call: `functions` (its row) → `ffi` (pointers become safe values) → `calls` (what it does) →
//! `module` and `session` (state) → `mechanism` and `object` (what the token can do and has) →
//! `interface::Client` → the service.
//!
//! The module links no libcrypto, starts no thread, and has no thread-local destructor, so that it lives in programs that
//! fork, forbid threads, or unload it at exit. All keys and all state worth keeping are the service's.

mod abilities;
mod again;
mod attributes;
mod calls;
mod encryption;
mod error;
mod ffi;
mod functions;
mod interfaces;
mod login;
mod material;
mod mechanism;
mod message;
mod module;
mod object;
mod objects;
mod operation;
mod parameters;
mod process;
mod random;
mod recover;
mod secret;
mod session;
mod signature;
mod slot;
mod trace;

pub use functions::by_name::*;

#[global_allocator]
static ALLOCATOR: interface::Allocator = interface::ALLOCATOR;
