//! The least that a call can be: a fork, a child that sleeps for a millisecond, and its end, awaited.

use std::cell::Cell;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;

/// One of them may fork in a round of the executor.
#[derive(Default)]
pub struct Round {
    number: Cell<u64>,
    taken: Cell<u64>,
}

impl Round {
    /// Goes on for as long as it is polled.
    pub async fn count(&self) {
        loop {
            self.number.set(self.number.get() + 1);
            yield_now().await;
        }
    }

    async fn turn(&self) {
        while self.taken.replace(self.number.get()) == self.number.get() {
            yield_now().await;
        }
    }
}

pub async fn call(round: &Round) -> io::Result<()> {
    round.turn().await;
    // SAFETY: the child calls nothing but what a signal handler may.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => child(),
        child => child,
    };
    // SAFETY: numbers; the child is not reaped before it has ended.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) };
    let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0);
    let descriptor = descriptor.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: just opened, and nobody else's.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: it owns the descriptor until it is dropped.
    let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
    let _ended = descriptor.readable().await?;
    // SAFETY: nobody asks for its status.
    match unsafe { libc::waitpid(child, ptr::null_mut(), 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn child() -> ! {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // SAFETY: these two are free of locks and of memory.
    unsafe {
        libc::nanosleep(&raw const time, ptr::null_mut());
        libc::_exit(0)
    }
}
