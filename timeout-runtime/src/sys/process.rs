//! A handle on the child: wait for its end, signal it, reap it.

use std::time::Duration;

pub(crate) use super::platform::Process;
use crate::error::Usage;
use crate::limit::Deadline;
use crate::sys::threads;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Exited(i32),
    Signaled { signal: i32, core_dumped: bool },
}

impl Status {
    /// Out of the status word of `wait(2)`. By hand: nix knows no real-time signals, and would
    /// lose the status of a child that one of them killed.
    pub(super) fn from_raw(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signaled { signal: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) }
        } else {
            Self::Exited(libc::WEXITSTATUS(status))
        }
    }
}

/// Whether a child that was told to end is kept from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    No,
    /// Its descendants go first.
    #[cfg_attr(
        any(timeout_portable, not(target_os = "linux")),
        allow(dead_code, reason = "nothing portable finds them")
    )]
    UntilAlone,
}

/// What a wait saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// At least one of the pipes.
    pub(crate) readable: bool,
    pub(crate) ended: bool,
}

/// After SIGKILL: waits until nobody is left in the group, but not for ever (a process may hang in
/// the kernel, and some containers never reap orphans).
pub(super) fn wait_until(mut is_empty: impl FnMut() -> bool) {
    let mut step = Duration::from_micros(50);
    while !is_empty() && step < Duration::from_secs(1) {
        std::thread::sleep(step);
        step = step * 3 / 2;
    }
}

/// Leaves a child that does not end to a thread that reaps it when it does.
pub(super) fn reap_later(mut process: Process) {
    // Without a thread it stays a zombie when it ends: it is still the caller's own child.
    let _ = threads::Own::start(c"timeout-reaper", move || {
        while !process.wait([None; 2], Deadline::NEVER).ended {}
        process.reap();
    });
}

/// The processor time of this process and of those that it waited for, in microseconds.
#[cfg(feature = "pool")]
pub(crate) fn own_cpu_time() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};

    let of = |who| {
        let Ok(usage) = getrusage(who) else { return 0 };
        let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        (micros(usage.user_time()) + micros(usage.system_time())).unsigned_abs()
    };
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

pub(super) fn usage(usage: &libc::rusage) -> Usage {
    #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
    let seconds = |time: libc::timeval| {
        let micros = time.tv_sec.saturating_mul(1_000_000).saturating_add(i64::from(time.tv_usec));
        Duration::from_micros(micros.try_into().unwrap_or_default())
    };
    // Linux and the BSDs count kibibytes, macOS bytes.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    let peak = u64::try_from(usage.ru_maxrss).unwrap_or_default() * unit;
    Usage::new(seconds(usage.ru_utime) + seconds(usage.ru_stime), peak)
}
