//! Limits that the kernel keeps.
//!
//! Memory by `RLIMIT_DATA`, which since Linux 4.7 counts whatever a process may write to and has for
//! itself alone: the heap, mapped memory, the stacks of threads. The processor by two timers on the
//! clock that the process's own time drives.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::fuse::Timer;
use super::proc;

#[expect(clippy::unnecessary_wraps, reason = "elsewhere it cannot")]
pub(crate) fn can_limit_memory() -> io::Result<()> {
    Ok(())
}

/// The soft limit that a child had before, to be put back.
static BEFORE: AtomicU64 = AtomicU64::new(0);

/// In a child: it may have so much more than it has now.
pub(crate) fn limit_memory(more: u64) -> io::Result<()> {
    let has = proc::data_size().map_err(|error| {
        let why = format!("a memory limit counts from what /proc/self/status says: {error}");
        io::Error::new(error.kind(), why)
    })?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    BEFORE.store(soft, Ordering::Relaxed);
    setrlimit(Resource::RLIMIT_DATA, has.saturating_add(more).min(soft), hard)?;
    Ok(())
}

#[cfg(feature = "pool")]
pub(crate) fn free_memory() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_DATA) {
        // It was in force before.
        let _ = setrlimit(Resource::RLIMIT_DATA, BEFORE.load(Ordering::Relaxed), hard);
    }
}

/// SIGXCPU, and SIGKILL for a body that goes on.
static TIMERS: [Timer; 2] = [const { Timer::none() }; 2];

#[inline]
pub(super) fn forget() {
    TIMERS.iter().for_each(Timer::forget);
}

/// So much more processor time a body has that handles SIGXCPU.
const TO_CLEAN_UP: Duration = Duration::from_secs(1);

/// In a child: so much more processor time, all its threads together.
pub(crate) fn limit_cpu(more: Duration) -> io::Result<()> {
    let clean = more.saturating_add(TO_CLEAN_UP);
    for (timer, (signal, after)) in
        TIMERS.iter().zip([(libc::SIGXCPU, more), (libc::SIGKILL, clean)])
    {
        timer.light(libc::CLOCK_PROCESS_CPUTIME_ID, signal, after)?;
    }
    Ok(())
}

#[cfg(feature = "pool")]
pub(crate) fn free_cpu() {
    TIMERS.iter().for_each(Timer::put_out);
}
