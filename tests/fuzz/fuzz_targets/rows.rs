#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| parsec_service::fuzz::rows(data));
