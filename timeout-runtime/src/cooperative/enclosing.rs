//! The spans in which this thread is right now.
//!
//! A run is here while its future is polled, and a scope while its closure runs: so both come and
//! go in the order of a stack, whatever the executor does.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use super::span::Span;
use crate::sys::chain::Chain;

thread_local! {
    static SPANS: Chain<Span> = const { Chain::new() };
}

/// Runs `body` within the span.
#[inline]
pub(super) fn within<R>(span: &Span, body: impl FnOnce() -> R) -> R {
    SPANS.with(|spans| spans.within(span, body))
}

/// What is around this thread now, the outermost first, for one that continues it in a child.
pub(crate) fn around() -> Vec<Span> {
    let mut around = Vec::new();
    SPANS.with(|spans| spans.each(|span| around.push(*span)));
    around.reverse();
    around
}

/// Runs `body` within all of these.
pub(crate) fn within_all(spans: &[Span], body: &mut dyn FnMut() -> Infallible) -> Infallible {
    match spans {
        [] => body(),
        [outer, inner @ ..] => within(outer, || within_all(inner, body)),
    }
}

/// The outermost span that is due.
pub(super) fn outermost_due() -> Option<Span> {
    let (mut now, mut due) = (None, None);
    SPANS.with(|spans| {
        spans.each(|span| {
            if span.is_due(*now.get_or_insert_with(Instant::now)) {
                due = Some(*span);
            }
        });
    });
    due
}

/// The time left to the nearest deadline: zero when it has passed, `None` where there is none.
pub(crate) fn remaining() -> Option<Duration> {
    let mut nearest = None;
    SPANS.with(|spans| {
        spans.each(|span| nearest = nearest.into_iter().chain(span.deadline()).min());
    });
    Some(nearest?.saturating_duration_since(Instant::now()))
}
