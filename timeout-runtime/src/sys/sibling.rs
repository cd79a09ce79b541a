//! A copy of this process that is a child of its parent: `clone(2)` with `CLONE_PARENT`.
//!
//! # Safety
//!
//! The system call goes past the C library, and so past its fork handlers. That is sound because nobody
//! can have had anything half done: of the two threads that there are, one makes the copy, and the other
//! sleeps in the kernel for ever, and held no lock when it went there. What handlers would make new is
//! then as it was. What the kernel itself does not copy is made good: it writes the number of the thread
//! where the C library looks for it (`CLONE_CHILD_SETTID`), and is told again where the thread's robust
//! locks are (`set_robust_list(2)`).
#![expect(unsafe_code, reason = "see the heading")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{Pid, pause};

use super::platform::thread_number;

/// The thread that makes them.
#[derive(Debug)]
pub(crate) struct Parent {
    /// Where the C library has its number.
    number: *mut i32,
    /// Where it has its robust locks, and the size of that.
    robust: (*mut libc::c_void, usize),
}

/// What one is after the call.
pub(crate) enum Side {
    Sibling,
    Parent(Pid),
}

/// The other thread will do nothing any more.
static SLEEPS: AtomicBool = AtomicBool::new(false);

/// On the thread that does not make them.
pub(crate) fn sleep_for_ever() -> ! {
    SLEEPS.store(true, Ordering::Release);
    loop {
        pause();
    }
}

impl Parent {
    /// `None`: this process has still other threads, or the kernel or the C library is another than this
    /// was written for.
    pub(crate) fn new() -> Option<Self> {
        const PR_GET_TID_ADDRESS: libc::c_int = 40;

        let is_known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        if !is_known || !is_left_alone() {
            return None;
        }
        let mut number: *mut i32 = ptr::null_mut();
        // SAFETY: the result lives through the call.
        let told = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut number, 0, 0, 0) };
        // SAFETY: not null, the kernel writes there when the thread ends, so it is there until then.
        let is_its = told == 0 && !number.is_null() && unsafe { *number } == thread_number();
        let mut robust = (ptr::null_mut(), 0usize);
        let (own, head, size) = (0, &raw mut robust.0, &raw mut robust.1);
        // SAFETY: both live through the call.
        let listed = unsafe { libc::syscall(libc::SYS_get_robust_list, own, head, size) };
        (is_its && listed == 0).then_some(Self { number, robust })
    }

    /// Its number is in `born` before it runs, and before this returns: whatever becomes of this process,
    /// who shares that word knows of the child.
    pub(crate) fn sibling(&self, born: &AtomicI32) -> nix::Result<Side> {
        const FLAGS: libc::c_int = libc::CLONE_PARENT
            | libc::CLONE_PARENT_SETTID
            | libc::CLONE_CHILD_SETTID
            | libc::CLONE_CHILD_CLEARTID
            | libc::SIGCHLD;

        let (flags, own, storage) = (libc::c_long::from(FLAGS), self.number, 0usize);
        // Not a stack of its own, but this one's copy.
        let (stack, born) = (ptr::null_mut::<u8>(), born.as_ptr());
        // SAFETY: see the heading.
        #[cfg(not(target_arch = "aarch64"))]
        let number = unsafe { libc::syscall(libc::SYS_clone, flags, stack, born, own, storage) };
        // SAFETY: see the heading.
        #[cfg(target_arch = "aarch64")]
        let number = unsafe { libc::syscall(libc::SYS_clone, flags, stack, born, storage, own) };
        let number = i32::try_from(Errno::result(number)?).unwrap_or_default();
        if number != 0 {
            return Ok(Side::Parent(Pid::from_raw(number)));
        }
        let (head, size) = self.robust;
        // SAFETY: it is where it was in the thread that this is a copy of.
        unsafe { libc::syscall(libc::SYS_set_robust_list, head, size) };
        Ok(Side::Sibling)
    }
}

/// Whether there are two threads, of which one sleeps; it may take a moment to get there.
fn is_left_alone() -> bool {
    const LOOKS: u64 = 100;

    (0..LOOKS).any(|look| {
        thread::sleep(Duration::from_micros(look));
        // A folder has a link from each folder in it, and two more.
        let has_two = || fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 2 + 2);
        SLEEPS.load(Ordering::Acquire) && has_two()
    })
}
