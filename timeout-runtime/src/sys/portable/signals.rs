//! The signals of a fresh child.
//!
//! # Safety
//!
//! Calls with arguments that live through them, for which zero is valid: the default, no flags, an empty
//! mask.
#![expect(unsafe_code, reason = "see the heading")]

use std::mem::zeroed;
use std::ptr;

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

pub(crate) struct Action(libc::sigaction);

#[cfg(target_os = "linux")]
pub(crate) fn last_signal() -> i32 {
    libc::SIGRTMAX()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn last_signal() -> i32 {
    31
}

/// The C library knows.
pub(crate) fn way_back() {}

/// Installs a handler of the kind that the flags say. What was there before.
pub(crate) fn handle(signal: i32, handler: usize, flags: i32) -> Action {
    // SAFETY: see the heading.
    unsafe {
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = (zeroed(), zeroed());
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        libc::sigaction(signal, &raw const action, &raw mut before);
        Action(before)
    }
}

impl Action {
    pub(crate) fn handler(&self) -> usize {
        self.0.sa_sigaction
    }

    pub(crate) fn put_back(&self, signal: i32) {
        // SAFETY: see the heading.
        unsafe { libc::sigaction(signal, &raw const self.0, ptr::null_mut()) };
    }
}

pub(crate) fn is_handled(signal: i32) -> bool {
    // SAFETY: see the heading.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
    }
}

/// The stack for handlers.
///
/// # Safety
///
/// As for `sigaltstack(2)`.
pub(crate) unsafe fn alternate_stack(new: *const libc::stack_t, old: *mut libc::stack_t) {
    // SAFETY: the caller's.
    unsafe { libc::sigaltstack(new, old) };
}

/// It fails for those that the C library keeps to itself, and changes nothing then.
pub(crate) fn set_default(signal: i32) {
    // SAFETY: see the heading.
    unsafe {
        let action: libc::sigaction = zeroed();
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

/// The timer that sends SIGALRM.
pub(crate) fn set_alarm(timer: &libc::itimerval) {
    // SAFETY: see the heading; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const *timer, ptr::null_mut()) };
}

/// Whether this thread holds any back.
#[cfg(feature = "pool")]
pub(crate) fn holds_back() -> bool {
    use nix::sys::signal::SigSet;

    SigSet::thread_get_mask() != Ok(SigSet::empty())
}

pub(crate) fn hold_none_back() {
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
