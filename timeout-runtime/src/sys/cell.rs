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

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null or a box that is never freed.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}
