//! A word that two processes share: who changes it wakes who waits for that (`futex(2)`).
//!
//! # Safety
//!
//! One system call, with a word and a time that live through it. It may be made in a signal handler.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Returns when the word is no longer that, or soon after this time; or sooner.
pub(crate) fn wait_for_change(word: &AtomicU32, from: u32, at_most: Duration) {
    let time = libc::timespec {
        tv_sec: at_most.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: at_most.subsec_nanos().into(),
    };
    // SAFETY: see the heading.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, from, &raw const time)
    };
}

/// Wakes who waits for this word's change.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: see the heading.
    unsafe {
        let none = ptr::null::<libc::timespec>();
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX, none);
    }
}
