//! The keys of a Parsec service as a PKCS#11 module.
