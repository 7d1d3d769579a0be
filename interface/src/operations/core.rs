//! Messages of the operations that the core answers.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::message::{KeyAttributes, messages};

messages! {
    /// Whether the service is there, and which protocol version it speaks.
    Ping {}

    /// Result of [`Ping`].
    Pong {
        1 (uint32) version_maj: u32,
        2 (uint32) version_min: u32,
    }

    /// The providers, the default one first, the core last.
    ListProviders {}

    /// Result of [`ListProviders`].
    Providers { 1 (message, repeated) providers: Vec<ProviderInfo> }

    /// One provider.
    ProviderInfo {
        1 (string) uuid: String,
        2 (string) description: String,
        3 (string) vendor: String,
        4 (uint32) version_maj: u32,
        5 (uint32) version_min: u32,
        6 (uint32) version_rev: u32,
        7 (uint32) id: u32,
        /// Extension: why its device does not answer; empty if it does.
        100 (string) away: String,
    }

    /// The operations of one provider.
    ListOpcodes { 1 (uint32) provider_id: u32 }

    /// Result of [`ListOpcodes`].
    Opcodes { 1 (uint32, repeated) opcodes: Vec<u32> }

    /// The authenticators, the preferred one first.
    ListAuthenticators {}

    /// Result of [`ListAuthenticators`].
    Authenticators { 1 (message, repeated) authenticators: Vec<AuthenticatorInfo> }

    /// One authenticator.
    AuthenticatorInfo {
        1 (string) description: String,
        2 (uint32) version_maj: u32,
        3 (uint32) version_min: u32,
        4 (uint32) version_rev: u32,
        5 (uint32) id: u32,
    }

    /// The caller's own keys, of every provider.
    ListKeys {}

    /// Result of [`ListKeys`].
    Keys { 1 (message, repeated) keys: Vec<KeyInfo> }

    /// One key.
    KeyInfo {
        1 (uint32) provider_id: u32,
        2 (string) name: String,
        3 (message, optional) attributes: Option<KeyAttributes>,
    }

    /// The applications that own keys.
    ListClients {}

    /// Result of [`ListClients`].
    Clients { 1 (string, repeated) clients: Vec<String> }

    /// Destroys every key of one application.
    DeleteClient { 1 (string) client: String }

    /// Opens the extensions on this connection.
    Hello {
        /// Highest version of the extensions that the client knows; 1 is the first.
        1 (uint32) version: u32,
        /// Name and version of the program, for the log.
        2 (string) client: String,
        /// 16 random bytes, the same on all connections of one process: its volatile keys live as long as one of these. Empty: it
        /// makes none.
        3 (bytes = "vec") application: Vec<u8>,
    }

    /// Result of [`Hello`].
    Welcome {
        /// The version of the extensions that will be spoken.
        1 (uint32) version: u32,
        /// Name and version of the service.
        2 (string) service: String,
        /// Who the caller is, such as `uid:33`; empty when it did not authenticate.
        3 (string) principal: String,
        /// Longest request body in bytes.
        4 (uint64) body_limit: u64,
        /// The name that the caller, a user, had when it got its keys, if it has another one now. It has none of them then.
        5 (string) former_user: String,
    }

    /// How the service is doing.
    ServiceStatus {}

    /// Result of [`ServiceStatus`].
    ServiceReport {
        1 (string) version: String,
        /// Seconds since the start.
        2 (uint64) uptime: u64,
        /// Open now.
        3 (uint64) connections: u64,
        /// Answered since the start.
        4 (uint64) requests: u64,
        /// In the store.
        5 (uint64) keys: u64,
        /// Keys in the store that their hardware does not show at present.
        6 (uint64) missing: u64,
        /// Connections that were closed since the start to make room for others.
        7 (uint64) made_room: u64,
        8 (message, repeated) quotas: Vec<Quota>,
    }

    /// One limit of the service's `[quotas]`.
    Quota {
        /// Its key in the configuration.
        1 (string) name: String,
        /// How much the caller has.
        2 (uint64) used: u64,
        /// How much the caller may have.
        3 (uint64) limit: u64,
        /// How often it has refused anybody since the start; told to administrators.
        4 (uint64) refused: u64,
        /// Who has most, in this order; told to administrators.
        5 (message, repeated) greediest: Vec<Share>,
    }

    /// How much somebody has.
    Share {
        1 (string) principal: String,
        2 (uint64) used: u64,
    }
}
