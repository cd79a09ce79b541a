//! The other way: the pipe that requests come by which are too long for the hatch, and what a process that
//! was started afresh has inherited.
//!
//! # Safety
//!
//! A descriptor is taken by its number where it was inherited, and borrowed by it where it is open.
#![expect(unsafe_code, reason = "see the heading")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use super::{above_stdio, identity, new_pipe, path_of};
use crate::frame::Sender;
use crate::sys::{platform, retry};

/// The ends of a process that was started afresh, under the numbers that it was told.
pub(crate) fn inherited(number: i32) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: it was inherited for this process alone, and is taken once.
    let end = unsafe { OwnedFd::from_raw_fd(number) };
    // What the body starts does not inherit it in turn.
    fcntl(&end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(end)
}

/// In a process that was started afresh, before anything else runs: closes what it has inherited
/// beside these. What its own libraries opened by now closes on exec, and what was inherited does not.
pub(crate) fn close_inherited(kept: &[i32]) {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    for name in open.flatten().map(|entry| entry.file_name()) {
        let number = name.to_str().and_then(|name| name.parse().ok()).unwrap_or_default();
        if number <= 2 || kept.contains(&number) {
            continue;
        }
        // SAFETY: it is open, for nobody has closed it since it was listed.
        let flags = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD);
        if flags == Ok(0) {
            let _ = nix::unistd::close(number);
        }
    }
}

/// The child's end of a pipe from the caller, which its bodies may close, or put something else in the place
/// of.
#[derive(Debug)]
pub(crate) struct Inbox {
    file: File,
    identity: (u64, u64),
    /// Where the caller's own process holds it.
    caller: (u32, i32),
}

impl Inbox {
    pub(crate) fn inherited(number: i32, caller: (u32, i32)) -> io::Result<Self> {
        let file = inherited(number)?;
        let identity = identity(&file)?;
        Ok(Self { file: file.into(), identity, caller })
    }

    pub(crate) fn open(&mut self) -> io::Result<&File> {
        if identity(&self.file) != Ok(self.identity) {
            let again = self.opened_again()?;
            // Under its number there is something of a body's, or nothing.
            std::mem::forget(std::mem::replace(&mut self.file, again));
        }
        Ok(&self.file)
    }

    fn opened_again(&self) -> io::Result<File> {
        let again = File::open(path_of(self.caller))?;
        let is_it = identity(&again) == Ok(self.identity);
        let lost = "a body closed or replaced the descriptor that requests come by";
        if is_it { Ok(again) } else { Err(io::Error::other(lost)) }
    }
}

/// The caller's end of a pipe to the child, and that which the child inherits. Writing never blocks.
#[derive(Debug)]
pub(crate) struct Requests {
    writer: OwnedFd,
    /// Kept, so that there always is a reader: without one, writing brings a signal that ends a
    /// program which does not ignore it. That the child has ended is seen otherwise.
    reader: OwnedFd,
}

impl Requests {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = new_pipe()?;
        let (reader, writer) = (above_stdio(reader)?, above_stdio(writer)?);
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { writer, reader })
    }

    /// Says that there will be no call: to a child that has not been told of one.
    pub(crate) fn withdraw(&self) {
        let end = Sender::new(Vec::new()).into_frame();
        let _ = retry(|| nix::unistd::write(&self.writer, &end));
    }

    /// What the child inherits.
    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Writes what there is room for.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= 64 << 10 {
            platform::grow_pipe(&self.writer);
        }
        Ok(retry(|| nix::unistd::write(&self.writer, bytes))?)
    }
}

impl AsFd for Requests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}
