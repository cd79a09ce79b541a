//! zygote: one process, forked early, that does one call after the other; no limit.

use zygote::Zygote;

use super::work;

/// As early as can be: it is a copy of the caller.
pub fn init() {
    Zygote::init();
}

pub fn number(number: u64) -> u64 {
    Zygote::global().run(work::number, number)
}

pub fn bytes(length: usize) -> Vec<u8> {
    Zygote::global().run(work::bytes, length)
}

pub fn text(length: usize) -> String {
    Zygote::global().run(work::text, length)
}
