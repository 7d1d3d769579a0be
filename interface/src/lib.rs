//! The Parsec wire protocol, its operations, and a small blocking client.
