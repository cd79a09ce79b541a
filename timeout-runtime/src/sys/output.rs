//! The standard output streams across a fork.
//!
//! Two things can go wrong. A line that is printed in part waits in the caller's buffer, and the
//! child's copy of it would be written a second time. And a thread of the caller that prints at
//! the moment of the fork leaves the stream's lock taken in the child for ever.
//!
//! | the caller | before the fork | in the child |
//! |---|---|---|
//! | has one thread | flushes | nothing left to do |
//! | has more | touches no lock: a thread may hold one for ever, and there is no `try_lock` | takes the locks under an alarm: they are free or this thread's own, or the child says which is not and ends; it empties its copy of the buffer |
//! | was told so | a [`Holder`] thread takes those locks, as long as the deadline allows | releases the holder's locks, the holder being gone |
//!
//! In the child, once the streams are usable, it is also found out whether a harness captures what
//! this thread prints: see [`capture`].
//!
//! A holder's guards are dropped in the child by the one thread there is, which by that owns the
//! copy of the holder's stack: see `holder`.

pub(crate) mod capture;
mod holder;

use std::io::{Stderr, Stdout, Write, stderr, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use self::holder::Holder;
use super::cell::Published;
use super::platform::{close, close_stdout, discard_c, duplicate_stdout, flush_c, put_at_stdout};
use super::{exit, signal, slate, threads};
use crate::frame::{Tag, header};
use crate::limit::Deadline;

/// So long the child tries to take the locks. Free ones take less than a microsecond; a child
/// that is not scheduled for longer costs the caller one more fork.
const PATIENCE: Duration = Duration::from_millis(2);

/// And so long at its end, where what it waits for is a thread of the body.
const PATIENCE_AT_THE_END: Duration = Duration::from_millis(100);

/// A set of output streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams(u8);

impl Streams {
    const STDOUT: Self = Self(1);
    const STDERR: Self = Self(2);

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits & 3)
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The caller's streams, ready for a fork. In the caller it is dropped after it.
pub(crate) struct Prepared {
    /// Nobody can hold a lock, and nothing is left in a buffer.
    settled: bool,
    holder: Option<Holder>,
}

impl Prepared {
    /// Gets ready, given the streams that other threads were seen to hold. `None`: they hold them
    /// beyond the deadline.
    pub(crate) fn new(contended: Streams, deadline: Deadline) -> std::io::Result<Option<Self>> {
        if contended != Streams::default() {
            let holder = Holder::new(contended, deadline)?;
            return Ok(holder.map(|holder| Self { settled: false, holder: Some(holder) }));
        }
        // What is made on first use is made here, and not in each child.
        let _ = (known_stdout(), known_stderr());
        let settled = flush_c() && threads::is_alone() && flush();
        Ok(Some(Self { settled, holder: None }))
    }

    /// Whether the child may say [`Tag::Contended`] first.
    pub(crate) fn is_in_doubt(&self) -> bool {
        !self.settled
    }

    /// In the child: makes both streams usable, with nothing of the caller's in them, and prints
    /// with them what `then` prints. If that cannot be, says so over the pipe and ends.
    #[inline]
    pub(crate) fn settle_in_child<T>(self, pipe: i32, then: impl FnOnce() -> T) -> T {
        if self.settled {
            return then();
        }
        discard_c();
        if let Some(holder) = self.holder {
            holder.release_in_child();
        }
        PIPE.store(pipe, Ordering::Relaxed);
        signal::with_alarm(PATIENCE, report_contention, || {
            WAITING_FOR.store(Streams::STDOUT.0, Ordering::Relaxed);
            let mut stdout = known_stdout().lock();
            WAITING_FOR.store(Streams::STDERR.0, Ordering::Relaxed);
            drop(known_stderr().lock());
            discard(&mut stdout);
            drop(stdout);
            // A thread of the same captured test may have been printing into their common buffer.
            // That takes a moment: no holder is needed, another fork will do.
            WAITING_FOR.store(Streams::default().0, Ordering::Relaxed);
            then()
        })
    }
}

static PIPE: AtomicI32 = AtomicI32::new(0);
static WAITING_FOR: AtomicU8 = AtomicU8::new(0);

/// The alarm of a child that waits for a lock nobody will release.
extern "C" fn report_contention(_: i32) {
    let mut record = [0; 9];
    record[..8].copy_from_slice(&const { header(Tag::Contended, 1) });
    record[8] = WAITING_FOR.load(Ordering::Relaxed);
    // Nine bytes into an empty pipe: never short, never blocked.
    let _ = super::pipe::Raw(PIPE.load(Ordering::Relaxed)).write(&record);
    // If that did not arrive.
    give_up()
}

/// Flushes the child's own output at its end. A thread of the body may hold the lock for ever:
/// what is left in the buffer is lost then, as it is at the end of any program.
#[inline]
pub(crate) fn flush_in_child() {
    // Where there never was another thread. To count them takes longer than an alarm.
    if threads::never_had_another() {
        let _ = known_stdout().flush();
    } else {
        let lock = || known_stdout().lock();
        let _ = signal::with_alarm(PATIENCE_AT_THE_END, leave_unflushed, lock).flush();
    }
    flush_c();
}

/// Flushes the output of a child that has no thread but those it had before the body.
#[cfg(feature = "pool")]
pub(crate) fn flush_alone() {
    let _ = stdout().flush();
    flush_c();
}

/// The alarm of a child whose last word is said.
extern "C" fn leave_unflushed(_: i32) {
    exit::now(0);
}

/// Flushes Rust's stdout; false if that might block, for then its reader is behind.
fn flush() -> bool {
    let mut stdout = known_stdout();
    is_writable(stdout.as_fd()) && stdout.flush().is_ok()
}

/// As `stdout()`, whose code a fresh child has not touched yet.
#[inline]
fn known_stdout() -> &'static Stdout {
    static STDOUT: Published<Stdout> = Published::new();

    STDOUT.get_or(stdout)
}

#[inline]
fn known_stderr() -> &'static Stderr {
    static STDERR: Published<Stderr> = Published::new();

    STDERR.get_or(stderr)
}

/// Whether the little that a line buffer holds can be written at once. A stream that is closed
/// can: writing to it fails at once.
pub(super) fn is_writable(stream: BorrowedFd<'_>) -> bool {
    let mut one = [PollFd::new(stream, PollFlags::POLLOUT)];
    matches!(poll(&mut one, 0u8), Ok(1..))
}

/// Empties the buffer of stdout without writing it anywhere: the standard library takes a closed
/// stdout for one that swallows everything.
#[inline]
fn discard(stdout: &mut std::io::StdoutLock<'_>) {
    let kept = Kept::stdout().unwrap_or_else(|_| give_up());
    close_stdout();
    let _ = stdout.flush();
    kept.put_back();
}

/// The descriptor behind stdout, while another is in its place. In a child only.
struct Kept(Option<OwnedFd>);

impl Kept {
    #[inline]
    fn stdout() -> nix::Result<Self> {
        match duplicate_stdout() {
            Ok(kept) => Ok(Self(Some(kept))),
            Err(Errno::EBADF) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    #[inline]
    fn put_back(self) {
        match self.0 {
            Some(kept) => {
                if super::retry(|| put_at_stdout(&kept)).is_err() {
                    give_up();
                }
                close(kept);
            }
            None => close_stdout(),
        }
    }
}

/// Without its streams the child must not run the body: its next file would come to be stdout.
/// It ends before it has said [`Tag::Ready`].
fn give_up() -> ! {
    slate::fail();
    exit::now(1)
}
