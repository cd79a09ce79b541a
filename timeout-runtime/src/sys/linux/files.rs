//! Descriptors in a fresh child, by the kernel's own calls: the C library's functions for them are one more
//! window of code that it has to be given.
//!
//! # Safety
//!
//! System calls with arguments that live through them. A descriptor that comes back is owned at once, and
//! one that is closed was owned, but for stdout, which the standard library takes for open or closed at any
//! time.
#![expect(unsafe_code, reason = "see the heading")]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use nix::errno::Errno;

#[inline]
pub(crate) fn write(file: impl AsFd, bytes: &[u8]) -> nix::Result<usize> {
    let number = file.as_fd().as_raw_fd();
    // SAFETY: see the heading.
    let length = Errno::result(unsafe {
        libc::syscall(libc::SYS_write, number, bytes.as_ptr(), bytes.len())
    })?;
    usize::try_from(length).map_err(|_| Errno::EIO)
}

#[inline]
pub(crate) fn close(file: OwnedFd) {
    // SAFETY: see the heading.
    unsafe { libc::syscall(libc::SYS_close, file.into_raw_fd()) };
}

/// What stdout is now, clear of the descriptors 0 to 2 and closed on exec.
#[inline]
pub(crate) fn duplicate_stdout() -> nix::Result<OwnedFd> {
    let (stdout, how, lowest) = (libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3);
    // SAFETY: see the heading.
    let number = Errno::result(unsafe { libc::syscall(libc::SYS_fcntl, stdout, how, lowest) })?;
    let number = libc::c_int::try_from(number).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[inline]
pub(crate) fn close_stdout() {
    // SAFETY: see the heading.
    unsafe { libc::syscall(libc::SYS_close, libc::STDOUT_FILENO) };
}

#[inline]
pub(crate) fn put_at_stdout(file: impl AsFd) -> nix::Result<()> {
    let (number, stdout, flags) = (file.as_fd().as_raw_fd(), libc::STDOUT_FILENO, 0);
    // SAFETY: see the heading.
    Errno::result(unsafe { libc::syscall(libc::SYS_dup3, number, stdout, flags) }).map(drop)
}
