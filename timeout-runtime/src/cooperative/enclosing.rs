//! The spans in which this thread is right now, the outermost first.
//!
//! A run is here while its future is polled, and a scope while its closure runs: so both come and
//! go in the order of a stack, whatever the executor does.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use super::span::Span;

thread_local! {
    static SPANS: RefCell<Vec<Span>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` within the span.
#[inline]
pub(super) fn within<R>(span: &Span, body: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(span);
    body()
}

/// Out again when dropped, by a panic too.
struct Entered(bool);

impl Entered {
    /// Where the thread is ending and has no locals any more, the span is unseen.
    #[inline]
    fn new(span: &Span) -> Self {
        Self(SPANS.try_with(|spans| spans.borrow_mut().push(*span)).is_ok())
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            let _ = SPANS.try_with(|spans| spans.borrow_mut().pop());
        }
    }
}

/// What is around this thread now, for one that continues it in a child.
pub(crate) fn around() -> Spans {
    Spans(SPANS.try_with(|spans| spans.borrow().clone()).unwrap_or_default())
}

/// See [`around`].
pub(crate) struct Spans(Vec<Span>);

impl Spans {
    /// From now on they are around this thread.
    pub(crate) fn enter(self) {
        let _ = SPANS.try_with(|spans| spans.replace(self.0));
    }
}

/// The outermost span that is due.
pub(super) fn outermost_due() -> Option<Span> {
    SPANS.try_with(|spans| first_due(&spans.borrow())).ok()?
}

fn first_due(spans: &[Span]) -> Option<Span> {
    if spans.is_empty() {
        return None;
    }
    let now = Instant::now();
    spans.iter().find(|span| span.is_due(now)).copied()
}

/// The time left to the nearest deadline: zero when it has passed, `None` where there is none.
pub(crate) fn remaining() -> Option<Duration> {
    let deadlines =
        |spans: &RefCell<Vec<Span>>| spans.borrow().iter().filter_map(Span::deadline).min();
    let nearest = SPANS.try_with(deadlines).ok()??;
    Some(nearest.saturating_duration_since(Instant::now()))
}
