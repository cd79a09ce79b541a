//! The signals of a fresh child, by the kernel's own calls: the C library's wrap the same in more code, each
//! page of which a fresh child has to be given.
//!
//! # Safety
//!
//! System calls with arguments that live through them. A handler is installed as the C library would, which
//! gives the kernel a way back from it: learned from one that is there.
#![expect(unsafe_code, reason = "see the heading")]

use std::hint::black_box;
use std::ptr;

use super::kernel::{self, from, into};
use crate::sys::cell::Published;

/// As the kernel has it: a handler, flags, the way back, a mask. Zeros are the default.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Action {
    handler: usize,
    flags: u64,
    way_back: u64,
    mask: u64,
}

/// That the way back is there; the C library keeps the name to itself.
const HAS_WAY_BACK: u64 = 0x0400_0000;

/// How long the kernel's set of signals is.
const SET: usize = size_of::<u64>();

/// The first real-time signals are the C library's own: it needs their handlers, and would refuse.
#[inline]
fn is_reserved(signal: i32) -> bool {
    let last = if cfg!(target_env = "gnu") { 33 } else { 34 };
    (32..=last).contains(&signal)
}

/// The highest of the real-time ones.
#[inline]
pub(crate) fn last_signal() -> i32 {
    64
}

#[inline]
fn number(signal: i32) -> usize {
    signal.unsigned_abs() as usize
}

#[inline]
fn action_of(signal: i32) -> Action {
    let mut action = Action::default();
    // SAFETY: see the heading.
    unsafe {
        let _ = kernel::call(libc::SYS_rt_sigaction, [number(signal), 0, into(&mut action), SET]);
    }
    action
}

#[inline]
fn set(signal: i32, action: &Action) {
    // SAFETY: see the heading.
    unsafe {
        let _ = kernel::call(libc::SYS_rt_sigaction, [number(signal), from(action), 0, SET]);
    }
}

/// How a handler gets back, by flag and address: asked in the caller, for each child. `None`: not known.
#[inline]
pub(crate) fn way_back() -> Option<(u64, u64)> {
    static KNOWN: Published<Option<(u64, u64)>> = Published::new();

    *KNOWN.get_or(|| {
        // The standard library handles this one.
        let action = action_of(libc::SIGSEGV);
        let is_handled = ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.handler);
        let flag = action.flags & HAS_WAY_BACK;
        let is_known = flag != 0 || cfg!(target_arch = "aarch64");
        (is_handled && is_known).then_some((flag, action.way_back))
    })
}

/// Installs a handler of the kind that the flags say. What was there before.
#[inline]
pub(crate) fn handle(signal: i32, handler: usize, flags: i32) -> Action {
    let mut before = Action::default();
    let Some((flag, way_back)) = way_back() else { return handle_by_c(signal, handler, flags) };
    // As a number and not as half a vector, whose other half would come from yet another page.
    let flags = black_box(u64::from(flags.unsigned_abs())) | flag;
    let action = Action { handler, flags, way_back, mask: 0 };
    // SAFETY: see the heading.
    unsafe {
        let arguments = [number(signal), from(&action), into(&mut before), SET];
        let _ = kernel::call(libc::SYS_rt_sigaction, arguments);
    }
    before
}

#[cold]
fn handle_by_c(signal: i32, handler: usize, flags: i32) -> Action {
    let before = action_of(signal);
    // SAFETY: zero is valid for it, and it is completed here; it lives through the call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
    before
}

impl Action {
    #[inline]
    pub(crate) fn handler(&self) -> usize {
        self.handler
    }

    #[cold]
    pub(crate) fn put_back(&self, signal: i32) {
        set(signal, self);
    }
}

#[inline]
pub(crate) fn is_handled(signal: i32) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&action_of(signal).handler)
}

/// The stack for handlers.
///
/// # Safety
///
/// As for `sigaltstack(2)`.
#[inline]
pub(crate) unsafe fn alternate_stack(new: *const libc::stack_t, old: *mut libc::stack_t) {
    // SAFETY: the caller's.
    let _ = unsafe {
        kernel::call(libc::SYS_sigaltstack, [new.expose_provenance(), old.expose_provenance()])
    };
}

#[inline]
pub(crate) fn set_default(signal: i32) {
    if !is_reserved(signal) {
        set(signal, &Action::default());
    }
}

/// The timer that sends SIGALRM.
#[inline]
pub(crate) fn set_alarm(timer: &libc::itimerval) {
    let real = number(libc::ITIMER_REAL);
    // SAFETY: see the heading; the old one is not asked for.
    let _ = unsafe { kernel::call(libc::SYS_setitimer, [real, from(timer), 0]) };
}

/// Whether this thread holds any back.
#[cfg(feature = "pool")]
pub(crate) fn holds_back() -> bool {
    let mut held_back = 0u64;
    // SAFETY: see the heading.
    let asked = unsafe {
        let how = number(libc::SIG_BLOCK);
        kernel::call(libc::SYS_rt_sigprocmask, [how, 0, into(&mut held_back), SET])
    };
    asked.is_err() || held_back != 0
}

#[inline]
pub(crate) fn hold_none_back() {
    let none = 0u64;
    // SAFETY: see the heading.
    unsafe {
        let how = number(libc::SIG_SETMASK);
        let _ = kernel::call(libc::SYS_rt_sigprocmask, [how, from(&none), 0, SET]);
    }
}
