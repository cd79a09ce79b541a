//! The signals of a fresh child, by the kernel's own calls: the C library's wrap the same in more code, each
//! page of which a fresh child has to be given.
//!
//! # Safety
//!
//! Two system calls, with arguments that live through them. No handler is installed.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;

/// As the kernel has it. A zero is the default, no flags, an empty mask, whatever follows in it.
#[repr(C)]
#[derive(Default)]
struct Action {
    handler: usize,
    rest: [u64; 3],
}

/// How long the kernel's set of signals is.
const SET: usize = size_of::<u64>();

/// The first real-time signals are the C library's own: it needs their handlers, and would refuse.
#[inline]
fn is_reserved(signal: i32) -> bool {
    let last = if cfg!(target_env = "gnu") { 33 } else { 34 };
    (32..=last).contains(&signal)
}

#[inline]
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = Action::default();
    // SAFETY: see the heading.
    unsafe {
        let none = ptr::null::<Action>();
        libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, SET);
    }
    action.handler == libc::SIG_IGN
}

#[inline]
pub(crate) fn set_default(signal: i32) {
    if is_reserved(signal) {
        return;
    }
    let action = Action::default();
    // SAFETY: see the heading.
    unsafe {
        let none = ptr::null_mut::<Action>();
        libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, none, SET);
    }
}

/// The timer that sends SIGALRM.
#[inline]
pub(crate) fn set_alarm(timer: &libc::itimerval) {
    let (timer, before) = (&raw const *timer, ptr::null_mut::<libc::itimerval>());
    // SAFETY: see the heading; the old one is not asked for.
    unsafe { libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, timer, before) };
}

#[inline]
pub(crate) fn hold_none_back() {
    let none = 0u64;
    // SAFETY: see the heading.
    unsafe {
        let before = ptr::null_mut::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, before, SET);
    }
}
