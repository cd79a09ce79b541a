//! Values behind an atomic pointer: a lock could be held by another thread at a fork.
//!
//! # Safety
//!
//! A pointer in a cell came from `Box::into_raw`, and whoever takes it out by `swap` owns it; or it is
//! one to the cell's own room, which nobody owns and which is written to by the only thread, while no
//! reference to it is in use.
#![expect(unsafe_code, reason = "see the heading")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Holds one value or none; it can only be exchanged.
pub(crate) struct Slot<T>(AtomicPtr<T>);

impl<T: Send> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(crate) fn replace(&self, value: Option<T>) -> Option<T> {
        let new = value.map_or(ptr::null_mut(), |value| Box::into_raw(Box::new(value)));
        let old = self.0.swap(new, Ordering::AcqRel);
        // SAFETY: see the heading; nobody else got this pointer.
        (!old.is_null()).then(|| *unsafe { Box::from_raw(old) })
    }
}

/// A value that, once published, can be read for ever: what it replaces is not freed.
pub(crate) struct Published<T: 'static> {
    at: AtomicPtr<T>,
    /// For [`publish_alone`](Self::publish_alone), in turns: a handler may be looking at one.
    rooms: [UnsafeCell<MaybeUninit<T>>; 2],
}

// SAFETY: the rooms are written to by the only thread of a process.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T: Send + Sync> Published<T> {
    pub(crate) const fn new() -> Self {
        let rooms = [const { UnsafeCell::new(MaybeUninit::uninit()) }; 2];
        Self { at: AtomicPtr::new(ptr::null_mut()), rooms }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn publish(&self, value: T) {
        self.at.store(Box::into_raw(Box::new(value)), Ordering::Release);
    }

    /// The same by the only thread, where nobody looks at the value before the last any more: in a
    /// process that was forked a moment ago, or between two calls. Without the allocator, whose memory
    /// a fork makes costly to write to.
    #[inline]
    pub(crate) fn publish_alone(&self, value: T)
    where
        T: Copy,
    {
        let [one, two] = [0, 1].map(|number| self.rooms[number].get().cast::<T>());
        let room = if self.at.load(Ordering::Relaxed) == one { two } else { one };
        // SAFETY: see the heading.
        unsafe { room.write(value) };
        self.at.store(room, Ordering::Release);
    }

    /// Publishes a value in the place of another, or gives what was published there meanwhile.
    pub(crate) fn publish_after(&self, before: Option<&'static T>, value: T) -> Option<&'static T> {
        let before = before.map_or(ptr::null_mut(), |before| ptr::from_ref(before).cast_mut());
        let new = Box::into_raw(Box::new(value));
        let swapped = self.at.compare_exchange(before, new, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: nobody else got it.
            drop(unsafe { Box::from_raw(new) });
        }
        self.get()
    }

    /// What is published there, or else this, which is always the same: several threads may find it out at
    /// once, for a child that was forked meanwhile could wait for ever for the first.
    #[inline]
    pub(crate) fn get_or(&self, find: impl FnOnce() -> T) -> &'static T {
        self.get().unwrap_or_else(|| self.first(find()))
    }

    #[cold]
    fn first(&self, found: T) -> &'static T {
        let known = self.publish_after(None, found);
        known.unwrap_or_else(|| unreachable!("nothing takes it away"))
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, a box that is never freed, or a room with what `publish_alone` says.
        unsafe { self.at.load(Ordering::Acquire).as_ref() }
    }
}
