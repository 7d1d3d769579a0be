//! Foreign software against this service, and its shims against upstream Parsec.
