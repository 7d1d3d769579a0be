//! The requests to a worker that are no operations of the protocol. Their numbers are none that a client can send.

use prost::Message;

/// A request that a worker answers on its first channel, or on any.
pub(crate) trait Ask: Message + Default {
    /// The number in the header.
    const NUMBER: u32;
    /// The answer's body.
    type Answer: Message + Default;
}

macro_rules! asks {
    ($($number:literal $ask:ident => $answer:ident;)*) => { $(
        impl Ask for $ask {
            const NUMBER: u32 = $number;
            type Answer = $answer;
        }
    )* };
}

asks! {
    0xC000_0001 Open => Token;
    0xC000_0002 Login => LoggedIn;
    0xC000_0003 Serve => Serving;
}

/// Loads the library and finds the token that all of these are true of.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Open {
    #[prost(uint64, optional, tag = "2")]
    pub(crate) slot: Option<u64>,
    #[prost(string, optional, tag = "3")]
    pub(crate) serial: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) label: Option<String>,
}

/// What a token tells of itself.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Token {
    #[prost(string, tag = "1")]
    pub(crate) label: String,
    #[prost(string, tag = "2")]
    pub(crate) manufacturer: String,
    #[prost(string, tag = "3")]
    pub(crate) model: String,
    #[prost(string, tag = "4")]
    pub(crate) serial: String,
    /// Sessions at a time, at most; `None` where the token does not say, or has no limit.
    #[prost(uint64, optional, tag = "5")]
    pub(crate) sessions: Option<u64>,
    /// It does hardly anything for who is not logged in.
    #[prost(bool, tag = "6")]
    pub(crate) login: bool,
    #[prost(bool, tag = "7")]
    pub(crate) locked: bool,
    /// It makes random bytes.
    #[prost(bool, tag = "8")]
    pub(crate) random: bool,
    #[prost(message, repeated, tag = "9")]
    pub(crate) abilities: Vec<Ability>,
    #[prost(uint64, tag = "10")]
    pub(crate) slot: u64,
}

/// A mechanism of a token.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Ability {
    /// Its `CK_MECHANISM_TYPE`.
    #[prost(uint64, tag = "1")]
    pub(crate) mechanism: u64,
    /// Sizes of keys, in bits or bytes, as the mechanism has it.
    #[prost(uint64, tag = "2")]
    pub(crate) least: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) most: u64,
    /// `CKF_…`: those of signing, verifying, encrypting, decrypting, generating and deriving.
    #[prost(uint64, tag = "4")]
    pub(crate) flags: u64,
}

/// Logs in as the token's user.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct Login {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) pin: Vec<u8>,
}

impl Drop for Login {
    fn drop(&mut self) {
        interface::wipe(&mut self.pin);
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// The answer to [`Login`].
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct LoggedIn {}

/// Opens a session for each of the sockets that come with it.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Serve {
    /// There is to be one session, and it serves: not one for the login beside it.
    #[prost(bool, tag = "1")]
    pub(crate) alone: bool,
}

/// The first so many of the sockets are served.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Serving {
    #[prost(uint32, tag = "1")]
    pub(crate) channels: u32,
}

/// What a refusal means for those that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Kind {
    /// Nothing.
    Request = 0,
    /// This worker has lost its token: a new one may find it again.
    Lost = 1,
    /// The token refuses the PIN.
    Pin = 2,
    /// The token does not have the key.
    Missing = 3,
}

/// The body of an answer that is a refusal.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Refusal {
    /// Number of a [`Kind`].
    #[prost(enumeration = "Kind", tag = "1")]
    pub(crate) kind: i32,
    /// Why, for people.
    #[prost(string, tag = "2")]
    pub(crate) detail: String,
}
