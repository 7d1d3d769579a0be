//! The corpus of the PKCS#11 module's target. A program holds only one of the shims, because each brings an allocator.

#[test]
fn templates() {
    fuzz::replay("templates", 5_000, parsec_pkcs11::fuzz::templates);
}
