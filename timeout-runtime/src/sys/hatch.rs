//! A hatch between a caller and its worker: pages that both share, through which short requests and
//! short values are handed. While both are awake that takes no system call of either.
//!
//! What is long goes through a pipe, and so does what is said to a caller that waits at one: for the end
//! of the worker too, or for more than a moment. One word tells which of all this it is:
//!
//! ```text
//! caller:  post            hear                    wait_until_ready
//! worker:          take    answer, or use_pipe     be_ready
//! word:    Posted  Taken   Answered, or Piped      READY
//! ```
//!
//! The other process may have written anything here: lengths are not believed, and what is taken is
//! copied first.
//!
//! # Safety
//!
//! The pages are mapped when a hatch is made and unmapped when it is dropped. What is on them are
//! atomics, for which any bits are valid.
#![expect(unsafe_code, reason = "see the heading")]

mod letter;
#[cfg(test)]
mod tests;
mod word;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use self::letter::Letter;
use self::word::{Ear, State, Word};
use super::platform::{IS_TOLD_OF_ITS_CALLER, leave_processor, process_number, this_processor};
use super::shared;
use super::spin::{Company, Spin};
use crate::limit::Deadline;

/// The shared pages, on either side.
#[derive(Debug)]
pub(crate) struct Hatch {
    pages: NonNull<Page>,
    /// The process that has mapped them: its copies have not.
    owner: i32,
}

// SAFETY: it points to atomics.
unsafe impl Send for Hatch {}
// SAFETY: as above.
unsafe impl Sync for Hatch {}

/// All zero when it is new. What one side writes to again and again has a line of the cache to itself.
struct Page {
    word: Line<Word>,
    /// By the number and one more; zero is not known.
    caller_is_on: Line<AtomicI32>,
    worker_is_on: Line<AtomicI32>,
    request: Letter,
    answer: Letter,
}

#[repr(align(64))]
struct Line<T>(T);

/// How the caller waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Here, for a moment.
    Here,
    /// At the pipe, from the beginning.
    AtPipe,
}

/// So long a caller sleeps here, where it does not see the end of its worker.
const MOMENT: Duration = Duration::from_millis(1);

/// So long a worker without a call is ready for the next as it is.
const NAP: Duration = Duration::from_millis(100);

impl Hatch {
    /// With the memory by which another process opens it.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let memory = shared::memory(size_of::<Page>())?;
        Ok((Self::open(memory.as_fd())?, memory))
    }

    pub(crate) fn open(memory: BorrowedFd<'_>) -> io::Result<Self> {
        let (size, protection) = (size_of::<Page>(), libc::PROT_READ | libc::PROT_WRITE);
        let (any, file) = (ptr::null_mut(), memory.as_raw_fd());
        // SAFETY: a new mapping at an address of the kernel's choice.
        let page = unsafe { libc::mmap(any, size, protection, libc::MAP_SHARED, file, 0) };
        let page = NonNull::new(page.cast::<Page>()).filter(|_| page != libc::MAP_FAILED);
        let page = page.ok_or_else(io::Error::last_os_error)?;
        // What either of them forks has no part in it. Refused, it would have, and make no use of it.
        // SAFETY: the mapping of a moment ago.
        unsafe { libc::madvise(page.as_ptr().cast(), size, libc::MADV_DONTFORK) };
        Ok(Self { pages: page, owner: process_number() })
    }

    fn page(&self) -> &Page {
        // SAFETY: mapped as long as this lives.
        unsafe { self.pages.as_ref() }
    }

    fn word(&self) -> &Word {
        &self.page().word.0
    }
}

/// For the caller.
impl Hatch {
    /// Hands a request over. One that is too long for this place is to be written to the pipe then.
    ///
    /// `Waits::AtPipe` for who will not [`hear`](Self::hear).
    pub(crate) fn post(&self, request: &[u8], waits: Waits) {
        self.page().request.put(if Self::takes(request.len()) { request } else { &[] });
        self.page().caller_is_on.store(here());
        self.word().post(match waits {
            Waits::Here => Ear::Awake,
            Waits::AtPipe => Ear::AtPipe,
        });
    }

    /// Whether there is room for so many bytes.
    pub(crate) fn takes(length: usize) -> bool {
        length <= letter::ROOM
    }

    /// Whether the worker has not begun with it.
    pub(crate) fn is_untaken(&self) -> bool {
        self.word().state() == State::Posted
    }

    /// Waits until the worker may be given another call: for a moment, or until that if it is sooner.
    /// `None`: it may not yet, or not at all. Whether it is to be told its surroundings anew.
    pub(crate) fn wait_until_ready(&self, spin: &mut Spin, until: Deadline) -> Option<bool> {
        if !spin.until(|| self.word().is_ready(), || self.worker_needs_this_processor()) {
            let moment = Deadline::after(Instant::now(), Some(MOMENT));
            self.sleep(until.min(moment), Word::fall_asleep_until_ready);
        }
        self.word().is_ready().then(|| self.word().has_moved())
    }

    /// The answer, if it comes here. `None`: it is to be waited for at the pipe, for it comes there, or
    /// not within a moment.
    pub(crate) fn hear(&self, spin: &mut Spin, until: Deadline) -> Option<Vec<u8>> {
        if !spin.until(|| self.word().is_said(), || self.worker_needs_this_processor()) {
            let moment = Deadline::after(Instant::now(), Some(MOMENT));
            self.sleep(until.min(moment), Word::fall_asleep);
        }
        (self.word().listen_at_pipe() == State::Answered).then(|| self.page().answer.get())
    }

    fn worker_needs_this_processor(&self) -> bool {
        let Page { word, caller_is_on, worker_is_on, .. } = self.page();
        let here = here();
        caller_is_on.store(here);
        word.0.has_woken() || worker_is_on.0.load(Ordering::Relaxed) == here
    }

    fn sleep(&self, until: Deadline, fall_asleep: fn(&Word) -> Option<u32>) {
        while let Some(word) = fall_asleep(self.word()) {
            let left = until.remaining().unwrap_or(MOMENT);
            if left.is_zero() {
                return;
            }
            self.word().wait(word, left);
        }
    }
}

/// For the worker.
impl Hatch {
    /// Waits for the next request and takes it: `None` for one that is in the pipe. When there is none for
    /// a while, `rest` is called first; again and again, where nothing tells of the caller's end.
    pub(crate) fn take(
        &self,
        spin: &mut Spin,
        company: &mut Company,
        rest: impl FnMut(),
    ) -> Option<Vec<u8>> {
        let is_posted = || self.word().state() == State::Posted;
        if company.is_to_part(self.page().caller_is_on.0.load(Ordering::Relaxed) == here()) {
            leave_processor(this_processor());
        }
        if !spin.until(is_posted, || self.caller_needs_this_processor()) {
            self.doze(rest);
        }
        self.word().take();
        self.page().worker_is_on.store(here());
        let request = self.page().request.get();
        (!request.is_empty()).then_some(request)
    }

    fn caller_needs_this_processor(&self) -> bool {
        let Page { word, caller_is_on, worker_is_on, .. } = self.page();
        let here = here();
        worker_is_on.store(here);
        word.0.has_woken() || caller_is_on.0.load(Ordering::Relaxed) == here
    }

    fn doze(&self, mut rest: impl FnMut()) {
        let (begun, mut is_at_rest) = (Instant::now(), false);
        while let Some(word) = self.word().doze() {
            let left = NAP.saturating_sub(begun.elapsed());
            if left.is_zero() && (!is_at_rest || !IS_TOLD_OF_ITS_CALLER) {
                rest();
                is_at_rest = true;
            }
            let longest = if IS_TOLD_OF_ITS_CALLER { Duration::MAX } else { NAP };
            self.word().wait(word, if is_at_rest { longest } else { left });
        }
    }

    /// The next call may come.
    pub(crate) fn be_ready(&self, has_moved: bool) {
        self.word().be_ready(has_moved);
    }

    /// Gives the answer. Not if it is too long, or the caller waits at the pipe.
    pub(crate) fn answer(&self, answer: &[u8]) -> bool {
        if !Self::takes(answer.len()) || self.word().ear() == Ear::AtPipe {
            return false;
        }
        self.page().answer.put(answer);
        self.word().answer()
    }

    /// What is to be said comes by the pipe.
    pub(crate) fn use_pipe(&self) {
        self.word().use_pipe();
    }
}

fn here() -> i32 {
    this_processor() + 1
}

impl Line<AtomicI32> {
    /// Where the other side looks it is not disturbed without need.
    fn store(&self, value: i32) {
        if self.0.load(Ordering::Relaxed) != value {
            self.0.store(value, Ordering::Relaxed);
        }
    }
}

impl Drop for Hatch {
    fn drop(&mut self) {
        if self.owner == process_number() {
            // SAFETY: mapped by `open`, and nobody has a reference any more.
            unsafe { libc::munmap(self.pages.as_ptr().cast(), size_of::<Page>()) };
        }
    }
}
