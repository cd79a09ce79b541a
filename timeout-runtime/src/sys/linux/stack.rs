//! Where this thread's stack is.
//!
//! # Safety
//!
//! The attributes are made and destroyed here, and the C library writes what it is asked for.
#![expect(unsafe_code, reason = "see the heading")]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// `pthread_getattr_np(3)`. For the main thread it is as far as the limit lets it grow, and costs a
/// look into `/proc`.
pub(crate) fn this_threads_stack() -> Option<Range<usize>> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: see the heading.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the call before this has filled them.
    let result = unsafe {
        let result =
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        result
    };
    let lowest = lowest as usize;
    (result == 0).then_some(lowest..lowest.saturating_add(size))
}
