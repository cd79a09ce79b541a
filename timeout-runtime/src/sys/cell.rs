//! Values behind an atomic pointer: a lock could be held by another thread at a fork.
//!
//! # Safety
//!
//! A pointer in a cell came from `Box::into_raw`, and whoever takes it out by `swap` owns it.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Holds one value or none; it can only be exchanged.
pub(crate) struct Slot<T>(AtomicPtr<T>);

impl<T: Send> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn replace(&self, value: Option<T>) -> Option<T> {
        let new = value.map_or(ptr::null_mut(), |value| Box::into_raw(Box::new(value)));
        let old = self.0.swap(new, Ordering::AcqRel);
        // SAFETY: see the heading; nobody else got this pointer.
        (!old.is_null()).then(|| *unsafe { Box::from_raw(old) })
    }
}

/// A value that, once published, can be read for ever: what it replaces is not freed.
pub(crate) struct Published<T: 'static>(AtomicPtr<T>);

impl<T: Send + Sync> Published<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn publish(&self, value: T) {
        self.0.store(Box::into_raw(Box::new(value)), Ordering::Release);
    }

    /// Exchanges the value and frees the one before, which nobody may look at any more: it was of a
    /// call that has ended in a process where nothing else runs.
    #[cfg(feature = "pool")]
    pub(crate) fn replace_unseen(&self, value: T) {
        let old = self.0.swap(Box::into_raw(Box::new(value)), Ordering::AcqRel);
        if !old.is_null() {
            // SAFETY: a box, and what is said above.
            drop(unsafe { Box::from_raw(old) });
        }
    }

    /// Publishes a value in the place of another, or gives what was published there meanwhile.
    #[cfg(feature = "pool")]
    pub(crate) fn publish_after(&self, before: Option<&'static T>, value: T) -> Option<&'static T> {
        let before = before.map_or(ptr::null_mut(), |before| ptr::from_ref(before).cast_mut());
        let new = Box::into_raw(Box::new(value));
        let swapped = self.0.compare_exchange(before, new, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: nobody else got it.
            drop(unsafe { Box::from_raw(new) });
        }
        self.get()
    }

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null or a box that is never freed.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}
