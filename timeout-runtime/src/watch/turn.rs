//! Turns: many calls awaited on one thread leave time to what else is awaited there.
//!
//! A fork takes the executor some tenths of a millisecond, an end half of that; a hundred of them in
//! a row would hold up everybody. So each waits until the calls of its thread have not had their share
//! since the runtime last looked at its timers and descriptors.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::yield_now;

use crate::limit::Deadline;

/// What the calls of a thread take in one round of its executor, and one step more.
const SHARE: Duration = Duration::from_micros(500);

/// Nobody waits for another, who may never be polled again: each looks for itself whether it may go.
struct Round {
    number: Cell<u64>,
    used: Cell<Duration>,
    /// The one that waits longest goes in any case, so that each does some time.
    oldest: Cell<Option<Ticket>>,
    /// Of those that did not go in this round.
    oldest_left: Cell<Option<Ticket>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket(u64);

thread_local! {
    static ROUND: Round = const {
        Round {
            number: Cell::new(0),
            used: Cell::new(Duration::ZERO),
            oldest: Cell::new(None),
            oldest_left: Cell::new(None),
        }
    };
}

/// Waits until it is this call's turn to do what takes the executor's thread some time.
pub(super) async fn turn() {
    turn_before(Deadline::NEVER).await;
}

/// The same, and whether it came in time.
pub(crate) async fn turn_before(deadline: Deadline) -> bool {
    if ROUND.with(Round::has_time) {
        return true;
    }
    let ticket = Ticket::next();
    while let Some(number) = ROUND.with(|round| round.refuses(ticket)) {
        // Back after the runtime has looked at its timers and descriptors.
        yield_now().await;
        ROUND.with(|round| round.end(number));
        if deadline.has_passed() {
            return false;
        }
    }
    true
}

/// A call whose polls are counted.
pub(crate) async fn counted<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    poll_fn(|context| {
        let begun = Instant::now();
        let result = call.as_mut().poll(context);
        ROUND.with(|round| round.used.set(round.used.get() + begun.elapsed()));
        result
    })
    .await
}

impl Round {
    fn has_time(&self) -> bool {
        self.used.get() < SHARE
    }

    /// Says in which round.
    fn refuses(&self, ticket: Ticket) -> Option<u64> {
        if self.has_time() || self.oldest.get().is_some_and(|oldest| ticket <= oldest) {
            return None;
        }
        let oldest = self.oldest_left.get().map_or(ticket, |oldest| oldest.min(ticket));
        self.oldest_left.set(Some(oldest));
        Some(self.number.get())
    }

    /// Ends this round, unless another has.
    fn end(&self, number: u64) {
        if self.number.get() == number {
            self.number.set(number + 1);
            self.used.set(Duration::ZERO);
            self.oldest.set(self.oldest_left.take());
        }
    }
}

impl Ticket {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round in which there is no time left.
    fn full() -> Round {
        Round {
            number: Cell::new(0),
            used: Cell::new(SHARE),
            oldest: Cell::new(None),
            oldest_left: Cell::new(None),
        }
    }

    #[test]
    fn in_a_new_round_there_is_time() {
        let (round, ticket) = (full(), Ticket::next());
        assert_eq!(round.refuses(ticket), Some(0));
        round.end(0);
        assert_eq!(round.refuses(ticket), None);
    }

    #[test]
    fn a_round_ends_once() {
        let (round, ticket) = (full(), Ticket::next());
        assert_eq!(round.refuses(ticket), Some(0));
        round.end(0);
        round.used.set(SHARE);
        round.end(0);
        assert!(!round.has_time());
    }

    #[test]
    fn who_waits_longest_goes_though_others_took_the_time() {
        let (round, [old, young]) = (full(), [Ticket::next(), Ticket::next()]);
        for ticket in [young, old] {
            assert_eq!(round.refuses(ticket), Some(0));
        }
        round.end(0);
        round.used.set(SHARE);
        assert_eq!(round.refuses(young), Some(1));
        assert_eq!(round.refuses(old), None);
    }
}
