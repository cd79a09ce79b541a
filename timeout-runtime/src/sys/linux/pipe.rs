//! Pipes: how much they hold, and which one a descriptor is.
//!
//! # Safety
//!
//! A name is an empty C string.
#![expect(unsafe_code, reason = "see the heading")]

use std::ffi::CStr;
use std::hint::black_box;
use std::os::fd::AsFd;

use nix::fcntl::{AtFlags, FcntlArg, fcntl};
use nix::sys::stat::{FileStat, fstatat};

/// What everybody may grow a pipe to, by default (`/proc/sys/fs/pipe-max-size`).
const LARGE: i32 = 1 << 20;

/// Lets more of a large value be under way. Refused when the user's pipes hold too much already:
/// then it is slower.
pub(crate) fn grow_pipe(pipe: impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(LARGE));
}

/// As `fstat`, but by an empty name that is in memory already: the C library's is not, in a fresh child.
pub(crate) fn stat(file: impl AsFd) -> nix::Result<FileStat> {
    let name = black_box(0);
    // SAFETY: a C string, which is empty, and lives through the call.
    let name = unsafe { CStr::from_ptr(&raw const name) };
    fstatat(file, name, AtFlags::AT_EMPTY_PATH)
}
