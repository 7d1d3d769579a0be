//! The Parsec wire protocol and the small blocking client that both shims use.
//!
//! A request travels like this. A shim fills one of the [`operations`]. Its [`algorithm`] and [`attributes`] are enums here and
//! protobuf [`message`]s on the wire. The [`client`] frames it ([`wire`]) and sends it over the Unix socket. The service looks up
//! its row in the table of operations, judges it, runs it, and answers with a [`Status`] and a body.
//!
//! The protocol is upstream Parsec's 1.0, byte for byte. Extensions show only on connections that have said
//! [`Hello`](operations::Hello). Codecs do no IO. [`mod@reference`], [`spki`], [`pkcs8`] and [`pem`] are the file formats that
//! service, shims and command line share.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod algorithm;
pub mod attributes;
pub mod certificate;
pub mod client;
pub mod ecdsa;
pub mod expiry;
pub mod group;
pub mod hash;
pub mod identifier;
mod key_type;
pub mod kind;
pub mod message;
mod oneof;
pub mod operations;
pub mod pem;
pub mod pkcs8;
pub mod policy;
mod provider;
pub mod pss;
pub mod reference;
mod secret;
pub mod spki;
mod status;
mod table;
pub mod text;
pub mod trust;
pub mod uid_map;
pub mod vendor;
pub mod wire;

pub use operations::{Access, Effect, Filing, KeyName, KeyUse, Named, Opcode, Operation, Target, Used, Visitor};
pub use provider::{AuthType, PROVIDERS, ProviderId, ProviderKind};
pub use secret::{ALLOCATOR, Allocator, Buffer, Secret, wipe};
pub use status::Status;
