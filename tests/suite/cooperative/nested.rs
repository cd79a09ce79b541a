//! One inside another: each failure is of exactly one of them.

use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use timeout_runtime::cooperative::{Timeout, remaining, with_timeout};
use tokio::time::sleep;

use super::{never, taking};

#[tokio::test(start_paused = true)]
async fn the_outer_first() {
    let (mut outer, mut inner) = (Timeout::new(1), Timeout::new(20));
    let mut outer = outer.guard().unwrap();
    let mut inner = inner.guard().unwrap();
    let error = outer.run(inner.run(never())).await.unwrap_err();
    assert!(error.is_from(&outer) && !error.is_from(&inner));
    assert_eq!(error.elapsed().as_secs(), 1);
    assert!(!outer.pending() && inner.pending());
    outer.cancel();
    inner.cancel();
}

#[tokio::test(start_paused = true)]
async fn the_inner_first() {
    let (mut outer, mut inner) = (Timeout::new(20), Timeout::new(1));
    let outer = outer.guard().unwrap();
    let inner = inner.guard().unwrap();
    let error = outer.run(inner.run(never())).await.unwrap().unwrap_err();
    assert!(error.is_from(&inner) && !error.is_from(&outer));
    assert!(outer.pending() && !inner.pending());
    // The outer goes on, with what is left of its time.
    let error = outer.run(never()).await.unwrap_err();
    assert!(error.is_from(&outer));
    assert_eq!(error.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_silent_one_is_stopped_by_the_one_around_it() {
    let inner = Timeout::new(10).silent();
    let went_on = Timeout::new(1).silent().run(async {
        inner.run(taking(60.0)).await;
        true
    });
    assert_eq!(went_on.await, None);
}

/// Both due in the very same poll, in each order of their deadlines.
#[tokio::test(start_paused = true)]
async fn of_two_that_are_due_the_outer_reports() {
    for (outer, inner) in [(1, 1), (1, 2), (2, 1), (0, 0), (0, 1), (1, 0)] {
        let (mut outer, mut inner) = (Timeout::new(outer), Timeout::new(inner));
        outer.start().unwrap();
        inner.start().unwrap();
        sleep(Duration::from_secs(2)).await;
        let error = outer.run(inner.run(never())).await.unwrap_err();
        assert!(error.is_from(&outer) && !error.is_from(&inner), "{outer:?} {inner:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_that_are_due_the_outermost_reports() {
    let mut timeouts = [1; 5].map(Timeout::new);
    let [one, two, three, four, five] = &mut timeouts;
    let error = one.run(two.run(three.run(four.run(five.run(never()))))).await.unwrap_err();
    let of: Vec<_> = timeouts.iter().map(|timeout| error.is_from(timeout)).collect();
    assert_eq!(of, [true, false, false, false, false]);
}

/// The outer one polls through a combinator, which polls a future only when that one was woken.
#[tokio::test(start_paused = true)]
async fn of_two_that_are_due_the_outer_reports_across_other_futures() {
    let (mut outer, mut inner) = (Timeout::new(1), Timeout::new(1));
    let error = outer
        .run(async {
            tokio::select! {
                result = inner.run(never()) => result.map(|_| ()),
                () = pending() => Ok(()),
            }
        })
        .await
        .unwrap_err();
    assert!(error.is_from(&outer));
}

/// Not on the paused clock: the inner one is on a thread that blocks, and the outer one with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_inner_reports_where_the_outer_is_not_polled() {
    let task = tokio::spawn(async {
        let (mut outer, mut inner) = (Timeout::new(0.05), Timeout::new(0.05));
        let mut polled = 0;
        let counted = poll_fn(|_| {
            polled += 1;
            Poll::<()>::Pending
        });
        let error = outer
            .run(async {
                let handle = tokio::runtime::Handle::current();
                tokio::task::block_in_place(|| handle.block_on(inner.run(counted)))
            })
            .await;
        // The error is the body's value, and that counts.
        assert!(error.unwrap().unwrap_err().is_from(&inner));
        // It leaves the report to the outer one once, and not again and again.
        assert!(polled < 20, "{polled}");
    });
    task.await.unwrap();
}

/// A task that is polled by a future under a timeout goes on when that has run out.
#[tokio::test(start_paused = true)]
async fn a_local_task_is_not_lost_with_the_run_that_polled_it() {
    let local = tokio::task::LocalSet::new();
    let task = local.spawn_local(async { with_timeout(1, never()).await.unwrap_err() });
    let mut outer = Timeout::new(1);
    let error = outer.run(local.run_until(pending::<()>())).await.unwrap_err();
    assert!(error.is_from(&outer));
    let error = local.run_until(task).await.unwrap();
    assert!(error.is_timeout() && !error.is_from(&outer));
}

#[tokio::test(start_paused = true)]
async fn the_nearest_deadline_is_what_remains() {
    assert_eq!(remaining(), None);
    let seconds = || remaining().map(|left| left.as_secs_f64().round());
    with_timeout(5, async {
        assert_eq!(seconds(), Some(5.0));
        with_timeout(3, async {
            assert_eq!(seconds(), Some(3.0));
            sleep(Duration::from_secs(1)).await;
            assert_eq!(seconds(), Some(2.0));
        })
        .await
        .unwrap();
        with_timeout(9, async { assert_eq!(seconds(), Some(4.0)) }).await.unwrap();
        with_timeout(None::<u8>, async { assert_eq!(seconds(), Some(4.0)) }).await.unwrap();
        // Another task has nothing to do with it.
        let elsewhere = tokio::spawn(async { remaining() });
        assert_eq!(elsewhere.await.unwrap(), None);
        assert_eq!(timeout_runtime::remaining(), remaining());
    })
    .await
    .unwrap();
    assert_eq!(remaining(), None);
}
