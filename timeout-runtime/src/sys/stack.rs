//! The stack of this thread as addresses; resolving them to names is the caller's part, which has
//! the same program mapped at the same place, or at one that is known here.
//!
//! # Safety
//!
//! The unwinder is asked without its crate's lock, which another thread may have held at the fork.
//! What the lock guards is the table of symbols, which is not touched here. The unwinder itself takes
//! no lock and allocates nothing where it finds frames by `_dl_find_object` (glibc 2.35).
#![cfg_attr(feature = "backtrace", expect(unsafe_code, reason = "see the heading"))]

/// More of the stack of a panic is not taken.
pub(crate) const MOST: usize = 256;

/// Of this thread, innermost first; that of a body up to where the body begins.
pub(crate) fn addresses() -> Vec<u64> {
    let mut addresses = Vec::new();
    each_from(None, super::slate::base_of_this_thread(), |address| {
        addresses.push(address);
        addresses.len() < MOST
    });
    addresses
}

/// Calls `visit` with each address, innermost first, as long as it wants more. From the place at which
/// a handler interrupted the thread, if that is known, and up to the part of the stack that is beyond
/// `end`, if that is not zero.
///
/// Each is a return address, which is behind its call. The place of an interruption is made to look
/// like one.
#[cfg(feature = "backtrace")]
pub(super) fn each_from(at: Option<u64>, end: usize, mut visit: impl FnMut(u64) -> bool) {
    let mut visit = |address: u64| {
        #[cfg(feature = "pool")]
        let Some(address) = super::image::for_reader(address) else { return true };
        visit(address)
    };
    let mut is_behind = at.is_some();
    let mut was_within = false;
    let mut each = |frame: &backtrace::Frame| {
        let address = frame.ip() as u64;
        if is_behind {
            is_behind = Some(address) != at;
            return is_behind || visit(address.wrapping_add(1));
        }
        // Where a body has stacks of its own, they may be on either side.
        let is_within = frame.sp().addr() <= end;
        let is_beyond = end != 0 && was_within && !is_within;
        was_within = is_within;
        !is_beyond && visit(address)
    };
    // SAFETY: see the heading.
    unsafe { backtrace::trace_unsynchronized(&mut each) };
    if let Some(at) = at.filter(|_| is_behind) {
        // There is no way from the handler to it: then it is all that is known.
        visit(at.wrapping_add(1));
    }
}

/// Without the feature `backtrace` there are no stacks.
#[cfg(not(feature = "backtrace"))]
pub(super) fn each_from(_: Option<u64>, _: usize, _: impl FnMut(u64) -> bool) {}
