//! Values in frames of the stack, for what runs below them to look at.
//!
//! Entering and leaving is a store each, so that it may be done at every poll of a future.
//!
//! # Safety
//!
//! A chain belongs to one thread, for a `Cell` does. A link is in it for as long as the frame that
//! the link is in: [`Chain::within`] puts it there and takes it out, after a panic of the body too,
//! and no caller has anything to forget. So whoever runs while a link is in the chain runs above
//! its frame, on the same stack, and sees the value alive; and what it sees it cannot keep, for
//! [`Chain::each`] lends it to a closure. Not so for a stack that is thrown away without
//! unwinding: what does that breaks `std::thread::scope` too, and answers for it.
#![expect(unsafe_code, reason = "see the heading")]

use std::cell::Cell;
use std::ptr;

/// Of one thread; the innermost link, or null.
pub(crate) struct Chain<T: 'static>(Cell<*const Link<T>>);

struct Link<T> {
    value: *const T,
    outer: *const Self,
}

impl<T> Chain<T> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Runs `body` with `value` as the innermost link.
    #[inline]
    pub(crate) fn within<R>(&self, value: &T, body: impl FnOnce() -> R) -> R {
        let link = Link { value, outer: self.0.get() };
        let _linked = Linked { chain: self, outer: link.outer };
        self.0.set(&raw const link);
        body()
    }

    /// Shows the values, the innermost first.
    pub(crate) fn each(&self, mut see: impl FnMut(&T)) {
        let mut next = self.0.get();
        // SAFETY: null, or a link whose frame is below this one; see the heading.
        while let Some(link) = unsafe { next.as_ref() } {
            // SAFETY: `within` borrows the value for as long as its link is in the chain.
            see(unsafe { &*link.value });
            next = link.outer;
        }
    }
}

/// Takes the innermost link out when dropped.
struct Linked<'a, T: 'static> {
    chain: &'a Chain<T>,
    outer: *const Link<T>,
}

impl<T> Drop for Linked<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.chain.0.set(self.outer);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn seen(chain: &Chain<u8>) -> Vec<u8> {
        let mut seen = Vec::new();
        chain.each(|value| seen.push(*value));
        seen
    }

    #[test]
    fn the_innermost_comes_first_and_is_gone_when_its_body_is() {
        let chain = Chain::new();
        let inner = chain.within(&1, || {
            let inner = chain.within(&2, || seen(&chain));
            assert_eq!(seen(&chain), [1]);
            inner
        });
        assert_eq!(inner, [2, 1]);
        assert!(seen(&chain).is_empty());
    }

    #[test]
    fn it_may_grow_while_it_is_looked_at() {
        let chain = Chain::new();
        let mut inner = Vec::new();
        chain
            .within(&1, || chain.each(|value| inner = chain.within(&(value + 1), || seen(&chain))));
        assert_eq!(inner, [2, 1]);
    }

    #[test]
    fn a_panic_takes_its_link_out() {
        let chain = Chain::new();
        chain.within(&1, || {
            let caught = catch_unwind(AssertUnwindSafe(|| chain.within(&2, || panic!("within"))));
            assert!(caught.is_err());
            assert_eq!(seen(&chain), [1]);
        });
    }
}
