//! Descriptors in a fresh child.

use std::os::fd::{AsFd, OwnedFd};

pub(crate) use nix::unistd::write;

pub(crate) fn close(file: OwnedFd) {
    drop(file);
}

/// What stdout is now, clear of the descriptors 0 to 2 and closed on exec.
pub(crate) fn duplicate_stdout() -> nix::Result<OwnedFd> {
    let kept = std::io::stdout().as_fd().try_clone_to_owned();
    kept.map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or_default()))
}

pub(crate) fn close_stdout() {
    let _ = nix::unistd::close(libc::STDOUT_FILENO);
}

pub(crate) fn put_at_stdout(file: impl AsFd) -> nix::Result<()> {
    nix::unistd::dup2_stdout(file)
}
