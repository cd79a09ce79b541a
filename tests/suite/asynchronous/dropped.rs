//! Dropping the future of a call stops and reaps its child, whenever that is.

use std::future::pending;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::{Error, Timeout, cooperative, timeout};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::{Sign, Signs, current_thread, multi_thread, pause, run, traceless};
use crate::support::{LONG, Traces, calls_or, isolated, spin};

#[timeout(600, start = "fork")]
async fn signing(sign: &Sign) -> u8 {
    sign.give();
    pending().await
}

fn signing_closure(sign: &Sign) -> impl Future<Output = Result<u8, Error>> + Send {
    run(|| {
        sign.give();
        spin()
    })
}

/// What `SIGTERM` does not end.
fn stubborn(grace: f64, sign: &Sign) -> impl Future<Output = Result<u8, Error>> + Send {
    Timeout::new(10 * LONG).grace(grace).run_async(|| {
        // SAFETY: numbers.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        sign.give();
        spin()
    })
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn children() -> String {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children"));
    threads.flat_map(of).collect()
}

/// While the runtime goes on.
async fn until_no_child_is_left() {
    let started = Instant::now();
    while !children().is_empty() {
        assert!(started.elapsed() < LONG, "there is still {}", children());
        pause(0.001).await;
    }
}

#[test]
fn before_the_first_poll_there_is_nothing_to_stop() {
    traceless(|| async {
        let sign = Signs::new().sign();
        drop((signing(&sign), signing_closure(&sign)));
        assert_eq!(children(), "");
    });
}

#[test]
fn while_the_body_runs() {
    traceless(|| async {
        let mut signs = Signs::new();
        let sign = signs.sign();
        let call = tokio::spawn(async move { signing(&sign).await });
        signs.seen().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        until_no_child_is_left().await;
        let sign = signs.sign();
        tokio::select! {
            _ = signing_closure(&sign) => unreachable!(),
            () = signs.seen() => {}
        }
        until_no_child_is_left().await;
    });
}

#[test]
fn before_the_child_has_said_that_it_is_ready() {
    traceless(|| async {
        for _ in 0..20 {
            let sign = Signs::new().sign();
            let mut call = Box::pin(signing_closure(&sign));
            assert!(poll_once(call.as_mut()).is_pending());
            drop(call);
        }
        until_no_child_is_left().await;
    });
}

#[test]
fn by_a_timeout_around_it() {
    traceless(|| async {
        let signs = Signs::new();
        let sign = signs.sign();
        let error = cooperative::with_timeout(0.2, signing(&sign)).await.unwrap_err();
        assert!(error.is_timeout() && error.to_string().contains("cooperative"), "{error}");
        let limit = Duration::from_millis(200);
        assert!(tokio::time::timeout(limit, signing_closure(&sign)).await.is_err());
        until_no_child_is_left().await;
    });
}

#[test]
fn while_the_child_is_being_terminated() {
    #[timeout(2, start = "fork", grace = 3)]
    async fn late(sign: &Sign) -> u8 {
        while !timeout_runtime::stopping() {}
        sign.give();
        spin()
    }
    traceless(|| async {
        let mut signs = Signs::new();
        let sign = signs.sign();
        tokio::select! {
            _ = late(&sign) => unreachable!(),
            () = signs.seen() => {}
        }
        until_no_child_is_left().await;
    });
}

/// SIGKILL comes at the end of the grace, though nobody waits any more.
#[test]
fn where_sigterm_does_not_end_the_child() {
    traceless(|| async {
        let mut signs = Signs::new();
        let sign = signs.sign();
        let started = Instant::now();
        tokio::select! {
            _ = stubborn(0.3, &sign) => unreachable!(),
            () = signs.seen() => {}
        }
        until_no_child_is_left().await;
        assert!(started.elapsed() >= Duration::from_millis(300));
    });
}

#[test]
fn by_the_end_of_the_runtime() {
    isolated(|| {
        for runtime in [current_thread, multi_thread] {
            let before = Traces::now();
            let runtime = runtime();
            let mut signs = runtime.block_on(async { Signs::new() });
            for number in 0..8 {
                let sign = signs.sign();
                runtime.spawn(async move {
                    let is_even = number % 2 == 0;
                    if is_even { signing(&sign).await } else { stubborn(0.2, &sign).await }
                });
            }
            runtime.block_on(async {
                for _ in 0..8 {
                    signs.seen().await;
                }
            });
            drop(signs);
            drop(runtime);
            before.assert_unchanged();
        }
    });
}

/// Dropped and driven no more, but not gone.
#[test]
fn in_a_runtime_that_nobody_drives() {
    isolated(|| {
        let runtime = current_thread();
        runtime.block_on(async {
            let mut signs = Signs::new();
            let sign = signs.sign();
            tokio::select! {
                _ = stubborn(0.2, &sign) => unreachable!(),
                () = signs.seen() => {}
            }
        });
        crate::support::eventually("the end of the child", || children().is_empty());
    });
}

#[test]
fn outside_of_the_runtime() {
    isolated(|| {
        let runtime = current_thread();
        let before = Traces::now();
        let mut signs = runtime.block_on(async { Signs::new() });
        let sign = signs.sign();
        let mut call = Box::pin(signing_closure(&sign));
        runtime.block_on(async {
            assert!(poll_once(call.as_mut()).is_pending());
            signs.seen().await;
        });
        thread::scope(|scope| scope.spawn(|| drop(call)).join().unwrap());
        // There is nobody whom it could be left to.
        assert_eq!(children(), "");
        drop((signs, sign));
        before.assert_unchanged();
    });
}

#[test]
fn after_the_runtime_is_gone() {
    isolated(|| {
        let before = Traces::now();
        let runtime = current_thread();
        let mut call = Box::pin(run(|| -> u8 { spin() }));
        runtime.block_on(async { assert!(poll_once(call.as_mut()).is_pending()) });
        drop(runtime);
        drop(call);
        before.assert_unchanged();
    });
}

#[test]
fn a_thousand_at_once() {
    traceless(|| async {
        let mut signs = Signs::new();
        let mut calls = JoinSet::new();
        for _ in 0..calls_or(200) {
            let sign = signs.sign();
            calls.spawn(async move { signing(&sign).await });
        }
        for _ in 0..calls_or(200) {
            signs.seen().await;
        }
        drop(calls);
        until_no_child_is_left().await;
    });
}

/// Their graces run side by side, however few threads there are to attend to them, and other work
/// of these threads comes in between.
#[test]
fn many_that_ignore_sigterm_end_together() {
    isolated(|| {
        let one = Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
        one.unwrap().block_on(async {
            let mut signs = Signs::new();
            let mut calls = JoinSet::new();
            for _ in 0..40 {
                let sign = signs.sign();
                calls.spawn(async move { stubborn(2.0, &sign).await });
            }
            for _ in 0..40 {
                signs.seen().await;
            }
            let dropped = Instant::now();
            drop(calls);
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            assert!(!children().is_empty(), "it waited for their end");
            until_no_child_is_left().await;
            assert!(dropped.elapsed() < LONG / 2, "{:?}", dropped.elapsed());
        });
    });
}

#[test]
fn a_future_that_has_given_its_value_has_nothing_left_to_stop() {
    traceless(|| async {
        let mut call = pin!(run(|| 7));
        assert_eq!(call.as_mut().await.unwrap(), 7);
        assert_eq!(children(), "");
    });
}
