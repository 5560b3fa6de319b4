#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::s3_wire::body(data));
