//! The last resort: the kernel itself ends a child that nobody ended.
//!
//! # Safety
//!
//! `timer_create(2)` and `timer_settime(2)`, with arguments that live through the calls.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// In a fresh child: SIGKILL after this time, on the monotonic clock, whatever signals the body
/// blocks. A program that the body becomes by `exec` has no such timer.
///
/// The caller is first, unless it was killed, is stopped, or does not look at its call.
pub(crate) fn light_fuse(after: Duration) {
    // Where there is none to be had (RLIMIT_SIGPENDING), there is no last resort.
    let _ = light(&FUSE, libc::CLOCK_MONOTONIC, libc::SIGKILL, after);
}

/// As [`light_fuse`], again and again; zero puts it out.
#[cfg(feature = "pool")]
pub(crate) fn relight_fuse(after: Duration) {
    if after.is_zero() {
        put_out(&FUSE);
    } else {
        light_fuse(after);
    }
}

static FUSE: AtomicPtr<libc::c_void> = AtomicPtr::new(NONE);

/// In a fresh child, which has none of its caller's timers.
pub(crate) fn forget_timers() {
    [&FUSE].into_iter().chain(&super::budget::TIMERS).for_each(|timer| {
        timer.store(NONE, Ordering::Relaxed);
    });
}

pub(super) const NONE: *mut libc::c_void = ptr::without_provenance_mut(usize::MAX);

/// A timer that ends with the process: made when it is first lit.
pub(super) fn light(
    place: &AtomicPtr<libc::c_void>,
    clock: libc::clockid_t,
    signal: i32,
    after: Duration,
) -> io::Result<()> {
    let mut timer = place.load(Ordering::Relaxed);
    if timer == NONE {
        // SAFETY: zero is valid for it, and it is completed below.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        // SAFETY: both live through the call.
        if unsafe { libc::timer_create(clock, &raw mut event, &raw mut timer) } != 0 {
            return Err(io::Error::last_os_error());
        }
        place.store(timer, Ordering::Relaxed);
    }
    set(timer, after);
    Ok(())
}

#[cfg(feature = "pool")]
pub(super) fn put_out(place: &AtomicPtr<libc::c_void>) {
    match place.load(Ordering::Relaxed) {
        NONE => {}
        timer => set(timer, Duration::ZERO),
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
