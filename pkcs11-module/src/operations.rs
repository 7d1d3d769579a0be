//! What is under way in a session.

pub(crate) mod active;
pub(crate) mod encryption;
pub(crate) mod message;
pub(crate) mod recover;
pub(crate) mod signature;
