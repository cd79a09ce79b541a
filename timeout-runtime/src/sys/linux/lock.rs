//! Whether a process waits for a lock that nobody is left to release.
//!
//! Each thread says in `/proc/PID/task/TID/syscall` what it asked the kernel for. If all of them sit
//! in a `futex(2)` of this process alone, without a time limit, none can wake another. They are asked
//! one after the other, and may wake each other meanwhile; but then they were scheduled, which the
//! kernel counts. So two looks with the same words and counts are proof: there was a moment, between
//! the two, at which all of them waited.

use std::fs;

/// Two looks, a little apart.
pub(super) fn is_waited_for(process: i32) -> bool {
    let Some(first) = waits(process) else { return false };
    std::thread::yield_now();
    waits(process) == Some(first)
}

/// What each thread says, and how often it was scheduled; `None` as soon as one of them says
/// something else.
fn waits(process: i32) -> Option<Vec<(String, String)>> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let waits = threads.map(|thread| {
        let thread = thread.ok()?.path();
        let said = fs::read_to_string(thread.join("syscall")).ok()?;
        let status = fs::read_to_string(thread.join("status")).ok()?;
        let (_, switches) = status.split_once("voluntary_ctxt_switches:")?;
        is_lock(&said).then(|| (said, switches.to_owned()))
    });
    waits.collect()
}

/// Number of the system call, its six arguments, stack pointer and program counter.
fn is_lock(said: &str) -> bool {
    /// `FUTEX_WAIT` and `FUTEX_WAIT_BITSET`, within one process; with the clock of the limit.
    const OPERATIONS: [u64; 2] = [128, 128 | 9];
    const REALTIME: u64 = 256;

    let mut words = said.split(' ');
    let is_futex = words.next().and_then(|word| word.parse().ok()) == Some(libc::SYS_futex);
    let mut argument = |index| {
        let word: &str = words.nth(index)?;
        u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
    };
    // The address comes first, the value third, and then the limit.
    let operation = argument(1).map(|operation| operation & !REALTIME & 0xffff_ffff);
    is_futex && operation.is_some_and(|it| OPERATIONS.contains(&it)) && argument(1) == Some(0)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::Timeout;
    use crate::sys::signal::take_over_sigterm;

    /// What is to come of a process that goes on by itself.
    fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            match look() {
                Some(seen) => return seen,
                None => assert!(start.elapsed() < Duration::from_secs(60)),
            }
        }
    }

    #[test]
    fn who_was_awake_in_between_did_not_wait_for_ever() {
        let body = || {
            take_over_sigterm();
            loop {
                thread::park();
            }
        };
        let call = Timeout::new(None::<u8>).grace(0).start::<(), _>(body).unwrap();
        let child = i32::try_from(call.id()).unwrap();
        let first = eventually(|| waits(child));
        assert_eq!(waits(child).as_ref(), Some(&first));
        kill(Pid::from_raw(child), Signal::SIGTERM).unwrap();
        // It handles the signal, and says the same words again.
        let second = eventually(|| waits(child).filter(|second| *second != first));
        assert_eq!(first[0].0, second[0].0);
        drop(call);
    }

    #[test]
    fn a_wait_for_a_lock_is_told_from_others() {
        let futex = |operation, limit| {
            format!(
                "{} 0x7f01 {operation} 0x2 {limit} 0x0 0xffffffff 0x7ffd 0x7f22\n",
                libc::SYS_futex
            )
        };
        assert!(is_lock(&futex("0x80", "0x0")));
        assert!(is_lock(&futex("0x189", "0x0")));
        // Until a time; a wake-up; between processes; something else.
        assert!(!is_lock(&futex("0x189", "0x7ffd10")));
        assert!(!is_lock(&futex("0x81", "0x0")));
        assert!(!is_lock(&futex("0x0", "0x0")));
        assert!(!is_lock("running\n"));
        assert!(!is_lock("35 0x7f01 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f22\n"));
    }
}
