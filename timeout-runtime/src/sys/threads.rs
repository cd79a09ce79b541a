//! Whether there are others.
//!
//! # Safety
//!
//! What is read is a `char` that glibc (2.32 and later) exports and keeps as long as the process.
#![expect(unsafe_code, reason = "see the heading")]

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use crate::current;

/// Whether this process has surely no thread but the current one.
pub(crate) fn is_alone() -> bool {
    never_had_another() || current::child().is_some() && has_no_other()
}

/// In a child, where the flag speaks of the caller: a folder has a link from each folder in it, and
/// two more (`proc(5)`). Who has no other thread cannot get one meanwhile.
fn has_no_other() -> bool {
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
}

fn never_had_another() -> bool {
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
