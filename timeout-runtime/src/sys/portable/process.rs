//! Anywhere: no handle but the number, which stays the child's until it is reaped, here.
//!
//! Where other code of the program reaps the child first (`waitpid(-1)`), the number may be
//! another's: this path then sends no signal, for it looks before it signals, but between the look
//! and the signal there is a window that only a pidfd closes.
//!
//! # Safety
//!
//! `wait4` with arguments that live through the call.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid};

use crate::error::{Hang, Untraced, Usage};
use crate::limit::Deadline;
use crate::sys::process::{self, Held, Ready, Status};
use crate::sys::retry;

#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// The status, once it was seen; looking takes it.
    end: Option<(Option<Status>, Option<Usage>)>,
}

impl Process {
    #[expect(clippy::unnecessary_wraps, reason = "the Linux path can fail")]
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self { pid, end: None })
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// As the Linux path's, in steps: nothing portable wakes `poll` at the end of a child that may
    /// share its pipe with others. The steps grow from 0.1 to 5 ms.
    pub(crate) fn wait(&mut self, pipes: [Option<BorrowedFd<'_>>; 2], until: Deadline) -> Ready {
        let mut step = Duration::from_micros(100);
        loop {
            let ended = self.has_ended();
            let readable = pipes.into_iter().flatten().any(is_readable);
            if ended || readable || until.has_passed() {
                return Ready { readable, ended };
            }
            std::thread::sleep(until.remaining().map_or(step, |left| left.min(step)));
            step = (step * 2).min(Duration::from_millis(5));
        }
    }

    /// As the Linux path's, in steps.
    #[cfg(feature = "pool")]
    pub(crate) fn wait_for_room(&mut self, pipe: BorrowedFd<'_>, until: Deadline) -> bool {
        let mut one = [PollFd::new(pipe, PollFlags::POLLOUT)];
        while !matches!(poll(&mut one, 5u8), Ok(1..)) {
            if self.has_ended() || until.has_passed() {
                return false;
            }
        }
        true
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill(self.pid, signal);
    }

    /// Nothing portable tells.
    pub(crate) fn is_stopped(&self) -> bool {
        false
    }

    /// Nothing portable tells.
    pub(crate) fn threads(&self) -> Vec<i32> {
        Vec::new()
    }

    /// Nothing portable tells.
    pub(crate) fn name_of(&self, _: i32) -> Option<String> {
        None
    }

    /// Nothing portable tells.
    pub(crate) fn why_silent(&self, _: i32) -> Option<Untraced> {
        None
    }

    /// Nothing portable tells.
    pub(crate) fn doing(&self) -> Option<Hang> {
        None
    }

    /// To the group: nothing portable finds who has left it.
    pub(crate) fn terminate(&mut self, _: usize) -> Held {
        self.signal_group(Signal::SIGTERM);
        // A stopped process takes no signal but SIGKILL before it goes on.
        self.signal_group(Signal::SIGCONT);
        Held::No
    }

    pub(crate) fn release_if_alone(&mut self) -> Held {
        Held::No
    }

    pub(crate) fn kill(&mut self) {
        self.signal_group(Signal::SIGKILL);
    }

    /// To the child's group, and to the child if it has left it for another one.
    fn signal_group(&self, signal: Signal) {
        let _ = killpg(self.pid, signal);
        if getpgid(Some(self.pid)) != Ok(self.pid) {
            self.signal(signal);
        }
    }

    pub(crate) fn reap(&mut self) -> (Option<Status>, Option<Usage>) {
        while !self.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.end.take().unwrap_or_default()
    }

    /// The end of the child was not seen before theirs.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_outlived(&self) -> bool {
        false
    }

    /// As above.
    pub(crate) fn outlive_group(&mut self) {}

    /// Nothing portable tells.
    #[cfg(feature = "tokio")]
    pub(crate) fn end(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// For a child that SIGKILL does not end: returns at once, with nothing known.
    pub(crate) fn reap_later(&mut self) -> (Option<Status>, Option<Usage>) {
        process::reap_later(Self { pid: self.pid, end: None });
        (None, None)
    }

    /// Looks, first without reaping, so that the group is ended while the child pins its number.
    fn has_ended(&mut self) -> bool {
        if self.end.is_some() {
            return true;
        }
        // SAFETY: zero is valid for a `siginfo_t`, which lives through the call.
        let looked = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let id = libc::id_t::try_from(self.pid.as_raw()).unwrap_or(libc::id_t::MAX);
            let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
            retry(|| Errno::result(libc::waitid(libc::P_PID, id, &raw mut info, flags)))
                .map(|_| info.si_pid() != 0)
        };
        match looked {
            Ok(false) => return false,
            Ok(true) => {
                let _ = killpg(self.pid, Signal::SIGKILL);
                self.end = Some(self.take_status());
            }
            // Someone else took it.
            Err(_) => self.end = Some((None, None)),
        }
        process::wait_until(|| killpg(self.pid, None) == Err(Errno::ESRCH));
        true
    }

    fn take_status(&self) -> (Option<Status>, Option<Usage>) {
        let mut status = 0;
        // SAFETY: zero is valid for a `rusage`; both live through the call.
        let (reaped, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            let reaped = retry(|| {
                Errno::result(libc::wait4(self.pid.as_raw(), &raw mut status, 0, &raw mut usage))
            });
            (reaped, usage)
        };
        match reaped {
            Ok(_) => (Some(Status::from_raw(status)), Some(process::usage(&usage))),
            Err(_) => (None, None),
        }
    }
}

fn is_readable(pipe: BorrowedFd<'_>) -> bool {
    let mut one = [PollFd::new(pipe, PollFlags::POLLIN)];
    matches!(poll(&mut one, 0u8), Ok(1..))
}
