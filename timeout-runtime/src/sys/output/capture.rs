//! Tests whose output the harness captures.
//!
//! The standard library can print into a buffer of the thread instead of the stream: what a
//! harness shows of a failing test. The child has a copy of that buffer, which ends with it. So a
//! captured child prints into a pipe, and the caller prints that again, on its own thread.
//!
//! Nothing on stable Rust tells whether a thread is captured. But the child has descriptors of its
//! own: it points stdout at the pipe, prints one letter, and looks whether that arrived.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
#[cfg(feature = "pool")]
use std::fs::OpenOptions;
#[cfg(feature = "pool")]
use std::io::stderr;
use std::io::{self, Read, Write, stdout};
use std::os::fd::AsFd;
#[cfg(feature = "pool")]
use std::os::fd::OwnedFd;

use nix::unistd::{dup2_stderr, dup2_stdout};

use super::Kept;
use crate::sys::pipe::{Reader, Writer, pipe};
use crate::sys::retry;

/// What is known of this thread's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    Unknown = 0,
    /// It goes straight to the streams, and will: harnesses capture a thread before they run
    /// anything on it.
    Not = 1,
    /// It goes into the buffer of a harness. Asked again at each call, for the buffer is out of
    /// its place while it is printed into.
    Captured = 2,
}

thread_local! {
    static KNOWN: Cell<Capture> = const { Cell::new(Capture::Unknown) };
}

impl Capture {
    pub(crate) fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Not,
            2 => Self::Captured,
            _ => Self::Unknown,
        }
    }

    /// What this thread knows.
    #[cfg(feature = "pool")]
    pub(crate) fn known() -> Self {
        KNOWN.get()
    }

    /// From now on this thread knows: that it is not costs nothing any more.
    pub(crate) fn remember(self) {
        KNOWN.set(self);
    }
}

/// Whether the thread is captured: asked by the caller before the fork, answered by the child.
#[derive(Debug)]
pub(crate) struct Question {
    reader: Reader,
    writer: Writer,
}

impl Question {
    /// `None`: the answer is known to be no, or there are no descriptors to ask with. That is no
    /// error: the call can do without.
    pub(crate) fn new() -> Option<Self> {
        if KNOWN.get() == Capture::Not {
            return None;
        }
        let (reader, writer) = pipe().ok()?;
        // One more is left for the handle on the child: the last one is not spent on this.
        drop(writer.as_fd().try_clone_to_owned().ok()?);
        Some(Self { reader, writer })
    }

    /// In the caller, after the fork: where the child's output comes out, if it is captured.
    pub(crate) fn into_reader(self) -> Reader {
        self.reader
    }

    /// In the child: finds it out. If the thread is captured, stdout and stderr are now the pipe,
    /// one for both, which keeps their order; if not, they are what they were.
    pub(crate) fn answer(mut self) -> Capture {
        let Ok(kept) = Kept::stdout() else { return Capture::Unknown };
        let answer = self.try_answer().unwrap_or(Capture::Unknown);
        if answer != Capture::Captured {
            kept.put_back();
        }
        answer
    }

    fn try_answer(&mut self) -> io::Result<Capture> {
        retry(|| dup2_stdout(&self.writer))?;
        // In the child's copy of a harness's buffer nobody sees it; in the pipe, it is read here.
        print!("x");
        stdout().flush()?;
        match self.reader.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            arrived => return arrived.map(|_| Capture::Not),
        }
        retry(|| dup2_stderr(&self.writer))?;
        Ok(Capture::Captured)
    }
}

/// Runs what never returns; on a captured thread, where it prints to the streams.
///
/// The standard library takes the buffer out of its place while it formats: what runs inside of
/// that, and every thread it starts, is not captured. Where nothing is captured, formatting would
/// hold the lock of stdout instead.
#[inline]
pub(crate) fn escape(is_captured: bool, job: impl FnOnce() -> Infallible) -> ! {
    if is_captured { escape_by(job) } else { match job() {} }
}

#[cold]
fn escape_by(job: impl FnOnce() -> Infallible) -> ! {
    let inside = Inside(Cell::new(Some(job)));
    print!("{inside}");
    // It was not printed. Then it runs here, and what it prints is lost.
    match inside.0.take() {
        Some(job) => match job() {},
        None => crate::sys::exit::now(101),
    }
}

struct Inside<F>(Cell<Option<F>>);

impl<F: FnOnce() -> Infallible> fmt::Display for Inside<F> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.take().map_or(Ok(()), |job| match job() {})
    }
}

/// In a worker, whose body a captured thread of the caller waits for: stdout and stderr are the
/// caller's pipe, until this is dropped.
#[cfg(feature = "pool")]
pub(crate) struct Diverted(Option<(OwnedFd, OwnedFd)>);

#[cfg(feature = "pool")]
impl Diverted {
    /// Where the system does not let this process have the pipe, nothing is diverted.
    pub(crate) fn to(caller: u32, number: i32) -> Self {
        Self(Self::divert(caller, number).ok())
    }

    fn divert(caller: u32, number: i32) -> io::Result<(OwnedFd, OwnedFd)> {
        let path = format!("/proc/{caller}/fd/{number}");
        let pipe = OpenOptions::new().write(true).open(path)?;
        let own = (stdout().as_fd().try_clone_to_owned()?, stderr().as_fd().try_clone_to_owned()?);
        retry(|| dup2_stdout(&pipe))?;
        retry(|| dup2_stderr(&pipe))?;
        Ok(own)
    }
}

#[cfg(feature = "pool")]
impl Drop for Diverted {
    fn drop(&mut self) {
        if let Some((out, err)) = self.0.take() {
            let _ = retry(|| dup2_stdout(&out));
            let _ = retry(|| dup2_stderr(&err));
        }
    }
}
