//! A copy of this process that is a child of its parent: `clone(2)` with `CLONE_PARENT`.
//!
//! # Safety
//!
//! The system call goes past the C library, and so past its fork handlers. That is sound in a process
//! with one thread, which holds no lock: nobody else had anything half done, and what handlers would
//! make new is as it was. The one thing that the C library itself writes into a child is the number of
//! its thread, which the kernel is told to write there (`CLONE_CHILD_SETTID`).
#![expect(unsafe_code, reason = "see the heading")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::AtomicI32;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::platform::thread_number;

/// What is needed to make them.
#[derive(Debug)]
pub(crate) struct Parent {
    /// Where the C library has the number of this thread.
    thread: *mut i32,
}

/// What one is after the call.
pub(crate) enum Side {
    Sibling,
    Parent(Pid),
}

impl Parent {
    /// `None`: this process has other threads, or the kernel or the C library is another than this was
    /// written for.
    pub(crate) fn new() -> Option<Self> {
        const PR_GET_TID_ADDRESS: libc::c_int = 40;

        let is_known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        if !is_known || !is_alone() {
            return None;
        }
        let mut thread: *mut i32 = ptr::null_mut();
        // SAFETY: the result lives through the call.
        let told = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut thread, 0, 0, 0) };
        // SAFETY: not null, the kernel writes there when the thread ends, so it is there until then.
        let is_its = told == 0 && !thread.is_null() && unsafe { *thread } == thread_number();
        is_its.then_some(Self { thread })
    }

    /// Its number is in `born` before it runs, and before this returns: whatever becomes of this process,
    /// who shares that word knows of the child.
    pub(crate) fn sibling(&self, born: &AtomicI32) -> nix::Result<Side> {
        const FLAGS: libc::c_int = libc::CLONE_PARENT
            | libc::CLONE_PARENT_SETTID
            | libc::CLONE_CHILD_SETTID
            | libc::CLONE_CHILD_CLEARTID
            | libc::SIGCHLD;

        let (flags, thread, storage) = (libc::c_long::from(FLAGS), self.thread, 0usize);
        // Not a stack of its own, but this one's copy.
        let (stack, born) = (ptr::null_mut::<u8>(), born.as_ptr());
        // SAFETY: see the heading.
        #[cfg(not(target_arch = "aarch64"))]
        let number = unsafe { libc::syscall(libc::SYS_clone, flags, stack, born, thread, storage) };
        // SAFETY: see the heading.
        #[cfg(target_arch = "aarch64")]
        let number = unsafe { libc::syscall(libc::SYS_clone, flags, stack, born, storage, thread) };
        Ok(match i32::try_from(Errno::result(number)?).unwrap_or_default() {
            0 => Side::Sibling,
            number => Side::Parent(Pid::from_raw(number)),
        })
    }
}

/// A thread that was joined a moment ago may still be on its way out of the kernel.
fn is_alone() -> bool {
    const LOOKS: u64 = 100;

    (0..LOOKS).any(|look| {
        thread::sleep(Duration::from_micros(look));
        // A folder has a link from each folder in it, and two more.
        fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
    })
}
