//! The watch of a child that serves one call after another.

use std::io::{self, Cursor, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::{Ended, Stage, Watch};
use crate::echo::Echo;
use crate::error::ErrorKind;
use crate::limit::Deadline;
use crate::sys::process::Ready;

impl Watch {
    /// The child begins with another call.
    pub(crate) fn begin(&mut self, until: Deadline, grace: Option<Duration>, fuse: Deadline) {
        (self.grace, self.fuse) = (grace, fuse);
        self.stage = Stage::Running { until };
        self.gathered = Cursor::default();
        self.stack = Vec::new();
        (self.closed, self.drained, self.hang) = (false, 0, None);
        self.is_asked = true;
    }

    /// Whether the child waits for a call, and nothing else has come from it.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let now = Deadline::after(Instant::now(), Some(Duration::ZERO));
        self.process.wait([Some(self.pipe.as_fd()), None], now) == Ready::default()
    }

    /// What was read of what the child says next.
    pub(crate) fn keep(&mut self, unread: Vec<u8>) {
        let mut gathered = unread;
        let _ = self.gathered.read_to_end(&mut gathered);
        self.gathered = Cursor::new(gathered);
    }

    /// The so many bytes that the child says after its value. `None`: it has not said all of it before
    /// that time; what it has is kept.
    pub(crate) fn hear(&mut self, length: usize, until: Deadline) -> Option<Vec<u8>> {
        let mut said = std::mem::take(&mut self.gathered).into_inner();
        let mut bytes = [0; 64];
        while said.len() < length {
            let is_over = self.ended || until.has_passed();
            match self.pipe.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => said.extend(&bytes[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !is_over => {
                    let ready = self.process.wait([Some(self.pipe.as_fd()), None], until);
                    self.ended |= ready.ended;
                }
                Err(_) => break,
            }
        }
        if said.len() < length {
            self.keep(said);
            return None;
        }
        Some(said)
    }

    /// Whether nobody has told the child to end.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
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
        Ended {
            kind: ErrorKind::Unknown,
            stopped: false,
            stack: Vec::new(),
            hang: None,
            usage: None,
        }
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
