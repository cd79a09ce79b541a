//! The number of this process, in one that asks for it again and again: a page that the kernel empties in
//! every copy of the process (`MADV_WIPEONFORK` in `madvise(2)`) tells whether it is still the same.
//!
//! # Safety
//!
//! A page that is mapped once, and for ever; what is on it is an atomic.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use super::kernel;

static PAGE: AtomicPtr<AtomicI32> = AtomicPtr::new(ptr::null_mut());

/// Without a system call, after [`remember_process`].
#[inline]
pub(crate) fn process_number() -> i32 {
    // SAFETY: null, or the page that is mapped for ever.
    let known = unsafe { PAGE.load(Ordering::Relaxed).as_ref() };
    match known.map_or(0, |number| number.load(Ordering::Relaxed)) {
        0 => ask(libc::SYS_getpid, []),
        number => number,
    }
}

/// The number of the group that it is in.
#[inline]
pub(crate) fn group_number() -> i32 {
    ask(libc::SYS_getpgid, [0])
}

#[inline]
fn ask<const N: usize>(call: libc::c_long, arguments: [usize; N]) -> i32 {
    // SAFETY: these two only tell, and do not fail.
    let number = unsafe { kernel::call(call, arguments) };
    number.ok().and_then(|number| number.try_into().ok()).unwrap_or_default()
}

/// In a process that was started afresh. Where the kernel does not empty pages it is asked each time.
#[cfg(feature = "pool")]
pub(crate) fn remember_process() {
    let (any, flags) = (ptr::null_mut(), libc::MAP_PRIVATE | libc::MAP_ANON);
    let size = size_of::<AtomicI32>();
    // SAFETY: a new mapping at an address of the kernel's choice, of a whole page.
    unsafe {
        let page = libc::mmap(any, size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if page == libc::MAP_FAILED {
            return;
        }
        if libc::madvise(page, size, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, size);
            return;
        }
        (*page.cast::<AtomicI32>()).store(ask(libc::SYS_getpid, []), Ordering::Relaxed);
        PAGE.store(page.cast(), Ordering::Relaxed);
    }
}

#[cfg(all(test, feature = "pool"))]
mod tests {
    use nix::unistd::getpid;

    use super::*;
    use crate::Timeout;

    #[test]
    fn a_copy_is_told_from_what_it_is_a_copy_of() {
        let own = || (process_number(), getpid().as_raw());
        let both = Timeout::new(60).run(|| {
            remember_process();
            (own(), own(), Timeout::new(60).run(own).unwrap())
        });
        let (first, second, copy) = both.unwrap();
        assert_eq!(first.0, first.1);
        assert_eq!(second, first);
        assert_eq!(copy.0, copy.1);
        assert_ne!(copy.0, first.0);
    }
}
