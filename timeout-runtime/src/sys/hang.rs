//! Where a body hangs: the caller asks at the deadline, the child answers from a signal handler.
//!
//! The answer goes onto a page that both share, and not into the pipe: the body may have closed
//! that, or be in the middle of writing to it. The signal is SIGURG, which a process that does not
//! handle it ignores, so that asking harms no program that the body has become by `exec`.
//!
//! # Safety
//!
//! A page is mapped when it is made and unmapped when it is dropped; the child keeps its mapping as
//! long as it lives. What is on it are atomics. The handler calls the unwinder, which takes no lock
//! and allocates nothing on the systems where it finds frames by `dl_iterate_phdr`'s successor
//! `_dl_find_object` (glibc 2.35); where it waits for a lock that the body holds, there is no answer.
#![expect(unsafe_code, reason = "see the heading")]

#[cfg(feature = "pool")]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::process::Process;
use crate::limit::Deadline;

/// So long the caller waits for an answer.
const PATIENCE: Duration = Duration::from_millis(100);

const MOST: usize = 255;

/// The shared page.
#[derive(Debug)]
pub(crate) struct Slate(NonNull<Answer>);

// SAFETY: it points to atomics.
unsafe impl Send for Slate {}
// SAFETY: as above.
unsafe impl Sync for Slate {}

/// All zero when it is new.
struct Answer {
    state: AtomicUsize,
    length: AtomicUsize,
    addresses: [AtomicU64; MOST],
}

/// The child does not answer yet; it would; it has.
const SILENT: usize = 0;
const LISTENING: usize = 1;
const ANSWERED: usize = 2;
/// SIGTERM was sent: the handler may return.
const RELEASED: usize = 3;

impl Slate {
    /// `None` without the feature `backtrace`, or without memory: then there is no trace.
    pub(crate) fn new() -> Option<Self> {
        if !cfg!(feature = "backtrace") {
            return None;
        }
        Self::map(libc::MAP_SHARED | libc::MAP_ANON, -1)
    }

    fn map(flags: libc::c_int, descriptor: libc::c_int) -> Option<Self> {
        let (size, protection) = (size_of::<Answer>(), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let page = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, descriptor, 0) };
        if page == libc::MAP_FAILED { None } else { NonNull::new(page.cast()).map(Self) }
    }

    /// One that a process of the same build can share, by way of the descriptor.
    #[cfg(feature = "pool")]
    pub(crate) fn shared() -> Option<(Self, OwnedFd)> {
        use nix::sys::memfd::{MFdFlags, memfd_create};

        let memory = memfd_create(c"timeout-runtime", MFdFlags::MFD_CLOEXEC).ok()?;
        nix::unistd::ftruncate(&memory, size_of::<Answer>().try_into().ok()?).ok()?;
        Some((Self::of(memory.as_fd())?, memory))
    }

    /// The page that [`shared`](Self::shared) made.
    #[cfg(feature = "pool")]
    pub(crate) fn of(memory: BorrowedFd<'_>) -> Option<Self> {
        if !cfg!(feature = "backtrace") {
            return None;
        }
        Self::map(libc::MAP_SHARED, memory.as_raw_fd())
    }

    fn answer(&self) -> &Answer {
        // SAFETY: mapped as long as this lives, and zero is a valid answer.
        unsafe { self.0.as_ref() }
    }

    /// In a fresh child: from now on it answers.
    pub(crate) fn listen(self) {
        BODY.store(0, Ordering::Relaxed);
        SLATE.store(self.0.as_ptr(), Ordering::Release);
        let action =
            SigAction::new(SigHandler::Handler(reply), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: see the heading.
        if unsafe { sigaction(Signal::SIGURG, &action) }.is_ok() {
            self.answer().state.store(LISTENING, Ordering::Release);
        }
        // The page stays for as long as the process does.
        std::mem::forget(self);
    }

    /// In the caller: the stack of the body, if there is an answer in time.
    pub(crate) fn ask(&self, process: &mut Process) -> Vec<u64> {
        let answer = self.answer();
        if answer.state.load(Ordering::Acquire) == SILENT || process.is_stopped() {
            return Vec::new();
        }
        process.signal(Signal::SIGURG);
        let until = Deadline::after(Instant::now(), Some(PATIENCE));
        let mut step = Duration::from_micros(50);
        while answer.state.load(Ordering::Acquire) != ANSWERED && !until.has_passed() {
            let look = Deadline::after(Instant::now(), Some(step));
            if process.wait([None; 2], look).ended {
                break;
            }
            step = (step * 2).min(Duration::from_millis(2));
        }
        let length = answer.length.load(Ordering::Acquire).min(MOST);
        answer.addresses[..length].iter().map(|address| address.load(Ordering::Relaxed)).collect()
    }

    /// In the caller, once it has sent what ends the child: the body may go on.
    ///
    /// Before that it must not: a call that the question interrupted, such as C's `sleep`, would
    /// return early, and the body after it.
    pub(crate) fn release(&self) {
        self.answer().state.store(RELEASED, Ordering::Release);
    }
}

impl Drop for Slate {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody has a reference any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Answer>()) };
    }
}

static SLATE: AtomicPtr<Answer> = AtomicPtr::new(ptr::null_mut());

/// The thread that runs the body, where that is not the first.
static BODY: AtomicU64 = AtomicU64::new(0);

/// In a child: from now on this thread answers, whichever the system asks.
#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) fn answer_here() {
    BODY.store(this_thread(), Ordering::Release);
}

/// By the name that the C library gives it, a number or a pointer.
fn this_thread() -> u64 {
    // SAFETY: it cannot fail.
    unsafe { libc::pthread_self() as u64 }
}

extern "C" fn reply(_: i32) {
    let errno = nix::errno::Errno::last_raw();
    let body = BODY.load(Ordering::Acquire);
    if body != 0 && body != this_thread() {
        // SAFETY: that thread lives as long as the process; it may be called in a handler.
        unsafe { libc::pthread_kill(body as libc::pthread_t, libc::SIGURG) };
        return nix::errno::Errno::set_raw(errno);
    }
    // SAFETY: null, or the page of this child, which is never unmapped here.
    if let Some(answer) = unsafe { SLATE.load(Ordering::Acquire).as_ref() } {
        let mut length = 0;
        super::stack::each(|address| {
            answer.addresses[length].store(address, Ordering::Relaxed);
            length += 1;
            length < MOST
        });
        answer.length.store(length, Ordering::Release);
        answer.state.store(ANSWERED, Ordering::Release);
        wait_for_release(answer);
    }
    nix::errno::Errno::set_raw(errno);
}

/// In the handler, where SIGTERM ends the process or runs the body's own handler on top. Not for
/// ever: the caller may have been killed.
fn wait_for_release(answer: &Answer) {
    let step = libc::timespec { tv_sec: 0, tv_nsec: 200_000 };
    for _ in 0..5_000 {
        if answer.state.load(Ordering::Acquire) == RELEASED {
            return;
        }
        // SAFETY: the step lives through the call; it may be called in a handler.
        unsafe { libc::nanosleep(&raw const step, ptr::null_mut()) };
    }
}
