//! The system: the only place with `unsafe`, and with calls that only some systems have.
//!
//! Each room is one concept. What Linux alone has (pidfds, `PR_SET_PDEATHSIG`, stdio internals of
//! its C libraries) has a portable path beside it, which `--cfg timeout_portable` chooses on
//! Linux too, so that it can be tested there.

#[cfg_attr(all(target_os = "linux", not(timeout_portable)), path = "sys/linux/mod.rs")]
#[cfg_attr(not(all(target_os = "linux", not(timeout_portable))), path = "sys/portable/mod.rs")]
pub(crate) mod platform;

pub(crate) mod cell;
#[cfg(feature = "tokio")]
pub(crate) mod chain;
pub(crate) mod crash;
#[cfg(feature = "pool")]
pub(crate) mod credentials;
pub(crate) mod exhaustion;
/// The way out of a child that runs nothing of the caller's: no exit handlers, no destructors, no flushing.
pub(crate) mod exit {
    pub(crate) use super::platform::end as now;
}
pub(crate) mod fork;
pub(crate) mod function;
#[cfg(feature = "pool")]
pub(crate) mod glance;
pub(crate) mod hang;
#[cfg(feature = "pool")]
pub(crate) mod hatch;
pub(crate) mod headroom;
#[cfg(feature = "pool")]
pub(crate) mod image;
#[cfg(feature = "pool")]
pub(crate) mod inheritance;
#[cfg(any(test, fuzzing))]
pub(crate) mod memory;
#[cfg(feature = "pool")]
pub(crate) mod nursery;
pub(crate) mod output;
#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) mod overflow;
pub(crate) mod pipe;
pub(crate) mod place;
pub(crate) mod privilege;
pub(crate) mod process;
#[cfg(feature = "tokio")]
pub(crate) mod readiness;
#[cfg(feature = "pool")]
pub(crate) mod respawn;
#[cfg(feature = "pool")]
pub(crate) mod shared;
#[cfg(feature = "pool")]
pub(crate) mod sibling;
pub(crate) mod signal;
pub(crate) mod slate;
#[cfg(feature = "pool")]
pub(crate) mod spin;
pub(crate) mod stack;
#[cfg(feature = "pool")]
pub(crate) mod surroundings;
pub(crate) mod threads;
pub(crate) mod types;

/// The loop that every call interrupted by a signal needs.
#[inline]
pub(crate) fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(nix::Error::EINTR) => {}
            result => return result,
        }
    }
}
