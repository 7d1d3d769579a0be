//! The keys of a Parsec service as an OpenSSL 3 provider, for any program that uses OpenSSL.
//!
//! A program loads a key reference file ([`decoder`]) or a `parsec:` URI ([`store`]) and holds a [`key`]: the public half
//! and a name. When it signs ([`signature`], with what is particular to [`rsa`] and [`ec`]), the message is hashed here
//! and the [`provider`] asks the service for the signature of the digest. OpenSSL's C functions all lie in [`ffi`],
//! which turns them into calls of this safe code; [`algorithms`] lists what OpenSSL is told of.
//!
//! The library links no libcrypto, starts no thread and does nothing when it is loaded: see `OSSL_provider_init`.

mod algorithms;
mod decoder;
mod digest;
mod ec;
mod error;
mod ffi;
mod key;
mod provider;
mod rsa;
mod signature;
mod store;
