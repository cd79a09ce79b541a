//! The watch of a child that serves one call after another.

use std::io::{self, Cursor};
use std::os::fd::{AsFd, BorrowedFd};

use super::escalation::Stage;
use super::{Asked, Ended, Watch, now};
use crate::echo::Echo;
use crate::error::ErrorKind;
use crate::start::terms::Terms;
use crate::sys::process::Ready;

impl Watch {
    /// The child begins with a call, its first or another.
    pub(crate) fn begin(&mut self, terms: &Terms<'_>, is_first: bool) {
        let until = terms.deadline;
        (self.grace, self.fuse) = (terms.grace, terms.fuse());
        self.stage = Stage::Running { until };
        self.gathered = Cursor::default();
        self.stacks = None;
        (self.closed, self.drained, self.foreseen) = (false, 0, None);
        self.asked = if is_first { Asked::New } else { Asked::Waiting };
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

    /// What is in the pipe within some microseconds.
    pub(super) fn read_soon(&mut self, bytes: &mut [u8]) -> Option<io::Result<usize>> {
        let (mut spin, mut read) = (self.spin, None);
        spin.until(|| {
            let result = self.read_pipe(bytes);
            let is_there =
                !matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            read = is_there.then_some(result);
            is_there
        });
        self.spin = spin;
        read
    }
}
