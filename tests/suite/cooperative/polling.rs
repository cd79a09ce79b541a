//! What a run does with its future, its timer, and the executor's time.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use timeout_runtime::cooperative::{Timeout, remaining, with_timeout};
use tokio::task::{consume_budget, yield_now};

use super::{never, taking, timed_out};
use crate::support::LONG;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Polls by a waker of its own, of which a timer keeps a copy.
fn poll<F: Future>(future: std::pin::Pin<&mut F>, waker: &Arc<Nobody>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(waker.clone())))
}

#[tokio::test(start_paused = true)]
async fn zero_polls_once() {
    for limit in [0.0, -0.0] {
        let polled = Cell::new(0);
        let count = poll_fn(|_| {
            polled.set(polled.get() + 1);
            Poll::<()>::Pending
        });
        let error = with_timeout(limit, count).await.unwrap_err();
        assert!(timed_out(&error) && error.limit() == Some(Duration::ZERO));
        assert_eq!(polled.get(), 1);
        assert_eq!(with_timeout(limit, async { 1 }).await.unwrap(), 1);
    }
}

/// Without a runtime a timer is a panic.
#[test]
fn no_timer_is_made_without_need() {
    let waker = Arc::new(Nobody);
    let mut endless = pin!(with_timeout(None::<u8>, never()));
    assert!(poll(endless.as_mut(), &waker).is_pending());
    assert!(poll(endless, &waker).is_pending());
    assert_eq!(
        poll(pin!(with_timeout(60, async { 1 })), &waker).map(Result::unwrap),
        Poll::Ready(1)
    );
    assert!(poll(pin!(with_timeout(0, never())), &waker).is_ready());
    let waiting = catch_unwind(AssertUnwindSafe(|| poll(pin!(with_timeout(60, never())), &waker)));
    assert!(waiting.is_err());
    // What is around a body that panics is left all the same.
    assert_eq!(remaining(), None);
}

#[tokio::test(start_paused = true)]
async fn the_timer_goes_with_the_run() {
    let waker = Arc::new(Nobody);
    let mut timeout = Timeout::new(60);
    let mut run = Box::pin(timeout.run(never()));
    assert!(poll(run.as_mut(), &waker).is_pending());
    assert_eq!(Arc::strong_count(&waker), 2);
    drop(run);
    assert_eq!(Arc::strong_count(&waker), 1);
    assert!(timeout.start().is_err(), "it is not closed");
}

#[tokio::test(start_paused = true)]
async fn a_panic_passes_through() {
    let waker = Arc::new(Nobody);
    let mut timeout = Timeout::new(60);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        poll(pin!(timeout.run(async { panic!("of the body") })), &waker)
    }));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "of the body");
    assert_eq!(remaining(), None);
    assert!(timeout.start().is_err(), "it is not closed");
}

#[tokio::test(start_paused = true)]
async fn a_value_in_the_very_poll_wins() {
    // Both timers fire at the same tick, and the body is polled first.
    assert_eq!(with_timeout(1, taking(1.0)).await.unwrap(), 7);
    let failing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err::<(), _>("of the body")
    };
    assert_eq!(with_timeout(1, failing).await.unwrap(), Err("of the body"));
}

#[tokio::test]
async fn a_section_that_blocks_is_over_at_the_next_await() {
    let block = || std::thread::sleep(Duration::from_millis(30));
    let reached = Cell::new(0);
    let error = with_timeout(0.01, async {
        block();
        reached.set(1);
        yield_now().await;
        reached.set(2);
    })
    .await
    .unwrap_err();
    assert!(timed_out(&error) && error.elapsed() >= Duration::from_millis(30));
    assert_eq!(reached.get(), 1);

    // Not in the first poll only.
    let error = with_timeout(2, async {
        yield_now().await;
        std::thread::sleep(Duration::from_millis(2100));
        yield_now().await;
        reached.set(3);
    });
    assert!(timed_out(&error.await.unwrap_err()));
    assert_eq!(reached.get(), 1);

    // A value without an `.await` in between counts, however late.
    let late = with_timeout(0.01, async {
        block();
        7
    });
    assert_eq!(late.await.unwrap(), 7);
}

/// Each turn of a task has a budget. A body that always uses it up leaves nothing for a timer.
#[tokio::test]
async fn a_body_that_uses_up_its_budget_is_stopped() {
    let error = with_timeout(0.05, async {
        loop {
            consume_budget().await;
        }
    });
    let error: Result<(), _> = error.await;
    assert!(error.unwrap_err().elapsed() < LONG);
}

#[tokio::test(start_paused = true)]
async fn runs_that_expire_at_once_let_others_on() {
    let is_done = Arc::new(AtomicBool::new(false));
    let done = is_done.clone();
    tokio::spawn(async move { done.store(true, Ordering::Relaxed) });
    for _ in 0..100_000 {
        assert!(with_timeout(0, pending::<()>()).await.is_err());
        if is_done.load(Ordering::Relaxed) {
            return;
        }
    }
    panic!("the other task had no turn");
}

#[test]
fn a_run_keeps_its_future_once() {
    async fn large() -> u8 {
        let bytes = [1u8; 4096];
        yield_now().await;
        bytes[7]
    }
    let bare = size_of_val(&large());
    assert!(bare >= 4096);
    let mut timeout = Timeout::new(2);
    for size in [
        size_of_val(&with_timeout(2, large())),
        size_of_val(&timeout.run(large())),
        size_of_val(&Timeout::new(2).error(()).run(large())),
        size_of_val(&Timeout::new(2).silent().run(large())),
    ] {
        assert!(size < bare + 1024, "{size} for {bare}");
    }
}

#[test]
fn runs_are_send_where_their_futures_are() {
    fn sent<F: Future + Send>(_: F) {}
    let mut timeout = Timeout::new(2);
    sent(with_timeout(2, taking(1.0)));
    sent(timeout.run(taking(1.0)));
    sent(Timeout::new(2).error(()).run(taking(1.0)));
    sent(Timeout::new(2).silent().run(taking(1.0)));
    sent(async {
        let mut timeout = Timeout::new(2);
        let guard = timeout.guard().unwrap();
        guard.run(taking(1.0)).await
    });
}
