#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::sigv4_git::body(data));
