//! The way out of a child that runs nothing of the caller's.
//!
//! # Safety
//!
//! One system call.
#![expect(unsafe_code, reason = "see the heading")]

/// `_exit(2)`: no exit handlers, no destructors, no flushing. `exit(3)` would run the caller's.
#[inline]
pub(crate) fn now(code: i32) -> ! {
    // SAFETY: it ends the process; there is nothing after it to be unsound.
    unsafe { libc::_exit(code) }
}
