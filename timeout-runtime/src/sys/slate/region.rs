//! One mapping for the slates of many calls at once: a fork copies each mapping of the caller's, so that one
//! for each of sixty-four threads would cost each of their calls some thirty microseconds.
//!
//! # Safety
//!
//! The mapping is made once for each process that needs one, and is never taken away. A place in it is
//! somebody's as long as its bit is set.
#![expect(unsafe_code, reason = "see the heading")]

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Page;
use crate::sys::cell::Published;
use crate::sys::platform::process_number;

#[derive(Debug)]
pub(super) struct Region {
    places: NonNull<Page>,
    /// The process that has mapped it for itself and its children.
    owner: i32,
    taken: AtomicU64,
}

// SAFETY: it points to atomics.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

/// As many as there are bits. More calls than these at once have mappings of their own.
pub(super) const PLACES: usize = u64::BITS as usize;

/// Where more are taken, by threads that may not call again, none is kept for a next call.
const MOST_AT_REST: u32 = u64::BITS / 2;

/// A place of this process's.
#[derive(Debug)]
pub(super) struct Place {
    region: &'static Region,
    index: u32,
}

impl Region {
    /// That of this very process: what it had before a fork is its parent's, who may be using it.
    fn own() -> Option<&'static Self> {
        static OWN: Published<Region> = Published::new();

        let (known, owner) = (OWN.get(), process_number());
        if known.is_some_and(|region| region.owner == owner) {
            return known;
        }
        let places = super::map(PLACES, libc::MAP_SHARED | libc::MAP_ANON | NO_RESERVE, -1)?;
        OWN.publish_after(known, Self { places, owner, taken: AtomicU64::new(0) })
    }

    fn take(&'static self) -> Option<Place> {
        let first_free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        let before = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, first_free);
        before.ok().map(|taken| Place { region: self, index: taken.trailing_ones() })
    }
}

/// Most of it is never touched.
#[cfg(target_os = "linux")]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(target_os = "linux"))]
const NO_RESERVE: libc::c_int = 0;

thread_local! {
    /// That of this thread's last call, for the next: to note elsewhere that it is free would be to write to
    /// one more page that the last fork has made costly to write to.
    static LAST: Cell<Option<Place>> = const { Cell::new(None) };
}

impl Place {
    /// A free one, all zero.
    pub(super) fn new() -> Option<Self> {
        let last = LAST.try_with(Cell::take).ok().flatten();
        let is_own = |place: &Self| place.region.owner == process_number();
        last.filter(is_own).or_else(|| Region::own()?.take())
    }

    /// For this thread's next call, unless few are left for others; it is all zero.
    pub(super) fn rest(self) {
        if self.region.taken.load(Ordering::Relaxed).count_ones() <= MOST_AT_REST {
            // A thread that is about to end has none.
            let _ = LAST.try_with(|last| last.set(Some(self)));
        }
    }

    pub(super) fn at(&self) -> NonNull<Page> {
        let index = usize::try_from(self.index).unwrap_or_default();
        // SAFETY: there are as many as there are bits.
        unsafe { self.region.places.add(index) }
    }

    /// Zeros again, whatever was there; in the process that has it, and not in a copy.
    pub(super) fn empty(&self) {
        if self.region.owner == process_number() && !gives_back(self.at()) {
            // SAFETY: it is this call's alone, and its child has ended.
            unsafe { self.at().write_bytes(0, 1) };
        }
    }
}

/// The memory that it takes, which leaves zeros.
#[cfg(target_os = "linux")]
fn gives_back(place: NonNull<Page>) -> bool {
    // SAFETY: whole pages that are mapped.
    unsafe { libc::madvise(place.as_ptr().cast(), size_of::<Page>(), libc::MADV_REMOVE) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn gives_back(_: NonNull<Page>) -> bool {
    false
}

impl Drop for Place {
    fn drop(&mut self) {
        self.region.taken.fetch_and(!(1 << self.index), Ordering::AcqRel);
    }
}
