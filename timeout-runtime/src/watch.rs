//! What the caller does: wait, escalate, reap.

#[cfg(feature = "tokio")]
pub(crate) mod apart;
mod escalation;
#[cfg(feature = "tokio")]
pub(crate) mod gathering;
#[cfg(feature = "pool")]
mod leased;
#[cfg(feature = "tokio")]
pub(crate) mod turn;
mod way;

use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
#[cfg(feature = "pool")]
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::escalation::{LEAD, Stage, Why};
use self::way::Way;
use crate::echo::Echo;
use crate::error::{ErrorKind, Hang, StoppedBy, Untraced, Usage};
use crate::events::Events;
use crate::limit::Deadline;
use crate::sys::pipe;
use crate::sys::process::{Process, Status};
use crate::sys::slate::Slate;
#[cfg(feature = "pool")]
use crate::sys::threads::ParentThread;
#[cfg(feature = "pool")]
use crate::sys::{hatch::Hatch, spin::Spin};
use crate::trace::Stacks;

/// Watches one child from its start to its end. As a [`Read`] it gives the bytes that arrive, and
/// the end of file once the child has ended; meanwhile it keeps the deadline.
///
/// Dropped before the end (the caller gives up, or unwinds), it stops the child and reaps it.
#[derive(Debug)]
pub(crate) struct Watch {
    process: Process,
    pipe: pipe::Reader,
    /// What was read of it before anybody asked.
    gathered: Cursor<Vec<u8>>,
    /// Every write end is closed: there is nothing to wait for in the pipe.
    closed: bool,
    /// The child has ended, and waits to be reaped.
    ended: bool,
    asked: Asked,
    /// Where a worker answers, if it can at once.
    #[cfg(feature = "pool")]
    hatch: Option<Hatch>,
    #[cfg(feature = "pool")]
    spin: Spin,
    /// What is known of its end, once it was reaped.
    reaped: Option<(Option<Status>, Option<Usage>)>,
    /// How much was read since it ended.
    drained: usize,
    grace: Option<Duration>,
    /// When the kernel ends the child by SIGKILL, if nobody else does.
    fuse: Deadline,
    stage: Stage,
    /// Where the body hangs: asked for at the deadline.
    slate: Option<Slate>,
    stacks: Option<Stacks>,
    hang: Option<Hang>,
    /// The deadline is near, and what the body is doing was looked at: its threads.
    foreseen: Option<Vec<i32>>,
    /// What the child prints, where a harness would not see it.
    echo: Option<Echo>,
    events: Events,
    /// The child's parent, if that is no thread of the caller's own. Last: it stays until the child is reaped.
    #[cfg(feature = "pool")]
    parent: Option<Arc<ParentThread>>,
}

/// So much later than asked for the kernel may wake who waits (`PR_SET_TIMERSLACK`); for the rest of the
/// time one looks again and again.
const SLACK: Duration = Duration::from_micros(50);

/// To children that are to answer, and to those that have.
static TO_ANSWER: Way = Way::new();
static TO_END: Way = Way::new();

/// Who gives way may be away for so long, where many others want the processor.
const AWAY: Duration = Duration::from_millis(100);

/// More than any pipe holds.
const MOST_DRAINED: usize = 16 << 20;

/// Whether the child was told to do something a moment ago: there is nothing to be read before it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    No,
    /// A copy of this process: it may answer in a moment.
    Copy,
    /// It is still to start, which takes longer than anybody waits awake.
    #[cfg(feature = "pool")]
    New,
    /// It was waiting for that, and is to answer at the hatch.
    #[cfg(feature = "pool")]
    Waiting,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Why it has no value, if it sent none and no other reason.
    pub(crate) kind: ErrorKind,
    pub(crate) stopped: bool,
    /// Where it was at the deadline, or where it crashed.
    pub(crate) stacks: Option<Stacks>,
    /// And what it was doing.
    pub(crate) hang: Option<Hang>,
    pub(crate) usage: Option<Usage>,
}

impl Watch {
    pub(crate) fn new(
        process: Process,
        pipe: pipe::Reader,
        until: Deadline,
        grace: Option<Duration>,
        fuse: Deadline,
        slate: Option<Slate>,
    ) -> Self {
        let stage = Stage::Running { until };
        Self {
            process,
            pipe,
            gathered: Cursor::default(),
            closed: false,
            ended: false,
            asked: Asked::Copy,
            #[cfg(feature = "pool")]
            hatch: None,
            #[cfg(feature = "pool")]
            spin: Spin::default(),
            reaped: None,
            drained: 0,
            grace,
            fuse,
            stage,
            slate,
            stacks: None,
            hang: None,
            foreseen: None,
            echo: None,
            events: Events::default(),
            #[cfg(feature = "pool")]
            parent: None,
        }
    }

    /// From now on prints what comes out of this pipe.
    pub(crate) fn echo(&mut self, printed: pipe::Reader) {
        self.echo = Some(Echo::new(printed));
    }

    /// From now on tells of the call.
    pub(crate) fn tell(&mut self, events: Events) {
        self.events = events;
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Whether a child that said nothing could not be made ready for the body.
    pub(crate) fn has_failed(&self) -> bool {
        self.slate.as_ref().is_none_or(Slate::has_failed)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Looks, without waiting, whether the child goes on; past its deadline it is told to end.
    pub(crate) fn is_pending(&mut self) -> bool {
        if !self.ended {
            self.look();
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
        if !self.ended {
            self.send_sigkill(Why::Useless);
        }
    }

    /// Waits for the end, reaps, and says how it was.
    pub(crate) fn finish(&mut self) -> Ended {
        if !self.ended && matches!(self.stage, Stage::Running { .. }) {
            TO_END.give(|| {
                self.look();
                self.ended
            });
        }
        while !self.ended && !self.is_stuck() {
            self.wait(false);
        }
        if !matches!(self.stage, Stage::Running { .. }) {
            // A thread of the child that is still on its way out, on this processor, would keep the kernel
            // waiting awake, for milliseconds.
            TO_END.give(|| true);
        }
        let (status, usage) = self.reap_all();
        // Whoever could print is gone now, but for what has left the group.
        self.echo.take().into_iter().for_each(Echo::finish);
        let (kind, stopped) = match self.stage {
            // Nobody looked at the call, or this process was stopped: the fuse has burnt down.
            Stage::Running { .. } | Stage::Terminating { why: Why::Deadline, .. }
                if is_killed(status) && self.fuse.has_passed() =>
            {
                (ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }, true)
            }
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
        if self.ended && matches!(kind, ErrorKind::Exited(0)) {
            self.slate.take().into_iter().for_each(Slate::keep);
        }
        if !self.ended {
            self.slate.take().into_iter().for_each(Slate::abandon);
        }
        let stacks = match &kind {
            ErrorKind::Signaled { signal, .. } => Slate::crash_of(self.slate.as_ref(), *signal),
            ErrorKind::TimedOut { .. } => {
                Some(self.stacks.take().unwrap_or(Err(Untraced::Unasked)))
            }
            _ => None,
        };
        Ended { kind, stopped, stacks, hang: self.hang.take(), usage }
    }

    /// The child's own status, which nobody has to wait for.
    fn reap(&mut self) -> (Option<Status>, Option<Usage>) {
        let reap = if self.ended { Process::reap } else { Process::reap_later };
        *self.reaped.get_or_insert_with(|| reap(&mut self.process))
    }

    /// That, and the end of all others of its group.
    fn reap_all(&mut self) -> (Option<Status>, Option<Usage>) {
        let reaped = self.reap();
        if self.ended {
            self.process.outlive_group();
        }
        reaped
    }

    /// One wait: for bytes if they are wanted, for what is printed, for the end, and for the next
    /// step of escalation.
    fn wait(&mut self, for_bytes: bool) {
        match self.stage {
            Stage::Running { until } if self.foreseen.is_none() => {
                self.wait_until(until.before(LEAD), for_bytes);
                if until.before(LEAD).has_passed() {
                    self.foresee();
                }
            }
            Stage::Running { until } => self.wait_until(until.before(SLACK), for_bytes),
            _ => self.wait_until(self.next_step(), for_bytes),
        }
    }

    /// A short one, for the end.
    #[cfg(feature = "tokio")]
    fn wait_for(&mut self, moment: Duration) {
        let soon = Deadline::after(Instant::now(), Some(moment));
        self.wait_until(soon.min(self.next_step()), false);
    }

    fn wait_until(&mut self, until: Deadline, for_bytes: bool) {
        let pipe = (for_bytes && !self.closed).then(|| self.pipe.as_fd());
        let printed = self.echo.as_ref().map(Echo::as_fd);
        let ready = self.process.wait([pipe, printed], until);
        self.ended |= ready.ended;
        self.escalate();
        if ready.readable {
            // Whatever the child does meanwhile, it never waits for room to print in.
            self.pass_on();
        }
    }

    /// Prints what has come. Whether more is to be had at once.
    fn pass_on(&mut self) -> bool {
        let passed = self.echo.as_mut().and_then(Echo::pass_on);
        if passed == Some(0) {
            self.echo.take().into_iter().for_each(Echo::finish);
        }
        passed > Some(0)
    }

    /// Of a child that was told to end, while there are always bytes to read: somebody may write
    /// them in its stead.
    fn look_for_the_end(&mut self) {
        if !self.ended && !matches!(self.stage, Stage::Running { .. }) {
            self.look();
        }
    }

    /// What is in the pipe now. A stream that a descendant goes on writing after the child's end has
    /// an end nevertheless.
    fn read_pipe(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.pipe.read(bytes)?;
        self.closed |= length == 0;
        if self.drained > MOST_DRAINED {
            return Ok(0);
        }
        self.drained += if self.ended { length } else { 0 };
        Ok(length)
    }

    /// To a child that may need no more than a moment, if there is time for it.
    fn give_way(&mut self) {
        if matches!(self.stage, Stage::Running { until } if !until.before(AWAY).has_passed()) {
            TO_ANSWER.give(|| {
                let ready = self.process.wait([Some(self.pipe.as_fd()), None], now());
                self.ended |= ready.ended;
                self.ended || ready.readable
            });
        }
    }

    /// A wait that does not wait.
    fn look(&mut self) {
        self.ended |= self.process.wait([None; 2], now()).ended;
    }
}

fn now() -> Deadline {
    Deadline::after(Instant::now(), Some(Duration::ZERO))
}

fn is_killed(status: Option<Status>) -> bool {
    matches!(status, Some(Status::Signaled { signal: libc::SIGKILL, .. }))
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
        match self.gathered.read(bytes) {
            Ok(0) => {}
            gathered => return gathered,
        }
        let asked = std::mem::take(&mut self.asked);
        #[cfg(feature = "pool")]
        if asked == Asked::Waiting && self.hear() {
            self.escalate();
            return self.gathered.read(bytes);
        }
        if asked == Asked::Copy && !self.ended {
            self.give_way();
        }
        if asked != Asked::No && !self.ended {
            self.wait(true);
        }
        loop {
            match self.read_pipe(bytes) {
                Ok(0) if !self.closed => return Ok(0),
                Ok(0) => {}
                Ok(length) => {
                    self.escalate();
                    self.look_for_the_end();
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // What it wrote before its end was just read: the order is wait, then read.
            if self.ended || self.is_stuck() {
                return Ok(0);
            }
            self.wait(true);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.reaped.is_none() {
            self.events.dropped();
            self.cancel();
            self.finish();
        }
    }
}
