//! The last resort: the kernel itself ends a child that nobody ended.
//!
//! # Safety
//!
//! `timer_create(2)` and `timer_settime(2)`, with arguments that live through the calls.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// In a fresh child: SIGKILL after this time, on the monotonic clock, whatever signals the body
/// blocks. A program that the body becomes by `exec` has no such timer.
///
/// The caller is first, unless it was killed, is stopped, or does not look at its call.
pub(crate) fn light_fuse(after: Duration) {
    // SAFETY: zero is valid for it, and it is completed below.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGKILL;
    let mut timer = ptr::null_mut();
    // SAFETY: both live through the call; the timer ends with the process. Where there is none to be
    // had (RLIMIT_SIGPENDING), there is no last resort.
    if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } == 0 {
        TIMER.store(timer, Ordering::Relaxed);
        set(timer, after);
    }
}

/// The timer of this process.
static TIMER: AtomicPtr<libc::c_void> = AtomicPtr::new(NONE);
const NONE: *mut libc::c_void = ptr::without_provenance_mut(usize::MAX);

/// As [`light_fuse`], again and again; zero puts it out.
#[cfg(feature = "pool")]
pub(crate) fn relight_fuse(after: Duration) {
    match TIMER.load(Ordering::Relaxed) {
        NONE if after.is_zero() => {}
        NONE => light_fuse(after),
        timer => set(timer, after),
    }
}

fn set(timer: *mut libc::c_void, after: Duration) {
    // SAFETY: zero is valid for it, and it is completed below.
    let mut time: libc::itimerspec = unsafe { std::mem::zeroed() };
    time.it_value.tv_sec = after.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    time.it_value.tv_nsec = after.subsec_nanos().into();
    // SAFETY: a timer of this process; the time lives through the call.
    unsafe { libc::timer_settime(timer, 0, &raw const time, ptr::null_mut()) };
}
