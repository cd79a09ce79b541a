//! The last resort: the kernel itself ends a child that nobody ended.
//!
//! # Safety
//!
//! `timer_create(2)` and `timer_settime(2)`, with arguments that live through the calls.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::time::Duration;

/// In a fresh child: SIGKILL after this time, on the monotonic clock, whatever signals the body
/// blocks. A program that the body becomes by `exec` has no such timer.
///
/// The caller is first, unless it was killed, is stopped, or does not look at its call.
pub(crate) fn light_fuse(after: Duration) {
    // SAFETY: zero is valid for both, which are completed below.
    let (mut event, mut time): (libc::sigevent, libc::itimerspec) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGKILL;
    time.it_value.tv_sec = after.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    time.it_value.tv_nsec = after.subsec_nanos().into();
    let mut timer = ptr::null_mut();
    // SAFETY: all live through the calls; the timer ends with the process. Where there is none to
    // be had (RLIMIT_SIGPENDING), there is no last resort.
    unsafe {
        if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) == 0 {
            libc::timer_settime(timer, 0, &raw const time, ptr::null_mut());
        }
    }
}
