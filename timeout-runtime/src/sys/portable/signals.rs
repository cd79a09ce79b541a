//! The signals of a fresh child.
//!
//! # Safety
//!
//! Calls with arguments that live through them, for which zero is valid: the default, no flags, an empty
//! mask. No handler is installed.
#![expect(unsafe_code, reason = "see the heading")]

use std::mem::zeroed;
use std::ptr;

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: see the heading.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
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

pub(crate) fn hold_none_back() {
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
