//! A few pages that a caller and its child share: what the child's signal handlers write there, the
//! caller reads, whatever has become of the child.
//!
//! Not the pipe: the body may have closed that, or be in the middle of writing to it. A page that
//! nobody touches takes no memory, so a call that does not fail pays for the mapping alone.
//!
//! # Safety
//!
//! They are mapped as long as a slate lives; the child keeps its mapping as long as it lives. What is on
//! them are atomics, for which zero is valid.
#![expect(unsafe_code, reason = "see the heading")]

mod region;
#[cfg(all(test, feature = "backtrace"))]
mod tests;

use std::cell::UnsafeCell;
#[cfg(feature = "pool")]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

use self::region::Place;
use crate::current;
use crate::error::Untraced;
use crate::trace::Stack;

/// The shared pages.
#[derive(Debug)]
pub(crate) struct Slate {
    pages: NonNull<Page>,
    /// Where they are among those of other calls; `None` where they have a mapping of their own.
    place: Option<Place>,
}

// SAFETY: it points to atomics.
unsafe impl Send for Slate {}
// SAFETY: as above.
unsafe impl Sync for Slate {}

/// All zero when it is new. One begins where a page of memory does.
#[repr(align(4096))]
pub(super) struct Page {
    /// What is to be expected of the child: one of the states below.
    pub(super) state: AtomicU32,
    /// The thread that runs the body, by its number; zero is the first one.
    pub(super) body: AtomicI32,
    /// The threads that are asked, by the notes that are theirs: the body's comes first.
    pub(super) asked: AtomicUsize,
    /// Changes when one of them has said all.
    pub(super) said: AtomicU32,
    /// One of them has asked the others.
    pub(super) is_passed_on: AtomicBool,
    /// SIGTERM was sent: the threads that were asked may go on.
    pub(super) is_released: AtomicBool,
    /// Who sends it: one of those below.
    pub(super) sends: AtomicU32,
    /// The signal that the body crashed by, and where.
    pub(super) signal: AtomicI32,
    pub(super) crash: Note,
    pub(super) notes: [Note; MOST_THREADS],
    /// The child's: a stack for its handlers. Here, for where a program has its own data, it would part
    /// what a fresh child writes to.
    pub(super) room: UnsafeCell<[u8; ROOM]>,
}

/// What a stack of the standard library's for handlers has is too little for an unwinder.
pub(super) const ROOM: usize = 64 << 10;

/// Zero is a process that has not come so far that it can answer. Of a copy of the caller that is never so:
/// what it is asked too early is held back until it can. That it has begun with the body it does not say
/// before it is asked, for a fresh child pays for the page that it writes to.
pub(super) const LISTENING: u32 = 1;

/// When it was asked it had not begun with the body.
pub(super) const NOT_BEGUN: u32 = 2;

/// It could not be made ready for the body, and ends.
const FAILED: u32 = 3;

/// Who sends the SIGTERM that follows the question: the caller, or the child if it is first to see that there
/// is nobody else whom it should come to.
pub(super) const THE_CALLER: u32 = 0;
pub(super) const WHO_IS_FIRST: u32 = 1;
pub(super) const THE_CHILD: u32 = 2;

/// More threads of a child are not asked.
pub(super) const MOST_THREADS: usize = 32;

/// More of a stack is not taken.
pub(super) const MOST_FRAMES: usize = 240;

/// More of a name is not kept.
const MOST_TEXT: usize = 120;

/// What a thread says of itself.
pub(super) struct Note {
    pub(super) thread: AtomicI32,
    /// It has said all.
    pub(super) is_written: AtomicBool,
    is_body: AtomicBool,
    /// There was more of the stack.
    is_cut: AtomicBool,
    name: Text<16>,
    /// The function in whose call it waits.
    waits_in: Text<MOST_TEXT>,
    length: AtomicUsize,
    addresses: [AtomicU64; MOST_FRAMES],
}

/// Up to the first zero.
struct Text<const LENGTH: usize>([AtomicU8; LENGTH]);

impl<const LENGTH: usize> Text<LENGTH> {
    fn set(&self, text: &[u8]) {
        let text = text.iter().chain(std::iter::once(&0));
        self.0.iter().zip(text).for_each(|(place, byte)| place.store(*byte, Ordering::Relaxed));
    }

    fn get(&self) -> Option<String> {
        let bytes = self.0.iter().map(|byte| byte.load(Ordering::Relaxed));
        let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Note {
    /// In a signal handler of the thread that it is about.
    pub(super) fn write(&self, is_body: bool, at: Option<u64>) {
        self.is_body.store(is_body, Ordering::Relaxed);
        super::platform::with_own_name(|name| self.name.set(name));
        self.waits_in.set(current::waits_in().unwrap_or_default().as_bytes());
        let end = base_of_this_thread();
        // Said as it goes, so that what was taken counts if it comes to no end.
        let mut length = 0;
        super::stack::each_from(at, end, |address| {
            if length == MOST_FRAMES {
                self.is_cut.store(true, Ordering::Relaxed);
                return false;
            }
            self.addresses[length].store(address, Ordering::Relaxed);
            length += 1;
            self.length.store(length, Ordering::Release);
            true
        });
        self.is_written.store(true, Ordering::Release);
    }

    /// In the caller. The child's word for it is not taken.
    pub(super) fn read(&self) -> Stack {
        let length = self.length.load(Ordering::Acquire).min(MOST_FRAMES);
        let addresses = self.addresses[..length].iter();
        Stack {
            name: self.name.get(),
            is_body: self.is_body.load(Ordering::Relaxed),
            addresses: addresses.map(|address| address.load(Ordering::Relaxed)).collect(),
            is_cut: self.is_cut.load(Ordering::Relaxed),
            waits_in: self.waits_in.get(),
            missing: None,
        }
    }

    /// What it said is of no use any more.
    pub(super) fn clear(&self) {
        self.is_written.store(false, Ordering::Release);
        self.length.store(0, Ordering::Release);
    }

    pub(super) fn is_written(&self) -> bool {
        self.is_written.load(Ordering::Acquire)
    }
}

impl Slate {
    /// For a copy of this process. `None` without the feature `backtrace`, or without memory: then there is
    /// no trace.
    pub(crate) fn new() -> Option<Self> {
        if !cfg!(feature = "backtrace") {
            return None;
        }
        let place = Place::new();
        let pages = match &place {
            Some(place) => place.at(),
            None => map(1, libc::MAP_SHARED | libc::MAP_ANON, -1)?,
        };
        let slate = Self { pages, place };
        slate.page().state.store(LISTENING, Ordering::Release);
        Some(slate)
    }

    /// In the caller, of a child that has ended: others may have the place. Where nothing was said there,
    /// it need not be emptied.
    pub(crate) fn keep(mut self) {
        let page = self.page();
        let is_asked = page.asked.load(Ordering::Acquire) != 0;
        let is_crashed = page.signal.load(Ordering::Acquire) != 0;
        if !is_asked && !is_crashed {
            page.body.store(0, Ordering::Release);
            if let Some(place) = self.place.take() {
                place.rest();
                std::mem::forget(self);
            }
        }
    }

    /// Of a child that nothing ends: what it writes there must not be another's.
    pub(crate) fn abandon(self) {
        std::mem::forget(self);
    }

    /// In the caller: whether the child could not be made ready for the body.
    pub(crate) fn has_failed(&self) -> bool {
        self.page().state.load(Ordering::Acquire) == FAILED
    }

    pub(super) fn why_none() -> Untraced {
        if cfg!(feature = "backtrace") { Untraced::NoMemory } else { Untraced::FeatureOff }
    }

    /// One that a process of the same build can share, by way of the descriptor.
    #[cfg(feature = "pool")]
    pub(crate) fn shared() -> Option<(Self, OwnedFd)> {
        let memory = super::shared::memory(size_of::<Page>()).ok()?;
        Some((Self::of(memory.as_fd())?, memory))
    }

    /// The pages that [`shared`](Self::shared) made.
    #[cfg(feature = "pool")]
    pub(crate) fn of(memory: BorrowedFd<'_>) -> Option<Self> {
        if !cfg!(feature = "backtrace") {
            return None;
        }
        let pages = map(1, libc::MAP_SHARED, memory.as_raw_fd())?;
        Some(Self { pages, place: None })
    }

    pub(super) fn page(&self) -> &Page {
        // SAFETY: mapped as long as this lives.
        unsafe { self.pages.as_ref() }
    }

    /// In a fresh child: from now on this is where it writes. It stays for as long as the process does.
    #[inline]
    pub(super) fn adopt(self) -> &'static Page {
        BASE.store(0, Ordering::Relaxed);
        OWN.store(self.pages.as_ptr(), Ordering::Release);
        let page = self.pages;
        std::mem::forget(self);
        // SAFETY: see the heading.
        unsafe { page.as_ref() }
    }
}

impl Drop for Slate {
    fn drop(&mut self) {
        match &self.place {
            Some(place) => place.empty(),
            // SAFETY: mapped by `map`, and nobody has a reference any more.
            None => unsafe {
                libc::munmap(self.pages.as_ptr().cast(), size_of::<Page>());
            },
        }
    }
}

/// So many at once, all zero.
fn map(count: usize, flags: libc::c_int, descriptor: libc::c_int) -> Option<NonNull<Page>> {
    let (size, protection) = (count * size_of::<Page>(), libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let pages = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, descriptor, 0) };
    NonNull::new(pages.cast()).filter(|_| pages != libc::MAP_FAILED)
}

static OWN: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());

/// Where the body's part of its thread's stack begins. Zero: there is no body yet.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// In a child, and not in what a body forked by itself, where the pages are another's.
#[inline]
pub(super) fn own() -> Option<&'static Page> {
    // SAFETY: null, or the pages of this child, which are never unmapped here.
    let page = unsafe { OWN.load(Ordering::Acquire).as_ref() }?;
    current::child().map(|_| page)
}

/// In a fresh child without a slate: that of the call around it is not its own, and nobody asks it.
pub(crate) fn disown() {
    OWN.store(ptr::null_mut(), Ordering::Release);
    super::platform::set_default(libc::SIGURG);
}

/// In a child that cannot be made ready for the body.
#[cold]
pub(crate) fn fail() {
    if let Some(page) = own() {
        page.state.store(FAILED, Ordering::Release);
    }
}

/// Where this thread's stack is no affair of the body's any more; zero where all of it is.
pub(super) fn base_of_this_thread() -> usize {
    if super::hang::is_body_thread() { BASE.load(Ordering::Relaxed) } else { 0 }
}

/// In a child: runs the body. What is outside of this on the stack is no affair of the body's.
#[inline]
pub(crate) fn bounded<T>(body: &mut dyn FnMut() -> T) -> T {
    let here = 0u8;
    BASE.store((&raw const here).addr(), Ordering::Release);
    let result = body();
    // It stays where it is until then.
    std::hint::black_box(&raw const here);
    result
}

/// In a child that serves one call after another: the next body has not begun.
#[cfg(feature = "pool")]
pub(crate) fn rest() {
    BASE.store(0, Ordering::Release);
}

pub(super) fn has_begun() -> bool {
    BASE.load(Ordering::Acquire) != 0
}
