#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| toolway_engine::fuzzing::forwarded(data));
