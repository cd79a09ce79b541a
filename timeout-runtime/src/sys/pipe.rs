//! The pipes from child to caller.
//!
//! # Safety
//!
//! A descriptor is borrowed by its number in one place, where the owner cannot be reached. One is asked how
//! much is in it, by a call whose result lives through it.
#![expect(unsafe_code, reason = "see the heading")]

#[cfg(feature = "pool")]
mod requests;

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

#[cfg(feature = "pool")]
pub(crate) use self::requests::{Inbox, Requests, close_inherited, inherited};
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

/// A descriptor of another process (`proc(5)`).
fn path_of((process, descriptor): (u32, i32)) -> String {
    format!("/proc/{process}/fd/{descriptor}")
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
        if crate::current::child().is_none() {
            return Err(io::Error::other(
                "the body forked, and its result is not this process's to send",
            ));
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

    /// In a child: nobody else has a value to send.
    #[test]
    fn a_descriptor_that_was_replaced_is_noticed() {
        let seen = crate::Timeout::new(60).run(|| {
            let (mut reader, mut writer) = pipe().unwrap();
            let mut again = writer.reopen().unwrap();
            assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            writer.distrust();
            writer.write_all(b"x").unwrap();
            writer.file = OpenOptions::new().write(true).open("/dev/null").unwrap().into();
            writer.distrust();
            assert!(writer.write_all(b"lost").is_err());
            again.write_all(b"y").unwrap();
            reader.read(&mut [0; 9]).unwrap()
        });
        assert_eq!(seen.unwrap(), 2);
    }
}
