//! What a process is doing, by a look at each of its threads.
//!
//! A thread says in `/proc/PID/task/TID/syscall` what it asked the kernel for. One that computes says
//! that it runs, and is then what the process is doing; else it is what its first thread waits for that
//! does not wait for another one of them.
//!
//! If all of them sit in a `futex(2)` of this process alone, without a time limit, none can wake
//! another: they wait for a lock that nobody is left to release. They are asked one after the other, and
//! may wake each other meanwhile; but then they were scheduled, which the kernel counts. So two looks
//! with the same words and counts are proof: there was a moment, between the two, at which all of them
//! waited. But each must be asleep as well: who was woken, and waits for a processor to take notice of
//! that, says the same words as before and was not scheduled yet.

use std::fs;

use super::{calls, proc};
use crate::error::Hang;

/// `None` where the kernel does not tell.
pub(super) fn doing(process: i32) -> Option<Hang> {
    let first = look(process)?;
    if first.iter().any(Thread::runs) {
        return Some(Hang::Busy);
    }
    if wait_for_ever(&first) {
        std::thread::yield_now();
        if look(process)? == first {
            return Some(Hang::Lock);
        }
    }
    let of_its_own = first.iter().find(|thread| thread.waits(&first).is_none());
    of_its_own.or(first.first())?.hang(process)
}

/// No more threads are looked at; whether the others wait is not known then.
const MOST: usize = 256;

#[derive(Debug, PartialEq)]
struct Thread {
    number: i32,
    state: u8,
    said: Said,
    /// How often it was scheduled.
    switches: String,
}

/// Of the system call that a thread is in: its number and its arguments.
#[derive(Debug, PartialEq)]
struct Said(Option<(libc::c_long, [u64; 6])>);

/// For what a thread waits, without a limit, that only another thread of its process can bring.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Lock,
    EndOfThread,
}

fn look(process: i32) -> Option<Vec<Thread>> {
    let mut numbers = Vec::new();
    proc::each_thread(process, |thread| numbers.push(thread));
    numbers.into_iter().take(MOST).map(|thread| Thread::read(process, thread)).collect()
}

/// Whether all threads wait for each other, and one at least for a lock.
fn wait_for_ever(threads: &[Thread]) -> bool {
    let waits: Option<Vec<_>> = threads.iter().map(|thread| thread.waits(threads)).collect();
    threads.len() < MOST && waits.is_some_and(|waits| waits.contains(&Wait::Lock))
}

impl Thread {
    fn read(process: i32, number: i32) -> Option<Self> {
        let (mut said, mut status) = ([0; 256], [0; 4096]);
        let path = format_args!("/proc/{process}/task/{number}/syscall\0");
        let said = Said::parse(proc::text(path, &mut said)?);
        // Afterwards, see above.
        let path = format_args!("/proc/{process}/task/{number}/status\0");
        let status = proc::text(path, &mut status)?;
        let (_, state) = status.split_once("State:\t")?;
        let (_, switches) = status.split_once("voluntary_ctxt_switches:")?;
        let state = state.bytes().next()?;
        Some(Self { number, state, said, switches: switches.to_owned() })
    }

    /// Or will when there is a processor.
    fn runs(&self) -> bool {
        self.state == b'R'
    }

    fn waits(&self, threads: &[Self]) -> Option<Wait> {
        let (lock_or_end, value) = self.said.futex()?;
        let is_number = |thread: &Self| u64::from(thread.number.unsigned_abs()) == value;
        match lock_or_end {
            _ if self.state != b'S' => None,
            Futex::Private => Some(Wait::Lock),
            // The kernel wakes who waits for the end of a thread, and knows nothing of a process.
            Futex::Shared => threads.iter().any(is_number).then_some(Wait::EndOfThread),
        }
    }

    fn hang(&self, process: i32) -> Option<Hang> {
        if matches!(self.state, b'T' | b't') {
            return Some(Hang::Stopped);
        }
        let (number, arguments) = self.said.0?;
        if calls::SLEEPS.contains(&number) {
            return Some(Hang::Sleeping);
        }
        let call = calls::name(number);
        let file = calls::takes_file(number).then(|| file(process, arguments[0])).flatten();
        Some(Hang::Waiting { call, file })
    }
}

/// What a descriptor of a process leads to, as people say it.
fn file(process: i32, descriptor: u64) -> Option<String> {
    let path = fs::read_link(format!("/proc/{process}/fd/{}", descriptor & 0xffff_ffff)).ok()?;
    let path = path.to_string_lossy();
    Some(match path.split_once(':') {
        Some((kind @ ("pipe" | "socket"), _)) => format!("a {kind}"),
        Some(("anon_inode", kind)) => kind.trim_matches(['[', ']']).to_owned(),
        _ => path.into_owned(),
    })
}

enum Futex {
    Private,
    Shared,
}

impl Said {
    /// Number of the system call, its six arguments, stack pointer and program counter; or that it is
    /// in none.
    fn parse(said: &str) -> Self {
        let mut words = said.split_ascii_whitespace();
        let number = words.next().and_then(|word| word.parse().ok()).filter(|number| *number >= 0);
        let hexadecimal =
            |word: &str| u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok();
        let arguments: Vec<_> = words.map_while(hexadecimal).take(6).collect();
        Self(number.zip(arguments.try_into().ok()))
    }

    /// A wait without a limit, and the value that is waited to change.
    fn futex(&self) -> Option<(Futex, u64)> {
        /// `FUTEX_WAIT` and `FUTEX_WAIT_BITSET`; of one process; with the clock of the limit.
        const WAITS: [u64; 2] = [0, 9];
        const PRIVATE: u64 = 128;
        const REALTIME: u64 = 256;

        let (number, [_, operation, value, limit, ..]) = self.0?;
        let operation = operation & 0xffff_ffff & !REALTIME;
        if number != libc::SYS_futex || limit != 0 || !WAITS.contains(&(operation & !PRIVATE)) {
            return None;
        }
        let is_private = operation & PRIVATE != 0;
        Some((if is_private { Futex::Private } else { Futex::Shared }, value & 0xffff_ffff))
    }
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

    fn waits(process: i32) -> Option<Vec<Thread>> {
        look(process).filter(|threads| wait_for_ever(threads))
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
        assert_eq!(first[0].said, second[0].said);
        drop(call);
    }

    fn asleep(number: i32, said: &str) -> Thread {
        Thread { number, state: b'S', said: Said::parse(said), switches: String::new() }
    }

    fn futex(operation: &str, value: u64, limit: &str) -> String {
        let number = libc::SYS_futex;
        format!("{number} 0x7f01 {operation} {value:#x} {limit} 0x0 0xffffffff 0x7ffd 0x7f22\n")
    }

    #[test]
    fn a_wait_for_a_lock_is_told_from_others() {
        let is_lock = |said: &str| wait_for_ever(&[asleep(7, said)]);
        assert!(is_lock(&futex("0x80", 2, "0x0")));
        assert!(is_lock(&futex("0x189", 2, "0x0")));
        // Until a time; a wake-up; between processes; something else.
        assert!(!is_lock(&futex("0x189", 2, "0x7ffd10")));
        assert!(!is_lock(&futex("0x81", 2, "0x0")));
        assert!(!is_lock(&futex("0x0", 2, "0x0")));
        assert!(!is_lock("running\n"));
        assert!(!is_lock("35 0x7f01 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f22\n"));
    }

    #[test]
    fn who_waits_for_the_end_of_one_that_waits_for_a_lock_waits_as_long() {
        let joins = asleep(7, &futex("0x109", 8, "0x0"));
        let locked = asleep(8, &futex("0x80", 2, "0x0"));
        assert!(!wait_for_ever(&[asleep(7, &futex("0x109", 8, "0x0"))]));
        assert!(wait_for_ever(&[joins, locked]));
        let woken = Thread { state: b'R', ..asleep(8, &futex("0x80", 2, "0x0")) };
        assert!(!wait_for_ever(&[asleep(7, &futex("0x109", 8, "0x0")), woken]));
    }

    #[test]
    fn a_system_call_is_named_with_its_file() {
        let none = "0xffffffff 0x7f01 0x80 0x0 0x0 0x0 0x7ffd 0x7f22";
        let hang = |said: &str| asleep(7, said).hang(0);
        let waiting = |call: &str| Some(Hang::Waiting { call: call.to_owned(), file: None });
        assert_eq!(hang(&format!("{} {none}\n", libc::SYS_read)), waiting("read"));
        assert_eq!(hang(&format!("9999 {none}\n")), waiting("system call 9999"));
        assert_eq!(hang(&format!("{} {none}\n", libc::SYS_clock_nanosleep)), Some(Hang::Sleeping));
        assert_eq!(hang("-1 0x7ffd 0x7f22\n"), None);
        let own = i32::try_from(std::process::id()).unwrap();
        let (reader, _writer) = std::io::pipe().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
        assert_eq!(file(own, number.try_into().unwrap()), Some("a pipe".to_owned()));
    }
}
