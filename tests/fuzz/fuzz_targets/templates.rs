#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| parsec_pkcs11::fuzz::templates(data));
