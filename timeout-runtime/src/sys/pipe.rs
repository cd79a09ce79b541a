//! The pipes from child to caller.
//!
//! # Safety
//!
//! A descriptor is borrowed by its number in one place, where the owner cannot be reached, and taken
//! by it in another, where it was inherited. One is asked how much is in it, by a call whose result
//! lives through it.
#![expect(unsafe_code, reason = "see the heading")]

#[cfg(feature = "pool")]
use std::fs::File;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
#[cfg(feature = "pool")]
use std::os::fd::FromRawFd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

#[cfg(feature = "pool")]
use super::hatch::Hatch;
use super::retry;

/// The caller's end. Reading never blocks.
#[derive(Debug)]
pub(crate) struct Reader(OwnedFd);

/// The child's end.
#[derive(Debug)]
pub(crate) struct Writer {
    file: OwnedFd,
    /// Device and inode of the pipe, by which a descriptor is known to be still this pipe.
    identity: (u64, u64),
    /// Where the caller's own process holds the other end.
    caller: (u32, i32),
    written: usize,
    trusted: bool,
    /// A write failed in the middle of what was to be said: nothing can be said after that.
    torn: bool,
    /// Where the caller may be waiting instead.
    #[cfg(feature = "pool")]
    hatch: Option<&'static Hatch>,
}

/// A descriptor by its number, for those who cannot reach its owner: the panic hook.
pub(crate) struct Raw(pub(crate) i32);

/// The ends of a process that was started afresh, under the numbers that it was told.
#[cfg(feature = "pool")]
pub(crate) fn inherited(number: i32) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: it was inherited for this process alone, and is taken once.
    let end = unsafe { OwnedFd::from_raw_fd(number) };
    // What the body starts does not inherit it in turn.
    fcntl(&end, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    Ok(end)
}

/// In a process that was started afresh, before anything else runs: closes what it has inherited
/// beside these. What its own libraries opened by now closes on exec, and what was inherited does not.
#[cfg(feature = "pool")]
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
#[cfg(feature = "pool")]
#[derive(Debug)]
pub(crate) struct Inbox {
    file: File,
    identity: (u64, u64),
    /// Where the caller's own process holds it.
    caller: (u32, i32),
}

#[cfg(feature = "pool")]
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

/// A descriptor of another process (`proc(5)`).
fn path_of((process, descriptor): (u32, i32)) -> String {
    format!("/proc/{process}/fd/{descriptor}")
}

/// The caller's end of a pipe to the child, and that which the child inherits. Writing never blocks.
#[cfg(feature = "pool")]
#[derive(Debug)]
pub(crate) struct Requests {
    writer: OwnedFd,
    /// Kept, so that there always is a reader: without one, writing brings a signal that ends a
    /// program which does not ignore it. That the child has ended is seen otherwise.
    reader: OwnedFd,
}

#[cfg(feature = "pool")]
impl Requests {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = new_pipe()?;
        let (reader, writer) = (above_stdio(reader)?, above_stdio(writer)?);
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { writer, reader })
    }

    /// Says that there will be no call: to a child that has not been told of one.
    pub(crate) fn withdraw(&self) {
        let end = crate::frame::Sender::new(Vec::new()).into_frame();
        let _ = retry(|| nix::unistd::write(&self.writer, &end));
    }

    /// What the child inherits.
    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Writes what there is room for.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= 64 << 10 {
            super::platform::grow_pipe(&self.writer);
        }
        Ok(retry(|| nix::unistd::write(&self.writer, bytes))?)
    }
}

#[cfg(feature = "pool")]
impl AsFd for Requests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}

/// A pipe, both ends closed on exec and clear of the descriptors 0 to 2.
pub(crate) fn pipe() -> io::Result<(Reader, Writer)> {
    let (reader, writer) = new_pipe()?;
    let (reader, writer) = (above_stdio(reader)?, above_stdio(writer)?);
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let caller = (std::process::id(), reader.as_raw_fd());
    let identity = identity(&writer)?;
    Ok((Reader(reader), Writer::new(writer, identity, caller)))
}

#[cfg(target_os = "linux")]
fn new_pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
}

#[cfg(not(target_os = "linux"))]
fn new_pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    use nix::fcntl::FdFlag;

    let (reader, writer) = nix::unistd::pipe()?;
    for end in [&reader, &writer] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok((reader, writer))
}

/// In a program that closed a standard stream, a new pipe lands there, and the body would print
/// into its own result.
pub(super) fn above_stdio(end: OwnedFd) -> io::Result<OwnedFd> {
    if end.as_raw_fd() > 2 { Ok(end) } else { end.try_clone() }
}

#[cold]
fn replaced() -> io::Error {
    io::Error::other("the body closed or replaced the descriptor that carries its result")
}

fn identity(end: impl AsFd) -> nix::Result<(u64, u64)> {
    let stat = super::platform::stat(end)?;
    #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
    Ok((stat.st_dev.try_into().unwrap_or(u64::MAX), stat.st_ino.into()))
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(retry(|| nix::unistd::read(&self.0, bytes))?)
    }
}

impl Reader {
    /// In a fresh child, which has no use for it.
    #[inline]
    pub(crate) fn close(self) {
        super::platform::close(self.0);
    }

    /// Waits for each part.
    pub(crate) fn read_all(mut self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let mut one = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            retry(|| poll(&mut one, PollTimeout::NONE))?;
            match self.read_to_end(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                end => return end.map(drop),
            }
        }
    }
}

impl AsFd for Reader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Writer {
    fn new(file: OwnedFd, identity: (u64, u64), caller: (u32, i32)) -> Self {
        Self {
            file,
            identity,
            caller,
            written: 0,
            trusted: true,
            torn: false,
            #[cfg(feature = "pool")]
            hatch: None,
        }
    }

    /// In a process that was started afresh.
    #[cfg(feature = "pool")]
    pub(crate) fn inherited(number: i32, caller: (u32, i32)) -> io::Result<Self> {
        let file = inherited(number)?;
        let identity = identity(&file)?;
        Ok(Self::new(file, identity, caller))
    }

    /// A caller that waits there is told to look into the pipe.
    #[cfg(feature = "pool")]
    pub(crate) fn telling(self, hatch: &'static Hatch) -> Self {
        Self { hatch: Some(hatch), ..self }
    }

    #[cfg(feature = "pool")]
    pub(crate) fn hatch(&self) -> Option<&'static Hatch> {
        self.hatch
    }

    /// What is written from here on is one frame, and before that it is to be made sure that the
    /// descriptor is still this pipe.
    pub(crate) fn distrust(&mut self) {
        self.trusted = false;
        self.written = 0;
    }

    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    #[inline]
    fn check(&mut self) -> io::Result<()> {
        if self.trusted {
            return Ok(());
        }
        #[cfg(feature = "pool")]
        self.hatch.iter().for_each(|hatch| hatch.use_pipe());
        if identity(&self.file) != Ok(self.identity) {
            return Err(replaced());
        }
        self.trusted = true;
        Ok(())
    }

    /// Whether the body has left it alone: it is still this pipe, and nothing is in it.
    #[cfg(feature = "pool")]
    pub(crate) fn is_untouched(&self) -> bool {
        let mut there: libc::c_int = 0;
        // SAFETY: the number is written during the call.
        let asked = unsafe { libc::ioctl(self.file.as_raw_fd(), libc::FIONREAD, &raw mut there) };
        asked == 0 && there == 0 && identity(&self.file) == Ok(self.identity)
    }

    /// The same pipe on a new descriptor, by way of the caller's own (`proc(5)`).
    pub(crate) fn reopen(&self) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path_of(self.caller))?.into();
        let known = identity(&file) == Ok(self.identity);
        if known { Ok(Self::new(file, self.identity, self.caller)) } else { Err(replaced()) }
    }

    /// The process that reads.
    #[cfg(feature = "pool")]
    pub(crate) fn caller(&self) -> u32 {
        self.caller.0
    }

    /// The number of the descriptor, for [`Raw`].
    pub(crate) fn number(&self) -> i32 {
        self.file.as_raw_fd()
    }
}

impl AsFd for Writer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Write for Writer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        // More than a few kilobytes are to come.
        if self.written < 64 << 10 && self.written + bytes.len() >= 64 << 10 {
            super::platform::grow_pipe(&self.file);
        }
        let length = loop {
            match retry(|| super::platform::write(&self.file, bytes)) {
                // The body made it non-blocking.
                Err(Errno::EAGAIN) => wait_for_room(&self.file)?,
                written => break written.inspect_err(|_failed| self.torn = self.written > 0)?,
            }
        };
        self.written = self.written.saturating_add(length);
        Ok(length)
    }

    /// As it is by default, but where it is called: see the design, on what a fork costs.
    #[inline]
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                length => bytes = &bytes[length..],
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_for_room(pipe: impl AsFd) -> nix::Result<()> {
    let mut one = [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)];
    retry(|| poll(&mut one, PollTimeout::NONE)).map(drop)
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the pipe is open until the process ends; should the body have closed it, this
        // fails or writes to what the body put there, as any write of the body's own would.
        let pipe = unsafe { BorrowedFd::borrow_raw(self.0) };
        Ok(retry(|| nix::unistd::write(pipe, bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_was_replaced_is_noticed() {
        let (mut reader, mut writer) = pipe().unwrap();
        let mut again = writer.reopen().unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        writer.distrust();
        writer.write_all(b"x").unwrap();
        writer.file = OpenOptions::new().write(true).open("/dev/null").unwrap().into();
        writer.distrust();
        assert!(writer.write_all(b"lost").is_err());
        again.write_all(b"y").unwrap();
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 2);
    }
}
