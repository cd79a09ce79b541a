//! Descriptors that a runtime watches.
//!
//! # Safety
//!
//! A runtime must not know a descriptor that is closed, or is another's by now. What it is given is a
//! duplicate, owned by that registration and by nobody else.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Tells a task when a descriptor is readable.
///
/// # Panics
///
/// Outside of a runtime, and in one without `enable_io`.
pub(crate) fn readiness(descriptor: impl AsFd) -> io::Result<AsyncFd<OwnedFd>> {
    let own = descriptor.as_fd().try_clone_to_owned()?;
    // SAFETY: see the heading.
    Ok(unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }?)
}
