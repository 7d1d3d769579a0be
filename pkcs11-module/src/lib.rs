//! The keys of a Parsec service as a PKCS#11 module, `libparsec_pkcs11.so`.
//!
//! The way of a call: `functions` (its row) → `ffi` (pointers become safe values) → `calls` (its body) → `state` (the module and
//! its sessions) → `operations` (the operations in progress) → `objects` and `mechanism` (what the token has and can do) →
//! `interface::Client` → the service. A module uses only later ones on this way, and `ffi`.
//!
//! The module links no libcrypto, starts no thread, and has no thread-local destructor. So it lives in programs that fork, forbid
//! threads, or unload it at exit. The service has all keys and all state that must last.

mod calls;
mod error;
mod ffi;
mod functions;
#[doc(hidden)]
pub mod fuzz;
mod mechanism;
mod objects;
mod operations;
mod random;
mod state;

pub use functions::by_name::*;

#[global_allocator]
static ALLOCATOR: interface::Allocator = interface::ALLOCATOR;
