//! The stack of this thread as addresses; resolving them to names is the caller's part, which has
//! the same program mapped at the same place.
//!
//! # Safety
//!
//! The unwinder is asked without its crate's lock, which another thread may have held at the fork.
//! What the lock guards is the table of symbols, which is not touched here.
#![expect(unsafe_code, reason = "see the heading")]

const MOST: usize = 256;

pub(crate) fn addresses() -> Vec<u64> {
    let mut addresses = Vec::with_capacity(64);
    // SAFETY: see the heading.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            addresses.push(frame.ip() as u64);
            addresses.len() < MOST
        });
    }
    addresses
}
