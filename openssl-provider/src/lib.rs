//! The keys of a Parsec service as an OpenSSL 3 provider, for any program that uses OpenSSL.
//!
//! A program loads a key reference file (`decoder`) or a `parsec:` URI (`store`) and holds a `key`: the public half and a
//! name. When it signs (`signature`, with what is particular to `rsa`, `ec`, `curve25519` and `opaque`), the message is
//! hashed here (`digest`) and the `provider` asks the service for the signature of the digest, in one request; decrypting
//! (`encryption`) and agreeing on a secret (`exchange`) are one request as well. New keys are made under a name
//! (`generation`, with what can be said of them in `options`), or get one when they are written (`unnamed`); `groups` tells TLS which of
//! its groups such keys are of. `settings` has what `openssl.cnf` says of the way to the service. What is written of a key (`encoder`)
//! is its public half or a reference.
//!
//! Each `kind` of key is a type, and `kinds` lists them. `ffi` declares what OpenSSL's headers do, and is the boundary between C and Rust.
//! OpenSSL's calls arrive in `dispatch`, which turns them into calls of safe code. `algorithms` lists what OpenSSL is told of, and `init`
//! hands it that list. No module uses one that stands above it in this order: `init`, `algorithms`, `dispatch`, the operations and kinds,
//! `key`, `provider`, `kind`, `ffi`.
//!
//! The library links no libcrypto, starts no thread and does nothing when it is loaded: a program that never uses one of
//! our keys never needs the service.
//!
//! It is loaded by `openssl.cnf`, the default provider first, because the first one that knows an algorithm gets what
//! belongs to no key, such as the key exchange of TLS:
//!
//! ```text
//! openssl_conf = openssl_init
//! [openssl_init]
//! providers = provider_sect
//! [provider_sect]
//! default = default_sect
//! parsec = parsec_sect
//! [default_sect]
//! activate = 1
//! [parsec_sect]
//! module = /usr/lib/x86_64-linux-gnu/ossl-modules/parsec.so
//! activate = 1
//! # both may be left out; the socket is then that of PARSEC_SERVICE_ENDPOINT or /etc/parsec/client.conf, or the system's
//! socket = /run/parsec/parsec.sock
//! timeout-ms = 60000
//! ```

mod algorithms;
mod curve25519;
mod decoder;
mod digest;
mod dispatch;
mod ec;
mod encoder;
mod encryption;
mod error;
mod exchange;
mod ffi;
#[doc(hidden)]
pub mod fuzz;
mod generation;
mod groups;
mod init;
mod key;
mod kind;
mod kinds;
mod opaque;
mod options;
mod provider;
mod rsa;
mod settings;
mod signature;
mod store;
mod unnamed;

#[global_allocator]
static ALLOCATOR: interface::Allocator = interface::ALLOCATOR;
