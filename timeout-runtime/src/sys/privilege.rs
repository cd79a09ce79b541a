//! Rights that a program has beyond its caller's.
//!
//! # Safety
//!
//! It reads what the kernel gave at the start.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "see the heading"))]

/// Whether this program runs with rights that its caller does not have: then it does nothing that its
/// environment says.
#[cfg(target_os = "linux")]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: see the heading.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_privileged() -> bool {
    use nix::unistd::{getegid, geteuid, getgid, getuid};

    getuid() != geteuid() || getgid() != getegid()
}
