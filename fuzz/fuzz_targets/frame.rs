#![no_main]
//! What a child wrote into the pipe, whatever it is.

libfuzzer_sys::fuzz_target!(|input: &[u8]| timeout_runtime::fuzzing::frame(input));
