//! The watch of a child that serves one call after another.

use std::io::Cursor;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::escalation::{LEAD, Stage};
use super::{Asked, Ended, Watch, now};
use crate::echo::Echo;
use crate::error::ErrorKind;
use crate::limit::Deadline;
use crate::start::terms::Terms;
use crate::sys::hatch::{Hatch, Waits};
use crate::sys::process::Ready;
use crate::sys::threads::ParentThread;

/// So long a worker is waited for that is to be ready in microseconds: then another one is quicker to have.
const PATIENCE: Duration = Duration::from_millis(100);

impl Watch {
    /// The child's parent stays for as long as this does.
    pub(crate) fn keep(&mut self, parent: Option<Arc<ParentThread>>) {
        self.parent = parent;
    }

    /// Of a child that has ended, waits for that thread, if it has no other.
    pub(crate) fn end_parent(mut self) {
        let parent = self.parent.take();
        drop(self);
        parent.and_then(Arc::into_inner).into_iter().for_each(ParentThread::end);
    }

    /// From now on the child is told here what it is to do.
    pub(crate) fn tell_by(&mut self, hatch: Hatch) {
        self.hatch = Some(hatch);
    }

    /// The child begins with a call.
    pub(crate) fn begin(&mut self, terms: &Terms<'_>) {
        let until = terms.deadline;
        (self.grace, self.fuse) = (terms.grace, terms.fuse());
        self.stage = Stage::Running { until };
        self.gathered = Cursor::default();
        self.stacks = None;
        (self.closed, self.drained, self.foreseen) = (false, 0, None);
        self.asked = Asked::New;
    }

    /// Tells it what to do; the rest is in its pipe, where there is not room enough for that. What it
    /// prints, or how it ends, is not seen by who waits at the hatch.
    pub(crate) fn post(&mut self, request: &[u8], waits: Waits) {
        let waits = if self.echo.is_some() { Waits::AtPipe } else { waits };
        if waits == Waits::Here {
            self.asked = Asked::Waiting;
        }
        self.hatch.iter().for_each(|hatch| hatch.post(request, waits));
    }

    /// Whether the child has read nothing of the call.
    pub(crate) fn is_unheard(&self) -> bool {
        self.hatch.as_ref().is_some_and(Hatch::is_untaken)
    }

    /// Waits until the child may be given another call, which takes it some microseconds. `None`: it has
    /// ended instead, or has no processor. Whether it is to be told its surroundings anew.
    pub(crate) fn wait_until_ready(&mut self, until: Deadline) -> Option<bool> {
        let hatch = self.hatch.as_ref()?;
        let until = until.min(Deadline::after(Instant::now(), Some(PATIENCE)));
        loop {
            if let Some(has_moved) = hatch.wait_until_ready(&mut self.spin, until) {
                return Some(has_moved);
            }
            if until.has_passed() || self.process.wait([None; 2], now()).ended {
                return None;
            }
        }
    }

    /// Whether the child waits for a call, and nothing else has come from it.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.process.wait([Some(self.pipe.as_fd()), None], now()) == Ready::default()
    }

    /// Whether nobody has told the child to end.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }

    /// Whether more was read of the child's than was asked for.
    pub(crate) fn has_gathered(&self) -> bool {
        self.gathered.position() < self.gathered.get_ref().len() as u64
    }

    /// Waits for room to write in, or for the end of the child or its deadline. Whether there is room.
    pub(crate) fn wait_for_room(&mut self, requests: BorrowedFd<'_>) -> bool {
        let Stage::Running { until } = self.stage else { return false };
        let is_open = self.process.wait_for_room(requests, until);
        is_open && !until.has_passed()
    }

    /// What became of the child when it waits for another call: nothing.
    pub(crate) fn rest(&mut self) -> Ended {
        self.echo.take().into_iter().for_each(Echo::finish);
        Ended { kind: ErrorKind::Unknown, stopped: false, stacks: None, hang: None, usage: None }
    }

    /// Waits at the hatch, for a moment. Whether the whole answer came.
    pub(super) fn hear(&mut self) -> bool {
        let (Some(hatch), Stage::Running { until }) = (&self.hatch, self.stage) else {
            return false;
        };
        let Some(answer) = hatch.hear(&mut self.spin, until.before(LEAD)) else { return false };
        self.gathered = Cursor::new(answer);
        true
    }
}
