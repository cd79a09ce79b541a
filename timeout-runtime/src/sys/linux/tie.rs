//! What ties a child to its caller: it ends when the caller ends, and takes along all that it has
//! started.
//!
//! The kernel sends a signal to a child when the thread that forked it has ended
//! (`PR_SET_PDEATHSIG`). It could be SIGKILL, but then nobody would be left to find the descendants.
//! So it is a signal that the child handles: the handler ends them, and then the child. A program
//! that the body has become by `exec` has no handler, and is ended by that signal itself.
//!
//! # Safety
//!
//! The handler makes system calls alone, and does not return to a body whose caller is gone.
#![expect(unsafe_code, reason = "see the heading")]

use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getppid};

use super::kernel;
use super::signals::{handle, last_signal};
use super::tree;

/// A real-time signal: the standard ones have meanings.
fn signal() -> i32 {
    last_signal()
}

static CALLER: AtomicI32 = AtomicI32::new(0);

/// In a fresh child, while signals are held back: it is to be told of the caller's end, and adopts
/// what is orphaned below it. A caller that ended before this is noticed at the gate of the fork.
#[inline]
pub(crate) fn tie_to(caller: Pid) {
    CALLER.store(caller.as_raw(), Ordering::Relaxed);
    tie_this_thread();
    set(libc::PR_SET_CHILD_SUBREAPER, 1);
}

/// In a child whose body has a thread of its own: the tie is each thread's, and a program that the body
/// becomes by `exec` has that of the thread that did so.
#[inline]
pub(crate) fn tie_this_thread() {
    set(libc::PR_SET_PDEATHSIG, signal().unsigned_abs() as usize);
}

#[inline]
fn set(option: libc::c_int, value: usize) {
    let option = option.unsigned_abs() as usize;
    // SAFETY: integers alone; nix takes no real-time signals. It cannot fail with a valid signal.
    let _ = unsafe { kernel::call(libc::SYS_prctl, [option, value, 0, 0, 0]) };
}

/// In a fresh child, before signals are let through.
#[inline]
pub(crate) fn end_with_caller() {
    let flags = libc::SA_SIGINFO | libc::SA_RESTART;
    handle(signal(), on_signal as *const () as usize, flags);
}

extern "C" fn on_signal(number: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let caller = Pid::from_raw(CALLER.load(Ordering::Relaxed));
    // The handler is inherited by what the body forks, and the tie is not.
    let is_tied = crate::current::child().is_some();
    if is_tied && getppid() != caller {
        // The kernel tells of each thread of the caller, so two threads may be here at once.
        if tree::try_end_own() {
            let _ = kill(getpid(), Signal::SIGKILL);
        }
        return;
    }
    // SAFETY: the kernel gives a handler of this kind a valid one; a signal of `SI_USER` has a pid.
    let is_of_caller =
        unsafe { (*info).si_code == libc::SI_USER && (*info).si_pid() == caller.as_raw() };
    // A thread of the caller has ended: that of a `Call` may.
    if is_of_caller {
        return;
    }
    // Somebody else's: what it does to a process that does not expect it.
    // SAFETY: no handler is installed. It is delivered when this one returns.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}
