//! Signals: held back around the fork, put back to their defaults in the child.
//!
//! # Safety
//!
//! Dispositions are changed only in a child, by its only thread, before the body runs; the two
//! handlers installed here touch atomics, `write(2)` and `_exit(2)` alone.
#![expect(unsafe_code, reason = "see the heading")]

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction,
};

use super::platform;

/// All signals held back on this thread, until this is dropped.
pub(crate) struct HeldBack(SigSet);

impl HeldBack {
    pub(crate) fn all() -> Self {
        let mut before = SigSet::empty();
        // Cannot fail: the arguments are valid.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
        Self(before)
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}

/// In a fresh child, while all are held back: every handler of the caller is gone, but for those of signals
/// that have another one in a moment.
///
/// A handler of the caller must not run in the child: a self-pipe would tell the *caller* of the
/// child's SIGTERM. Kept are
/// - the handlers of SIGSEGV and SIGBUS: the standard library's tell of a stack overflow;
/// - SIGPIPE, SIGHUP, SIGINT and SIGQUIT where they are ignored: Rust's own start-up, `nohup` and
///   the shell's `&` ignore them for all that a program starts.
#[inline]
pub(crate) fn reset_in_child() {
    const KEPT_IGNORED: [i32; 4] = [libc::SIGPIPE, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];
    const HANDLED: [i32; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGURG];

    for signal in 1..=platform::last_signal() {
        if HANDLED.contains(&signal) || [libc::SIGKILL, libc::SIGSTOP].contains(&signal) {
            continue;
        }
        if !KEPT_IGNORED.contains(&signal) || platform::is_handled(signal) {
            platform::set_default(signal);
        }
    }
}

/// After that: no signal is held back.
#[inline]
pub(crate) fn let_through() {
    platform::end_with_caller();
    platform::hold_none_back();
}

/// In a child whose body has a thread of its own: who sends it one of these means that thread, and not
/// this, which waits for ever.
#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) fn leave_to_the_body() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGURG);
    signals.extend(super::crash::SIGNALS.iter().filter_map(|signal| (*signal).try_into().ok()));
    let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&signals), None);
}

/// Whether SIGTERM has come since [`take_over_sigterm`].
static SIGTERM_CAME: AtomicBool = AtomicBool::new(false);

/// In a child: from now on SIGTERM is noted instead of ending the process.
pub(crate) fn take_over_sigterm() {
    extern "C" fn note(_: i32) {
        SIGTERM_CAME.store(true, Ordering::Relaxed);
    }
    SIGTERM_CAME.store(false, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler stores to an atomic.
    let _ = unsafe { sigaction(Signal::SIGTERM, &action) };
}

/// What a body has done to the signals of the thread that runs the next one.
#[cfg(feature = "pool")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// Some are held back.
    HeldBack,
    /// One of these was sent: it would end the process, or run a body's handler, as soon as it is not.
    Pending,
}

#[cfg(feature = "pool")]
pub(crate) fn left() -> Left {
    match platform::holds_back() {
        false => Left::Nothing,
        true if is_any_pending() => Left::Pending,
        true => Left::HeldBack,
    }
}

/// Between two bodies: what one has done to the signals that end the next, or that it did not ask for.
#[cfg(feature = "pool")]
pub(crate) fn put_back(left: Left) {
    platform::set_default(libc::SIGTERM);
    if left != Left::Nothing {
        platform::hold_none_back();
    }
    set_timer(std::time::Duration::ZERO);
}

#[cfg(feature = "pool")]
fn is_any_pending() -> bool {
    // SAFETY: zero is an empty set.
    let mut pending: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives through the calls.
    unsafe {
        libc::sigpending(&raw mut pending);
        (1..=platform::last_signal())
            .any(|signal| libc::sigismember(&raw const pending, signal) == 1)
    }
}

pub(crate) fn sigterm_came() -> bool {
    SIGTERM_CAME.load(Ordering::Relaxed)
}

/// Runs `handler` if `work` takes longer than `limit`. The handler must not return.
///
/// In a child only: it uses SIGALRM and the real-time interval timer, which a fork starts without.
#[inline]
pub(crate) fn with_alarm<T>(
    limit: std::time::Duration,
    handler: extern "C" fn(i32),
    work: impl FnOnce() -> T,
) -> T {
    platform::handle(libc::SIGALRM, handler as *const () as usize, 0);
    set_timer(limit);
    let result = work();
    set_timer(std::time::Duration::ZERO);
    platform::set_default(libc::SIGALRM);
    result
}

#[inline]
fn set_timer(after: std::time::Duration) {
    // SAFETY: zero is a valid `itimerval`.
    let mut timer: libc::itimerval = unsafe { std::mem::zeroed() };
    timer.it_value.tv_sec = after.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    timer.it_value.tv_usec = after.subsec_micros().into();
    platform::set_alarm(&timer);
}

/// `SIGSEGV`, or `signal 40` for those without a name.
pub(crate) struct Name(pub(crate) i32);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Signal::try_from(self.0) {
            Ok(signal) => f.write_str(signal.as_str()),
            Err(_) => write!(f, "signal {}", self.0),
        }
    }
}
