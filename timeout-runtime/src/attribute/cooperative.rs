//! What an `async fn` expands to.

use std::future::Future;

use crate::error::Error;
use crate::limit::IntoLimit;

/// Runs the body under its limit.
#[cfg(feature = "tokio")]
#[inline]
pub fn cooperative<F: Future>(
    limit: impl IntoLimit,
    function: &'static str,
    body: F,
) -> impl Future<Output = Result<F::Output, Error>> {
    crate::cooperative::decorated(limit, function, body)
}

/// So that what `needs_tokio` says is the one error.
///
/// # Errors
///
/// None.
#[cfg(not(feature = "tokio"))]
pub async fn cooperative<F: Future>(
    _: impl IntoLimit,
    _: &'static str,
    _: F,
) -> Result<F::Output, Error> {
    unreachable!("this does not compile without the feature `tokio`")
}

/// Says which feature is missing, where the invocation's tokens say that it is missed.
#[cfg(feature = "tokio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_tokio {
    () => {};
}

/// Says which feature is missing, where the invocation's tokens say that it is missed.
#[cfg(not(feature = "tokio"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_tokio {
    () => {
        ::core::compile_error!(
            "a timeout of an `async fn` needs tokio: enable the feature `tokio` of \
             `timeout-runtime`, as in `cargo add timeout-runtime --features tokio`"
        );
    };
}
