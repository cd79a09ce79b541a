//! # Safety
//!
//! The job is a box of the new thread's own, given back here if there is no such thread. A thread
//! is joined at most once, for that takes it by value.
#![expect(unsafe_code, reason = "see the heading")]

use std::ffi::CStr;
use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;

use crate::sys::platform;

/// A thread of the library's own in the caller. Dropped, it runs on by itself.
///
/// Not by `std::thread`: a thread that it starts takes a lock (that of the stacks' guard pages) for
/// an instant, and whoever forks in that instant leaves a child in which `process::exit` waits for
/// ever. A program without threads has no such instant, so this library must not bring one.
#[derive(Debug)]
pub(crate) struct Own(libc::pthread_t);

struct Start<F> {
    name: &'static CStr,
    job: F,
}

impl Own {
    /// `job` must not panic: nobody would hear of it.
    pub(crate) fn start<F: FnOnce() + Send + 'static>(
        name: &'static CStr,
        job: F,
    ) -> io::Result<Self> {
        let start = Box::into_raw(Box::new(Start { name, job }));
        let mut thread = MaybeUninit::uninit();
        // SAFETY: see the heading.
        let failure = unsafe {
            libc::pthread_create(thread.as_mut_ptr(), ptr::null(), run::<F>, start.cast())
        };
        if failure != 0 {
            // SAFETY: no thread was started that could have it.
            drop(unsafe { Box::from_raw(start) });
            return Err(io::Error::from_raw_os_error(failure));
        }
        // SAFETY: it was written, for there is a thread.
        Ok(Self(unsafe { thread.assume_init() }))
    }

    pub(crate) fn join(self) {
        // SAFETY: see the heading.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
        mem::forget(self);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: it was not joined, else it would have been forgotten.
        unsafe { libc::pthread_detach(self.0) };
    }
}

extern "C" fn run<F: FnOnce()>(start: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: see the heading.
    let Start { name, job } = *unsafe { Box::from_raw(start.cast::<Start<F>>()) };
    platform::name_thread(name);
    job();
    ptr::null_mut()
}
