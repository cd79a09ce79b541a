//! A future under a timeout.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use super::enclosing;
use super::refusal::{Because, Refusal};
use super::span::{Period, Span};
use crate::error::{Error, Origin};
use crate::limit::Limit;

pin_project! {
    /// Not an `async fn`, which would keep its argument twice: once as it came, once as it is polled.
    pub(super) struct Run<T, F> {
        term: Term,
        // What ends with the run.
        held: T,
        #[pin]
        future: F,
        #[pin]
        timer: Timer,
    }
}

/// What there is to keep. A copy of what it was made of: only a run that fails makes its error.
#[derive(Clone, Copy)]
pub(super) enum Term {
    Endless,
    Until(Span),
    /// The future is not polled.
    Refused(Refusal),
}

impl Term {
    #[inline]
    pub(super) fn until(function: &'static str, origin: Option<Origin>, period: Period) -> Self {
        Self::Until(Span { function, origin, period: Ok(period) })
    }

    /// From now on.
    #[inline]
    pub(super) fn begin(limit: Limit, function: &'static str, origin: Option<Origin>) -> Self {
        match Period::begin(limit) {
            Ok(None) => Self::Endless,
            Ok(Some(period)) => Self::until(function, origin, period),
            Err(_) => Self::Refused(Refusal { function, limit, because: Because::Invalid }),
        }
    }
}

impl<T, F> Run<T, F> {
    #[inline]
    pub(super) fn new(term: Term, held: T, future: F) -> Self {
        Self { term, held, future, timer: Timer::default() }
    }
}

impl<T, F: Future> Future for Run<T, F> {
    type Output = Result<F::Output, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let run = self.project();
        let span = match run.term {
            Term::Endless => return run.future.poll(context).map(Ok),
            Term::Until(span) => span,
            Term::Refused(refusal) => return Poll::Ready(Err(refusal.error())),
        };
        let polled = enclosing::within(span, || run.future.poll(context));
        if let Poll::Ready(value) = polled {
            return Poll::Ready(Ok(value));
        }
        ready!(run.timer.poll_due(context, span));
        Poll::Ready(Err(span.error()))
    }
}

pin_project! {
    /// When to report. The clock decides; tokio's timer, which is made only now that something
    /// waits, wakes.
    #[derive(Default)]
    struct Timer {
        #[pin]
        sleep: Option<Sleep>,
        // Until when it leaves the report to an enclosing one that is due too.
        yields_until: Option<Instant>,
        // Whether it has let the executor's other tasks on before its report.
        has_let_on: bool,
    }
}

/// How long a run that is due waits for an enclosing one to report. That one does so in this very
/// poll, unless it is not polled: what is between may be an executor of its own.
const PATIENCE: Duration = Duration::from_millis(1);

impl Timer {
    /// Ready when the deadline has passed and the report is this one's to make.
    #[inline]
    fn poll_due(mut self: Pin<&mut Self>, context: &mut Context<'_>, span: &Span) -> Poll<()> {
        let now = Instant::now();
        let until = self.yields_until.or(span.deadline()).unwrap_or(now);
        if until <= now {
            return self.poll_report(context, now);
        }
        if self.sleep.is_none() {
            self.as_mut().project().sleep.set(Some(sleep_until(until)));
        }
        self.poll_sleep(context)
    }

    #[cold]
    fn poll_report(mut self: Pin<&mut Self>, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let mut timer = self.as_mut().project();
        // When an enclosing one is due too, it is the one to report.
        if timer.yields_until.is_none() && enclosing::outermost_due().is_some() {
            let until = now + PATIENCE;
            *timer.yields_until = Some(until);
            timer.sleep.set(Some(sleep_until(until)));
            return self.poll_sleep(context);
        }
        // A loop around runs that expire at once must let others on at times, as it does with all
        // of tokio. But once only: it may be the body that uses up each turn of the task.
        if !mem::replace(timer.has_let_on, true) {
            ready!(coop::poll_proceed(context)).made_progress();
        }
        Poll::Ready(())
    }

    fn poll_sleep(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(context))
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;
    use std::task::Waker;
    use std::thread;

    use crate::cooperative::{Timeout, with_timeout};
    use crate::sys::memory;

    use super::*;

    fn poll<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_ready_at_once_asks_for_no_memory() {
        let runs = || {
            assert!(poll(with_timeout(60, ready(1))).is_ready());
            assert!(poll(with_timeout(None::<u8>, ready(1))).is_ready());
            assert!(poll(Timeout::new(60).run(ready(1))).is_ready());
            assert!(poll(with_timeout(60, with_timeout(60, ready(1)))).is_ready());
            // An error is made when it is asked for.
            drop(with_timeout(-1, ready(1)));
        };
        // Of a thread, that is, which has had no run before, in a process that has.
        runs();
        let ((), peak) = thread::spawn(move || memory::peak_of(runs)).join().unwrap();
        assert_eq!(peak, 0);
    }
}
