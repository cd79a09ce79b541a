//! What a body may ask about its own call.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::current;
use crate::sys::signal;

/// In a body: the time left to the nearest deadline, its own or that of a call around it, those of
/// the module `cooperative` included. `None` where there is no deadline, and outside of any call.
///
/// ```
/// use std::time::Duration;
/// use timeout_runtime::{Timeout, remaining};
///
/// let left = Timeout::new(2).run(remaining)?.expect("there is a deadline");
/// assert!(left <= Duration::from_secs(2));
/// assert_eq!(remaining(), None);
/// # Ok::<(), timeout_runtime::Error>(())
/// ```
#[must_use]
pub fn remaining() -> Option<Duration> {
    let call = current::child().and_then(|call| call.deadline().remaining());
    #[cfg(feature = "tokio")]
    let call = call.into_iter().chain(crate::cooperative::remaining_of_enclosing()).min();
    call
}

/// In a body: whether SIGTERM has come, at the deadline or by [`Call::cancel`](crate::Call::cancel).
///
/// The first use takes SIGTERM over: from then on it does not end the child, and the body has the
/// grace to clean up in. It may still return a value; that value is delivered. Ask early, before
/// the work begins: a SIGTERM that comes before the first use ends the child. Outside of any call
/// it is `false`, and nothing is taken over.
///
/// ```
/// use timeout_runtime::{Timeout, stopping};
///
/// let counted = Timeout::new(1).run(|| {
///     let mut count = 0u64;
///     while !stopping() {
///         count += 1;
///     }
///     count
/// })?;
/// assert!(counted > 0);
/// # Ok::<(), timeout_runtime::Error>(())
/// ```
#[must_use]
#[doc(alias = "SIGTERM")]
pub fn stopping() -> bool {
    if current::child().is_none() {
        return false;
    }
    let process = std::process::id();
    if TAKEN_BY.swap(process, Ordering::Relaxed) != process {
        signal::take_over_sigterm();
    }
    signal::sigterm_came()
}

/// The process that took SIGTERM over: a nested child starts anew.
static TAKEN_BY: AtomicU32 = AtomicU32::new(0);

/// In a child that serves one call after another, between two: SIGTERM is given back.
#[cfg(feature = "pool")]
pub(crate) fn forget_stopping() {
    TAKEN_BY.store(0, Ordering::Relaxed);
}
