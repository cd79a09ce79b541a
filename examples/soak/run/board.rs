//! What a child tells of itself, on a page that it shares with the caller: it can say so even if it
//! never returns.

use std::ffi::CString;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The name by which `/proc` shows a child and whatever it starts, unless that becomes another
/// program. One for each call; 15 bytes, the most that `PR_SET_NAME` takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub thread: usize,
    pub number: u64,
    /// Of a body whose descendants leave its process group.
    pub escapes: bool,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.escapes { 'o' } else { 'i' };
        write!(f, "{}{:02x}{:06x}{group}", run_name(), self.thread, self.number & 0xFF_FFFF)
    }
}

/// What the markers of this process begin with.
pub fn run_name() -> String {
    static RUN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let run = RUN.get_or_init(|| {
        let mixed = super::random::Random::new(now(), std::process::id() as usize).next();
        (mixed & 0xFF_FFFF) as u32
    });
    format!("{run:06x}")
}

/// Nanoseconds of the monotonic clock, which is the same in all processes.
pub fn now() -> u64 {
    // SAFETY: zero is a valid `timespec`, which lives through the call.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// One call's part of the page.
#[derive(Clone, Copy)]
pub struct Board(&'static Page);

#[derive(Default)]
struct Page {
    child: AtomicU32,
    /// When the body had come so far that its end is certain; 0 before.
    ready: AtomicU64,
    descendants: [AtomicU32; MOST],
    count: AtomicUsize,
}

const MOST: usize = 8;

impl Board {
    pub fn new() -> Self {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANON);
        // SAFETY: a new mapping, never unmapped, and zero is a valid page of atomics.
        let page = unsafe {
            let page = libc::mmap(ptr::null_mut(), size_of::<Page>(), protection, flags, -1, 0);
            assert_ne!(page, libc::MAP_FAILED, "no memory to share with the children");
            &*page.cast::<Page>()
        };
        Self(page)
    }

    /// In the caller, before a call.
    pub fn wipe(self) {
        self.0.child.store(0, Ordering::Relaxed);
        self.0.ready.store(0, Ordering::Relaxed);
        self.0.count.store(0, Ordering::Relaxed);
        self.0.descendants.iter().for_each(|pid| pid.store(0, Ordering::Relaxed));
    }

    /// First of all in a child: whatever it starts carries its marker from the first instant.
    pub fn enter(self, marker: Marker) {
        let name = CString::new(marker.to_string()).unwrap_or_default();
        // SAFETY: the name lives through the call.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        self.0.child.store(std::process::id(), Ordering::Release);
    }

    /// In the child: from here on, it ends as expected.
    pub fn ready(self) {
        self.0.ready.store(now(), Ordering::Release);
    }

    /// In the child or what it started.
    pub fn tell_of(self, descendant: u32) {
        let index = self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.descendants[index % MOST].store(descendant, Ordering::Release);
    }

    pub fn told(self) -> usize {
        self.0.descendants.iter().filter(|pid| pid.load(Ordering::Acquire) != 0).count()
    }

    pub fn child(self) -> Option<u32> {
        Some(self.0.child.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    pub fn descendants(self) -> impl Iterator<Item = u32> {
        self.0.descendants.iter().map(|pid| pid.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    pub fn is_ready(self) -> bool {
        self.0.ready.load(Ordering::Acquire) != 0
    }

    /// Whether it was ready before this limit of a call that began then was over.
    pub fn was_ready_within(self, limit: Duration, began: u64) -> bool {
        self.is_ready() && self.0.ready.load(Ordering::Acquire) < began + limit.as_nanos() as u64
    }
}
