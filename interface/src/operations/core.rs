//! Messages of the operations that the core answers.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::message::KeyAttributes;
use prost::Message;

/// Whether the service is there, and which protocol version it speaks.
#[derive(Clone, PartialEq, Message)]
pub struct Ping {}

/// Result of [`Ping`].
#[derive(Clone, PartialEq, Message)]
pub struct Pong {
    #[prost(uint32, tag = "1")]
    pub version_maj: u32,
    #[prost(uint32, tag = "2")]
    pub version_min: u32,
}

/// The providers, the default one first, the core last.
#[derive(Clone, PartialEq, Message)]
pub struct ListProviders {}

/// Result of [`ListProviders`].
#[derive(Clone, PartialEq, Message)]
pub struct Providers {
    #[prost(message, repeated, tag = "1")]
    pub providers: Vec<ProviderInfo>,
}

/// One provider.
#[derive(Clone, PartialEq, Message)]
pub struct ProviderInfo {
    #[prost(string, tag = "1")]
    pub uuid: String,
    #[prost(string, tag = "2")]
    pub description: String,
    #[prost(string, tag = "3")]
    pub vendor: String,
    #[prost(uint32, tag = "4")]
    pub version_maj: u32,
    #[prost(uint32, tag = "5")]
    pub version_min: u32,
    #[prost(uint32, tag = "6")]
    pub version_rev: u32,
    #[prost(uint32, tag = "7")]
    pub id: u32,
    /// Extension: why its device does not answer; empty if it does.
    #[prost(string, tag = "100")]
    pub away: String,
}

/// The operations of one provider.
#[derive(Clone, PartialEq, Message)]
pub struct ListOpcodes {
    #[prost(uint32, tag = "1")]
    pub provider_id: u32,
}

/// Result of [`ListOpcodes`].
#[derive(Clone, PartialEq, Message)]
pub struct Opcodes {
    #[prost(uint32, repeated, tag = "1")]
    pub opcodes: Vec<u32>,
}

/// The authenticators, the preferred one first.
#[derive(Clone, PartialEq, Message)]
pub struct ListAuthenticators {}

/// Result of [`ListAuthenticators`].
#[derive(Clone, PartialEq, Message)]
pub struct Authenticators {
    #[prost(message, repeated, tag = "1")]
    pub authenticators: Vec<AuthenticatorInfo>,
}

/// One authenticator.
#[derive(Clone, PartialEq, Message)]
pub struct AuthenticatorInfo {
    #[prost(string, tag = "1")]
    pub description: String,
    #[prost(uint32, tag = "2")]
    pub version_maj: u32,
    #[prost(uint32, tag = "3")]
    pub version_min: u32,
    #[prost(uint32, tag = "4")]
    pub version_rev: u32,
    #[prost(uint32, tag = "5")]
    pub id: u32,
}

/// The caller's own keys, of every provider.
#[derive(Clone, PartialEq, Message)]
pub struct ListKeys {}

/// Result of [`ListKeys`].
#[derive(Clone, PartialEq, Message)]
pub struct Keys {
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<KeyInfo>,
}

/// One key.
#[derive(Clone, PartialEq, Message)]
pub struct KeyInfo {
    #[prost(uint32, tag = "1")]
    pub provider_id: u32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub attributes: Option<KeyAttributes>,
}

/// The applications that own keys.
#[derive(Clone, PartialEq, Message)]
pub struct ListClients {}

/// Result of [`ListClients`].
#[derive(Clone, PartialEq, Message)]
pub struct Clients {
    #[prost(string, repeated, tag = "1")]
    pub clients: Vec<String>,
}

/// Destroys every key of one application.
#[derive(Clone, PartialEq, Message)]
pub struct DeleteClient {
    #[prost(string, tag = "1")]
    pub client: String,
}

/// Opens the extensions on this connection.
#[derive(Clone, PartialEq, Message)]
pub struct Hello {
    /// Highest version of the extensions that the client knows; 1 is the first.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Name and version of the program, for the log.
    #[prost(string, tag = "2")]
    pub client: String,
    /// 16 random bytes, the same on all connections of one process: its volatile keys live as long as one of these. Empty: it
    /// makes none.
    #[prost(bytes = "vec", tag = "3")]
    pub application: Vec<u8>,
}

/// Result of [`Hello`].
#[derive(Clone, PartialEq, Message)]
pub struct Welcome {
    /// The version of the extensions that will be spoken.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Name and version of the service.
    #[prost(string, tag = "2")]
    pub service: String,
    /// Who the caller is, such as `uid:33`; empty when it did not authenticate.
    #[prost(string, tag = "3")]
    pub principal: String,
    /// Longest request body in bytes.
    #[prost(uint64, tag = "4")]
    pub body_limit: u64,
}

/// How the service is doing.
#[derive(Clone, PartialEq, Message)]
pub struct ServiceStatus {}

/// Result of [`ServiceStatus`].
#[derive(Clone, PartialEq, Message)]
pub struct ServiceReport {
    #[prost(string, tag = "1")]
    pub version: String,
    /// Seconds since the start.
    #[prost(uint64, tag = "2")]
    pub uptime: u64,
    /// Open now.
    #[prost(uint64, tag = "3")]
    pub connections: u64,
    /// Answered since the start.
    #[prost(uint64, tag = "4")]
    pub requests: u64,
    /// In the store.
    #[prost(uint64, tag = "5")]
    pub keys: u64,
    /// Keys in the store that their hardware does not show at present.
    #[prost(uint64, tag = "6")]
    pub missing: u64,
    /// Connections that were closed since the start to make room for others.
    #[prost(uint64, tag = "7")]
    pub made_room: u64,
    #[prost(message, repeated, tag = "8")]
    pub quotas: Vec<Quota>,
}

/// One limit of the service's `[quotas]`.
#[derive(Clone, PartialEq, Message)]
pub struct Quota {
    /// Its key in the configuration.
    #[prost(string, tag = "1")]
    pub name: String,
    /// How much the caller has.
    #[prost(uint64, tag = "2")]
    pub used: u64,
    /// How much the caller may have.
    #[prost(uint64, tag = "3")]
    pub limit: u64,
    /// How often it has refused anybody since the start; told to administrators.
    #[prost(uint64, tag = "4")]
    pub refused: u64,
    /// Who has most, in this order; told to administrators.
    #[prost(message, repeated, tag = "5")]
    pub greediest: Vec<Share>,
}

/// How much somebody has.
#[derive(Clone, PartialEq, Message)]
pub struct Share {
    #[prost(string, tag = "1")]
    pub principal: String,
    #[prost(uint64, tag = "2")]
    pub used: u64,
}
