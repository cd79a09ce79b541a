//! How much memory a job needs at its peak, on this thread: for the tests and the fuzzer alone.
//!
//! # Safety
//!
//! Everything is passed on to the system's allocator; the counters allocate nothing themselves.
#![expect(unsafe_code, reason = "see the heading")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// What the job gives, and how many bytes it had asked for at once.
pub(crate) fn peak_of<T>(job: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    PEAK.set(before);
    let result = job();
    (result, PEAK.get() - before)
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn add(size: usize) {
    NOW.set(NOW.get().wrapping_add(size));
    PEAK.set(PEAK.get().max(NOW.get()));
}

/// What another thread allocated may be freed here.
fn remove(size: usize) {
    NOW.set(NOW.get().saturating_sub(size));
}

// SAFETY: see the heading.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as promised by the caller of this.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as promised by the caller of this.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // For a moment there may be both.
        add(size);
        remove(layout.size());
        // SAFETY: as promised by the caller of this.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: as promised by the caller of this.
        unsafe { System.dealloc(old, layout) }
    }
}
