//! The end of a child by itself.
//!
//! # Safety
//!
//! One system call.
#![expect(unsafe_code, reason = "see the heading")]

/// By `_exit(2)`.
pub(crate) fn end(code: i32) -> ! {
    // SAFETY: it ends the process; there is nothing after it to be unsound.
    unsafe { libc::_exit(code) }
}
