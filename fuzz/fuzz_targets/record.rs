#![no_main]
//! The payloads of the library's own records.

libfuzzer_sys::fuzz_target!(|input: &[u8]| timeout_runtime::fuzzing::record(input));
