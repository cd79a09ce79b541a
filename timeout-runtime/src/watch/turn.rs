//! Turns: many calls awaited on one thread leave time to what else is awaited there.
//!
//! A fork takes the executor some tenths of a millisecond, an end half of that; a hundred of them in
//! a row would hold up everybody. So once the calls of a thread have had their share of a round of its
//! executor, they stand in line, and only the first of the line is woken. It goes after the runtime has
//! looked at its timers and descriptors.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::task::yield_now;
use tokio::time::timeout;

use crate::limit::Deadline;

/// What the calls of a thread take in one round of its executor, and one step more.
const SHARE: Duration = Duration::from_micros(300);

/// So long the first of the line is waited for by the second: whoever should poll it may be busy with
/// something else. Those behind wait longer, up to so many times as long.
const PATIENCE: Duration = Duration::from_millis(5);
const PATIENT: usize = 20;

/// The calls of one thread. Behind a lock, for a task may go on on another; but for what a child that
/// was just forked still counts, for whom another thread may have held it.
#[derive(Default)]
struct Line {
    /// Of this round, in nanoseconds.
    used: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    ticket: u64,
    waker: Option<Waker>,
    /// The first of the line: since when.
    first_since: Option<Instant>,
}

thread_local! {
    static LINE: Arc<Line> = Arc::default();
}

/// Waits until it is this call's turn to do what takes the executor's thread some time.
pub(super) async fn turn() {
    turn_before(Deadline::NEVER).await;
}

/// The same, and whether it came in time.
pub(crate) async fn turn_before(deadline: Deadline) -> bool {
    let Some(place) = LINE.with(Line::enter) else { return true };
    let mut first = pin!(poll_fn(|context| place.poll(context)));
    while timeout(place.patience(), &mut first).await.is_err() {
        if deadline.has_passed() {
            return false;
        }
        place.line.pass_over();
    }
    if !place.line.has_time() {
        yield_now().await;
        place.line.used.store(0, Relaxed);
    }
    !deadline.has_passed()
}

/// A call whose polls are counted.
pub(crate) async fn counted<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    poll_fn(|context| {
        let begun = Instant::now();
        let result = call.as_mut().poll(context);
        let took = begun.elapsed().as_nanos().try_into().unwrap_or(u64::MAX);
        LINE.with(|line| line.used.fetch_add(took, Relaxed));
        result
    })
    .await
}

/// A place in the line, until it is dropped.
struct Place {
    line: Arc<Line>,
    ticket: u64,
}

impl Place {
    /// Whether it is the first, or was: then it has waited long enough.
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.line.lock();
        match state.index(self.ticket).map(|index| &mut state.waiting[index]) {
            Some(own) if own.first_since.is_none() => {
                own.waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    fn patience(&self) -> Duration {
        let before = self.line.lock().index(self.ticket).unwrap_or_default();
        PATIENCE * u32::try_from(before.clamp(1, PATIENT)).unwrap_or(1)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.leave(self.ticket);
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_time(&self) -> bool {
        u128::from(self.used.load(Relaxed)) < SHARE.as_nanos()
    }

    /// `None`: one may go without standing in line.
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.lock();
        if self.has_time() && state.waiting.is_empty() {
            return None;
        }
        let ticket = state.next;
        state.next += 1;
        let first_since = state.waiting.is_empty().then(Instant::now);
        state.waiting.push_back(Waiting { ticket, waker: None, first_since });
        Some(Place { line: Arc::clone(self), ticket })
    }

    fn leave(&self, ticket: u64) {
        let mut state = self.lock();
        if let Some(index) = state.index(ticket) {
            state.waiting.remove(index);
        }
        let next = state.waiting.front_mut().filter(|first| first.first_since.is_none());
        let waker = next.and_then(|first| {
            first.first_since = Some(Instant::now());
            first.waker.take()
        });
        // It may do anything, such as drop a call.
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Goes on without a first who does not come.
    fn pass_over(&self) {
        let late = self.lock().waiting.front().and_then(|first| {
            let is_late = first.first_since.is_some_and(|since| since.elapsed() >= PATIENCE);
            is_late.then_some(first.ticket)
        });
        if let Some(ticket) = late {
            self.leave(ticket);
        }
    }
}

impl State {
    fn index(&self, ticket: u64) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.ticket == ticket)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;
    use std::thread;

    use super::*;

    /// In whose round there is no time left.
    fn full() -> Arc<Line> {
        let line = Arc::new(Line::default());
        line.used.store(SHARE.as_nanos().try_into().unwrap(), Relaxed);
        line
    }

    #[derive(Default)]
    struct Woken(Mutex<bool>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() = true;
        }
    }

    impl Woken {
        fn polls(self: &Arc<Self>, place: &Place) -> bool {
            let waker = Arc::clone(self).into();
            place.poll(&Context::from_waker(&waker)).is_ready()
        }
    }

    #[test]
    fn with_time_left_and_nobody_in_line_there_is_no_wait() {
        assert!(Arc::new(Line::default()).enter().is_none());
        let line = full();
        let first = line.enter();
        line.used.store(0, Relaxed);
        assert!(line.enter().is_some());
        drop(first);
        assert!(line.enter().is_none());
    }

    #[test]
    fn who_came_first_goes_first_and_wakes_the_next() {
        let line = full();
        let [first, second, third] = [(); 3].map(|()| line.enter().unwrap());
        let woken: [Arc<Woken>; 2] = Default::default();
        assert!(woken[0].polls(&first));
        assert!(!woken[0].polls(&second) && !woken[1].polls(&third));
        drop(first);
        assert!(*woken[0].0.lock().unwrap() && !*woken[1].0.lock().unwrap());
        assert!(woken[0].polls(&second) && !woken[1].polls(&third));
    }

    #[test]
    fn who_leaves_from_the_middle_wakes_nobody() {
        let line = full();
        let [first, second, third] = [(); 3].map(|()| line.enter().unwrap());
        let woken: Arc<Woken> = Arc::default();
        assert!(!woken.polls(&third));
        drop(second);
        assert!(!*woken.0.lock().unwrap());
        drop(first);
        assert!(*woken.0.lock().unwrap());
    }

    #[test]
    fn a_first_that_does_not_come_is_passed_over_and_may_go_when_it_comes() {
        let line = full();
        let [lost, second] = [(); 2].map(|()| line.enter().unwrap());
        let woken: Arc<Woken> = Arc::default();
        line.pass_over();
        assert!(!woken.polls(&second));
        thread::sleep(PATIENCE);
        line.pass_over();
        assert!(woken.polls(&second) && woken.polls(&lost));
    }
}
