//! The corpus of the OpenSSL provider's target. A program holds only one of the shims, because each brings an allocator.

#[test]
fn parameters() {
    fuzz::replay("parameters", 5_000, parsec_openssl::fuzz::parameters);
}
