//! Limits for loops without an `.await`: the loop asks.

use std::any::type_name;

use super::enclosing;
use super::span::{Period, Span};
use crate::current::{self, Current};
use crate::error::{Error, ErrorKind, Origin, StoppedBy};
use crate::limit::IntoLimit;

/// Runs `body` under a limit that its [`checkpoint`]s keep, and gives what it returns.
///
/// Nothing stops a body that does not ask. A limit that is negative or no number is reported by the
/// first checkpoint.
///
/// ```
/// use timeout_runtime::{Error, cooperative};
///
/// fn busy() -> Result<u64, Error> {
///     let mut count = 0;
///     loop {
///         cooperative::checkpoint()?;
///         count += 1;
///         if count == u64::MAX {
///             return Ok(count);
///         }
///     }
/// }
///
/// let error = cooperative::scope(0.05, busy).unwrap_err();
/// assert!(error.is_timeout());
/// ```
pub fn scope<R, F: FnOnce() -> R>(limit: impl IntoLimit, body: F) -> R {
    let period = match Period::begin(limit.into_limit()) {
        Ok(None) => return body(),
        Ok(Some(period)) => Ok(period),
        Err(invalid) => Err(invalid),
    };
    let span = Span { function: type_name::<F>(), origin: Some(Origin::SCOPE), period };
    enclosing::within(&span, body)
}

/// Whether there is time left: in a [`scope`], in a future that runs by a timeout, and in the body
/// of a hard call, whichever are around here. The nearest deadline counts.
///
/// Cheap enough for an inner loop: it reads the clock where there is a deadline, and does nothing
/// where there is none.
///
/// # Errors
///
/// [`TimedOut`](ErrorKind::TimedOut) when one of them is due, of the outermost that is.
/// [`InvalidLimit`](ErrorKind::InvalidLimit) in a scope of such a limit.
pub fn checkpoint() -> Result<(), Error> {
    let span = enclosing::outermost_due();
    let child = current::child().filter(|child| child.deadline().has_passed());
    match (span, child) {
        (None, None) => Ok(()),
        (Some(span), Some(child)) if is_around(&span, child) => Err(span.error()),
        (_, Some(child)) => {
            Err(child.call().error(ErrorKind::TimedOut { stopped_by: StoppedBy::Cooperation }))
        }
        (Some(span), None) => Err(span.error()),
    }
}

/// What was started before the call is around it.
fn is_around(span: &Span, child: &Current) -> bool {
    let started = child.call().started();
    span.period.map_or(true, |period| period.started.into_std() < started)
}
