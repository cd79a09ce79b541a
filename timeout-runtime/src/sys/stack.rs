//! The stack of this thread as addresses; resolving them to names is the caller's part, which has
//! the same program mapped at the same place, or at one that is known here.
//!
//! # Safety
//!
//! The unwinder is asked without its crate's lock, which another thread may have held at the fork.
//! What the lock guards is the table of symbols, which is not touched here.
#![cfg_attr(feature = "backtrace", expect(unsafe_code, reason = "see the heading"))]

/// Calls `visit` with each address, innermost first, as long as it wants more.
#[cfg(feature = "backtrace")]
pub(crate) fn each(mut visit: impl FnMut(u64) -> bool) {
    let mut visit = |address: u64| {
        #[cfg(feature = "pool")]
        let Some(address) = super::image::for_reader(address) else { return true };
        visit(address)
    };
    // SAFETY: see the heading.
    unsafe { backtrace::trace_unsynchronized(|frame| visit(frame.ip() as u64)) };
}

/// Without the feature `backtrace` there are no stacks.
#[cfg(not(feature = "backtrace"))]
pub(crate) fn each(_: impl FnMut(u64) -> bool) {}

/// More of a stack is not taken.
pub(crate) const MOST: usize = 256;

pub(crate) fn addresses() -> Vec<u64> {
    let mut addresses = Vec::new();
    each(|address| {
        addresses.push(address);
        addresses.len() < MOST
    });
    addresses
}
