//! Descriptors in a fresh child, by the kernel's own calls: the C library's functions for them are one more
//! window of code that it has to be given.
//!
//! # Safety
//!
//! System calls with arguments that live through them. A descriptor that comes back is owned at once, and
//! one that is closed was owned, but for stdout, which the standard library takes for open or closed at any
//! time.
#![expect(unsafe_code, reason = "see the heading")]

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::kernel;

const STDOUT: usize = libc::STDOUT_FILENO as usize;

#[inline]
fn number(file: impl AsFd) -> usize {
    file.as_fd().as_raw_fd().unsigned_abs() as usize
}

#[inline]
pub(crate) fn write(file: impl AsFd, bytes: &[u8]) -> nix::Result<usize> {
    let arguments = [number(&file), bytes.as_ptr().expose_provenance(), bytes.len()];
    // SAFETY: see the heading.
    Ok(unsafe { kernel::call(libc::SYS_write, arguments) }?)
}

#[inline]
pub(crate) fn close(file: OwnedFd) {
    // SAFETY: see the heading.
    let _ = unsafe { kernel::call(libc::SYS_close, [number(&*ManuallyDrop::new(file))]) };
}

/// What stdout is now, clear of the descriptors 0 to 2 and closed on exec.
#[inline]
pub(crate) fn duplicate_stdout() -> nix::Result<OwnedFd> {
    let (how, lowest) = (libc::F_DUPFD_CLOEXEC.unsigned_abs() as usize, 3);
    // SAFETY: see the heading.
    let number = unsafe { kernel::call(libc::SYS_fcntl, [STDOUT, how, lowest]) }?;
    let number = libc::c_int::try_from(number).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[inline]
pub(crate) fn close_stdout() {
    // SAFETY: see the heading.
    let _ = unsafe { kernel::call(libc::SYS_close, [STDOUT]) };
}

#[inline]
pub(crate) fn put_at_stdout(file: impl AsFd) -> nix::Result<()> {
    // SAFETY: see the heading.
    unsafe { kernel::call(libc::SYS_dup3, [number(file), STDOUT, 0]) }?;
    Ok(())
}
