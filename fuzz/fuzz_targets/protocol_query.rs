#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::protocol_query::body(data));
