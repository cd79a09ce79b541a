//! The last resort: the kernel itself ends a child that nobody ended.
//!
//! # Safety
//!
//! `timer_create(2)` and `timer_settime(2)`, with arguments that live through the calls.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[cfg(target_pointer_width = "64")]
use super::kernel::{self, from, into};

/// In a fresh child: SIGKILL after this time, on the monotonic clock, whatever signals the body
/// blocks. A program that the body becomes by `exec` has no such timer.
///
/// The caller is first, unless it was killed, is stopped, or does not look at its call.
#[inline]
pub(crate) fn light_fuse(after: Duration) {
    // Where there is none to be had (RLIMIT_SIGPENDING), there is no last resort.
    let _ = FUSE.light(libc::CLOCK_MONOTONIC, libc::SIGKILL, after);
}

/// As [`light_fuse`], again and again; zero puts it out.
#[cfg(feature = "pool")]
pub(crate) fn relight_fuse(after: Duration) {
    if after.is_zero() {
        FUSE.put_out();
    } else {
        light_fuse(after);
    }
}

static FUSE: Timer = Timer::none();

#[inline]
pub(super) fn forget() {
    FUSE.forget();
}

/// A timer that ends with the process: made when it is first lit.
pub(super) struct Timer {
    is_made: AtomicBool,
    timer: AtomicUsize,
}

impl Timer {
    pub(super) const fn none() -> Self {
        Self { is_made: AtomicBool::new(false), timer: AtomicUsize::new(0) }
    }

    #[inline]
    pub(super) fn forget(&self) {
        // To write costs a fresh child more than to look.
        if self.is_made.load(Ordering::Relaxed) {
            self.is_made.store(false, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn light(
        &self,
        clock: libc::clockid_t,
        signal: i32,
        after: Duration,
    ) -> io::Result<()> {
        if !self.is_made.load(Ordering::Relaxed) {
            // SAFETY: zero is valid for it, and it is completed below.
            let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = signal;
            self.timer.store(create(clock, &mut event)?, Ordering::Relaxed);
            self.is_made.store(true, Ordering::Relaxed);
        }
        set(self.timer.load(Ordering::Relaxed), after);
        Ok(())
    }

    #[cfg(feature = "pool")]
    pub(super) fn put_out(&self) {
        if self.is_made.load(Ordering::Relaxed) {
            set(self.timer.load(Ordering::Relaxed), Duration::ZERO);
        }
    }
}

#[inline]
fn set(timer: usize, after: Duration) {
    // SAFETY: zero is valid for it, and it is completed below.
    let mut time: libc::itimerspec = unsafe { std::mem::zeroed() };
    time.it_value.tv_sec = after.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    time.it_value.tv_nsec = after.subsec_nanos().into();
    start(timer, &time);
}

/// By the kernel's own calls, where its structures are the C library's: the code of that is one more page
/// for a fresh child to be given.
#[cfg(target_pointer_width = "64")]
#[inline]
fn create(clock: libc::clockid_t, event: &mut libc::sigevent) -> io::Result<usize> {
    let mut timer: libc::c_int = 0;
    let clock = clock.unsigned_abs() as usize;
    // SAFETY: both live through the call.
    unsafe { kernel::call(libc::SYS_timer_create, [clock, into(event), into(&mut timer)]) }?;
    usize::try_from(timer).map_err(io::Error::other)
}

#[cfg(target_pointer_width = "64")]
#[inline]
fn start(timer: usize, time: &libc::itimerspec) {
    // SAFETY: a timer of this process; the time lives through the call.
    let _ = unsafe { kernel::call(libc::SYS_timer_settime, [timer, 0, from(time), 0]) };
}

#[cfg(not(target_pointer_width = "64"))]
fn create(clock: libc::clockid_t, event: &mut libc::sigevent) -> io::Result<usize> {
    let mut timer: libc::timer_t = std::ptr::null_mut();
    // SAFETY: both live through the call.
    nix::errno::Errno::result(unsafe {
        libc::timer_create(clock, &raw mut *event, &raw mut timer)
    })?;
    Ok(timer.addr())
}

#[cfg(not(target_pointer_width = "64"))]
fn start(timer: usize, time: &libc::itimerspec) {
    let timer = std::ptr::without_provenance_mut(timer);
    // SAFETY: as above.
    unsafe { libc::timer_settime(timer, 0, &raw const *time, std::ptr::null_mut()) };
}
