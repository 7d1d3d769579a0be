#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| parsec_openssl::fuzz::parameters(data));
