//! The bodies.

use std::thread;
use std::time::Duration;

use serde_bytes::ByteBuf;

pub fn number(number: u64) -> u64 {
    2 * number
}

pub fn text(length: usize) -> String {
    "x".repeat(length)
}

pub fn bytes(length: usize) -> Vec<u8> {
    vec![b'x'; length]
}

pub fn byte_string(length: usize) -> ByteBuf {
    ByteBuf::from(bytes(length))
}

pub fn floats(length: usize) -> Vec<f64> {
    vec![1.5; length / size_of::<f64>()]
}

pub fn sleep(seconds: u64) -> u64 {
    thread::sleep(Duration::from_secs(seconds));
    seconds
}
