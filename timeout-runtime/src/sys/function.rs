//! Functions by their types.
//!
//! # Safety
//!
//! A type of no size that is `Copy` has values without content, of which any number may exist as soon
//! as there is one: the process that sent the name of the function had one in its hands.
#![cfg_attr(feature = "pool", expect(unsafe_code, reason = "see the heading"))]

/// Fails to compile for a function that is more than its type: a pointer, or what was captured.
pub(crate) const fn assert_is_named<F>() {
    assert!(
        size_of::<F>() == 0,
        "`Timeout::call` takes a function by its name, or a closure that captures nothing: pass what \
         it captures as arguments, or use `Timeout::run`"
    );
}

/// The one value of the type.
#[cfg(feature = "pool")]
pub(crate) fn only_value<F: Copy>() -> F {
    const { assert_is_named::<F>() };
    // SAFETY: see the heading.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}
