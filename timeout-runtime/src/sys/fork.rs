//! `fork(2)`, with no window in which the wrong thing can happen.
//!
//! # Safety
//!
//! `fork` in a program with threads leaves the child one thread and every lock as it was. Rust
//! code in the child is sound, but may wait for ever on a lock that another thread held. What this
//! library itself touches there is chosen so that it cannot: no environment, no standard streams
//! before `output::settle_in_child`, no lock that another thread of the caller may hold, and the
//! allocator only because `fork` (unlike a raw `clone`) runs its fork handlers.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::time::Duration;

use nix::unistd::{ForkResult, Pid, getppid};

use super::platform::{Process, forget_timers, group_number, process_number, tie_to};
use super::{exit, signal};

/// Which side one is on after a fork.
pub(crate) enum Side {
    Child,
    Caller(Process),
}

/// Forks. The child leads its own process group, and has not run anything before the caller holds a handle
/// on it. Its signals have their defaults, but for those that it is prepared for before any of them comes.
///
/// Pid reuse: whatever is signalled or reaped later is addressed by that handle, which names the
/// process and not its number. The handle itself is taken while the child is certainly there,
/// because the child waits at [`gate`] until the caller has taken it. So no step of a call can hit
/// a stranger, even if other code reaps the child with `waitpid(-1)`.
#[inline]
pub(crate) fn fork(prepare: impl FnOnce()) -> io::Result<Side> {
    let caller = Pid::from_raw(process_number());
    // Held back on both sides: the child must not run the caller's handlers, and a SIGCHLD handler
    // of the caller must not reap before the handle is there.
    let held_back = signal::HeldBack::all();
    // SAFETY: see the heading.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            // Not restored here: the child's mask is reset, not inherited.
            std::mem::forget(held_back);
            tie_to(caller);
            gate(caller);
            signal::reset_in_child();
            prepare();
            signal::let_through();
            forget_timers();
            Ok(Side::Child)
        }
        ForkResult::Parent { child } => take(child).map(Side::Caller),
    }
}

/// Takes hold of the child, then opens its gate.
fn take(child: Pid) -> io::Result<Process> {
    let taken = Process::open(child).and_then(|process| {
        nix::unistd::setpgid(child, child)?;
        Ok(process)
    });
    if taken.is_err() {
        // It waits at the gate, so it is alive and the number is its own.
        let _ = nix::sys::signal::kill(child, nix::sys::signal::SIGKILL);
        let _ = super::retry(|| nix::sys::wait::waitpid(child, None));
    }
    taken
}

/// Waits until the caller has made this process a group leader, which it does once it has a
/// handle on it. The caller is usually first: then this is one system call.
#[inline]
fn gate(caller: Pid) {
    let own = process_number();
    let mut looks = 0u32;
    while group_number() != own {
        if getppid() != caller {
            exit::now(1);
        }
        looks += 1;
        if looks < 64 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}
