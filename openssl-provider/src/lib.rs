//! The keys of a Parsec service as an OpenSSL 3 provider.
