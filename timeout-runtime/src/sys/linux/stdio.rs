//! The C library's stdout across a fork.
//!
//! # Safety
//!
//! The stream lives as long as the program, and is touched under its own lock, or in a child, where
//! the C library's fork handler has made the lock free and there is one thread.
#![expect(unsafe_code, reason = "see the heading")]

use std::os::fd::AsFd;

use crate::sys::output::is_writable;

/// Flushes it, if no thread is using it and it cannot block. Whether nothing is left in it.
///
/// Not `fflush(NULL)`: that waits for every stream of the program, one that another thread reads
/// from included, and in the child it would write the caller's buffers a second time.
#[inline]
pub(crate) fn flush_c() -> bool {
    // SAFETY: see the heading.
    unsafe {
        if is_unused() || __fpending(stdout) == 0 {
            return true;
        }
        if ftrylockfile(stdout) != 0 {
            return false;
        }
        if is_writable(std::io::stdout().as_fd()) {
            fflush_unlocked(stdout);
        }
        funlockfile(stdout);
        __fpending(stdout) == 0
    }
}

/// Whether it has no buffer yet. It could be asked by a function, but the code of that is one more page for
/// a fresh child to be given.
#[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
#[inline]
fn is_unused() -> bool {
    /// The beginning of the C library's `FILE`, which its header shows to all programs.
    #[repr(C)]
    struct Shown {
        flags: libc::c_int,
        reads: [*mut libc::c_char; 3],
        writes: [*mut libc::c_char; 3],
        buffer: *mut libc::c_char,
    }
    // SAFETY: see the heading; another thread that gives it a buffer now has not written to it before.
    unsafe { (&raw const (*stdout.cast::<Shown>()).buffer).read_volatile().is_null() }
}

#[cfg(not(all(target_env = "gnu", target_pointer_width = "64")))]
fn is_unused() -> bool {
    false
}

/// In the child: forgets what it still holds of the caller's.
pub(crate) fn discard_c() {
    // SAFETY: see the heading.
    unsafe { __fpurge(stdout) };
}

// Of `stdio.h` and `stdio_ext.h`, in glibc and musl alike.
unsafe extern "C" {
    static stdout: *mut libc::FILE;
    fn ftrylockfile(stream: *mut libc::FILE) -> libc::c_int;
    fn funlockfile(stream: *mut libc::FILE);
    fn fflush_unlocked(stream: *mut libc::FILE) -> libc::c_int;
    fn __fpending(stream: *mut libc::FILE) -> libc::size_t;
    fn __fpurge(stream: *mut libc::FILE);
}
