//! Whether there are others.
//!
//! # Safety
//!
//! What is read is a `char` that glibc (2.32 and later) exports and keeps as long as the process.
#![expect(unsafe_code, reason = "see the heading")]

use std::sync::OnceLock;

/// Whether this process has surely no thread but the current one.
pub(crate) fn is_alone() -> bool {
    static FLAG: OnceLock<usize> = OnceLock::new();
    let address = *FLAG.get_or_init(|| {
        // SAFETY: the name is a C string; looking a symbol up runs no code of its object.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
        symbol as usize
    });
    let flag = address as *const libc::c_char;
    // SAFETY: either null or glibc's `char`, which only this thread can be changing: it is true
    // only while there is no other.
    !flag.is_null() && unsafe { flag.read_volatile() } != 0
}
