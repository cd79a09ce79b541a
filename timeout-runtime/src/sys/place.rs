//! Where an argument of a body is.
//!
//! # Safety
//!
//! A place is looked at in a child alone, after the body has returned and before the process ends.
//! The argument is a `&mut` parameter of the decorated function, whose frame is still on the stack
//! then: the child never returns from it. The body had the argument by a reborrow, which is over.
#![expect(unsafe_code, reason = "see the heading")]

/// The address of a `&mut` argument, without its borrow: the body has that.
pub(crate) struct Place<T: ?Sized>(*const T);

// SAFETY: whoever looks from another thread is the body's, and the only one that still runs: what it
// does is what it would do with a `&mut T` that was sent to it.
unsafe impl<T: ?Sized + Send> Sync for Place<T> {}

impl<T: ?Sized> Place<T> {
    pub(crate) fn of(argument: &mut T) -> Self {
        Self(argument)
    }

    pub(crate) fn get(&self) -> &T {
        // SAFETY: see the heading.
        unsafe { &*self.0 }
    }
}
