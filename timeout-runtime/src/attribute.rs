//! What `#[timeout]` expands to. Not for use by hand, and no part of the contract.

use crate::Timeout;
use crate::error::Error;
pub use crate::start::fork::Side;
use crate::sys::fork::Tie;

/// Starts the child of a decorated function. Returns in two processes.
#[must_use]
pub fn fork(timeout: Timeout, function: &'static str) -> Side {
    crate::start::fork::start(&timeout, function, Tie::ToThread)
}

/// For a written `Result`: a failure becomes the `Err` of the body's own error type.
///
/// # Errors
///
/// The body's own, or the failure.
pub fn merge<T, E: From<Error>>(result: Result<Result<T, E>, Error>) -> Result<T, E> {
    result.unwrap_or_else(|failure| Err(E::from(failure)))
}

/// For the key `panic`: a failure panics in the caller, at the call.
///
/// # Panics
///
/// With the failure's text.
#[track_caller]
pub fn or_panic<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => panic!("{failure}"),
    }
}
