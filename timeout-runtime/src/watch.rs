//! What the caller does: wait, escalate, reap.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::echo::Echo;
use crate::error::{ErrorKind, StoppedBy, Usage};
use crate::limit::Deadline;
use crate::sys::hang::Slate;
use crate::sys::pipe;
use crate::sys::process::{Process, Status};

/// Watches one child from its start to its end. As a [`Read`] it gives the bytes that arrive, and
/// the end of file once the child has ended; meanwhile it keeps the deadline.
///
/// Dropped before the end (the caller gives up, or unwinds), it stops the child and reaps it.
#[derive(Debug)]
pub(crate) struct Watch {
    process: Process,
    pipe: pipe::Reader,
    /// Every write end is closed: there is nothing to wait for in the pipe.
    closed: bool,
    /// The child has ended, and waits to be reaped.
    ended: bool,
    reaped: bool,
    /// How much was read since it ended.
    drained: usize,
    grace: Option<Duration>,
    stage: Stage,
    /// Where the body hangs: asked for at the deadline.
    slate: Option<Slate>,
    stack: Vec<u64>,
    /// What the child prints, where a harness would not see it.
    echo: Option<Echo>,
}

/// More than any pipe holds.
const MOST_DRAINED: usize = 16 << 20;

/// How far the escalation has gone.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Running {
        until: Deadline,
    },
    /// SIGTERM was sent.
    Terminating {
        until: Deadline,
        why: Why,
    },
    /// SIGKILL was sent.
    Killed {
        again: Deadline,
        why: Why,
    },
}

/// Why a child was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Deadline,
    Cancel,
    /// What it sent is no value.
    Useless,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Why it has no value, if it sent none and no other reason.
    pub(crate) kind: ErrorKind,
    pub(crate) stopped: bool,
    /// Where it was at the deadline.
    pub(crate) stack: Vec<u64>,
    pub(crate) usage: Option<Usage>,
}

impl Watch {
    pub(crate) fn new(
        process: Process,
        pipe: pipe::Reader,
        until: Deadline,
        grace: Option<Duration>,
        slate: Option<Slate>,
    ) -> Self {
        let stage = Stage::Running { until };
        Self {
            process,
            pipe,
            closed: false,
            ended: false,
            reaped: false,
            drained: 0,
            grace,
            stage,
            slate,
            stack: Vec::new(),
            echo: None,
        }
    }

    /// From now on prints what comes out of this pipe.
    pub(crate) fn echo(&mut self, printed: pipe::Reader) {
        self.echo = Some(Echo::new(printed));
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Looks, without waiting, whether the child goes on; past its deadline it is told to end.
    pub(crate) fn is_pending(&mut self) -> bool {
        if !self.ended {
            let now = Deadline::after(Instant::now(), Some(Duration::ZERO));
            self.ended = self.process.wait([None; 2], now).ended;
            self.escalate();
        }
        !self.ended
    }

    /// Sends SIGTERM, if nothing was sent yet; SIGKILL follows at the end of the grace.
    pub(crate) fn cancel(&mut self) {
        self.stop(Why::Cancel);
    }

    /// Ends the child at once: nothing that it could still send is of use.
    pub(crate) fn kill(&mut self) {
        self.send_sigkill(Why::Useless);
    }

    /// Waits for the end, reaps, and says how it was.
    pub(crate) fn finish(&mut self) -> Ended {
        while !self.ended {
            self.wait(false);
        }
        self.reaped = true;
        let (status, usage) = self.process.reap();
        // Whoever could print is gone now, but for what has left the group.
        self.echo.take().into_iter().for_each(Echo::finish);
        let (kind, stopped) = match self.stage {
            Stage::Terminating { why: Why::Deadline, .. } => {
                (ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }, true)
            }
            Stage::Killed { why: Why::Deadline, .. } => {
                (ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }, true)
            }
            Stage::Terminating { why: Why::Cancel, .. }
            | Stage::Killed { why: Why::Cancel, .. } => (ErrorKind::Cancelled, true),
            _ => (own_end(status), false),
        };
        Ended { kind, stopped, stack: std::mem::take(&mut self.stack), usage }
    }

    /// One wait: for bytes if they are wanted, for what is printed, for the end, and for the next step of escalation.
    fn wait(&mut self, for_bytes: bool) {
        let until = match self.stage {
            Stage::Running { until } | Stage::Terminating { until, .. } => until,
            Stage::Killed { again, .. } => again,
        };
        let pipe = (for_bytes && !self.closed).then(|| self.pipe.as_fd());
        let printed = self.echo.as_ref().map(Echo::as_fd);
        let ready = self.process.wait([pipe, printed], until);
        self.ended |= ready.ended;
        self.escalate();
        if ready.readable {
            // Whatever the child does meanwhile, it never waits for room to print in.
            self.echo = self.echo.take().and_then(Echo::pass_on);
        }
    }

    /// Look whether the child has ended, which the caller of this did; read the clock; enforce the
    /// deadline. In this order a child that ended in time is never called late.
    fn escalate(&mut self) {
        match self.stage {
            Stage::Running { until } if !self.ended && until.has_passed() => {
                self.stop(Why::Deadline);
            }
            Stage::Terminating { until, why } if !self.ended && until.has_passed() => {
                self.send_sigkill(why);
            }
            Stage::Killed { again, why } if !self.ended && again.has_passed() => {
                self.send_sigkill(why);
            }
            _ => {}
        }
    }

    fn stop(&mut self, why: Why) {
        if self.ended || !matches!(self.stage, Stage::Running { .. }) {
            return;
        }
        if let (Why::Deadline, Some(slate)) = (why, &self.slate) {
            self.stack = slate.ask(&mut self.process);
        }
        if self.grace == Some(Duration::ZERO) {
            return self.send_sigkill(why);
        }
        self.send_sigterm(why);
        if let Some(slate) = &self.slate {
            slate.release();
        }
    }

    fn send_sigterm(&mut self, why: Why) {
        let until = Deadline::after(Instant::now(), self.grace);
        self.stage = Stage::Terminating { until, why };
        self.process.signal_group(Signal::SIGTERM);
        // A stopped process takes no signal but SIGKILL before it goes on.
        self.process.signal_group(Signal::SIGCONT);
    }

    fn send_sigkill(&mut self, why: Why) {
        // What the kernel refused (the child was another user's for a moment) it may allow later.
        let again = Deadline::after(Instant::now(), Some(Duration::from_millis(100)));
        self.stage = Stage::Killed { again, why };
        self.process.signal_group(Signal::SIGKILL);
    }
}

fn own_end(status: Option<Status>) -> ErrorKind {
    match status {
        Some(Status::Exited(code)) => ErrorKind::Exited(code),
        Some(Status::Signaled { signal, core_dumped }) => {
            ErrorKind::Signaled { signal, core_dumped }
        }
        None => ErrorKind::Unknown,
    }
}

impl Read for Watch {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.pipe.read(bytes) {
                Ok(0) => self.closed = true,
                // A stream without end does not get past the deadline, nor does one that a
                // descendant writes after the child's end.
                Ok(_) if self.drained > MOST_DRAINED => return Ok(0),
                Ok(length) => {
                    self.drained += if self.ended { length } else { 0 };
                    self.escalate();
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // What it wrote before its end was just read: the order is wait, then read.
            if self.ended {
                return Ok(0);
            }
            self.wait(true);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.reaped {
            self.cancel();
            self.finish();
        }
    }
}
