#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::runtimes::body(data));
