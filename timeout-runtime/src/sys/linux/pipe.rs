//! Pipes: how much they hold, and which one a descriptor is.
//!
//! # Safety
//!
//! A system call whose result lives through it.
#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "see the heading")
)]

use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, fcntl};

/// What everybody may grow a pipe to, by default (`/proc/sys/fs/pipe-max-size`).
const LARGE: i32 = 1 << 20;

/// Lets more of a large value be under way. Refused when the user's pipes hold too much already:
/// then it is slower.
pub(crate) fn grow_pipe(pipe: impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(LARGE));
}

/// As `fstat`, where the kernel's structure is the C library's.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline]
pub(crate) fn stat(file: impl AsFd) -> nix::Result<nix::sys::stat::FileStat> {
    use std::os::fd::AsRawFd;

    use super::kernel;

    // SAFETY: zero is valid for it: plain numbers.
    let mut status: nix::sys::stat::FileStat = unsafe { std::mem::zeroed() };
    let number = file.as_fd().as_raw_fd().unsigned_abs() as usize;
    // SAFETY: it lives through the call.
    unsafe { kernel::call(libc::SYS_fstat, [number, kernel::into(&mut status)]) }?;
    Ok(status)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use nix::sys::stat::fstat as stat;
