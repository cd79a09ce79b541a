//! Many calls at once.

use std::time::{Duration, Instant};

use timeout_runtime::{ErrorKind, Timeout, timeout};
use tokio::task::JoinSet;

use super::{pause, run, traceless};
use crate::support::{LONG, calls_or, spin};

#[timeout(600, start = "fork")]
async fn squared(number: u64) -> u64 {
    pause(0.01).await;
    number * number
}

#[timeout(0.2, start = "fork")]
async fn hangs() {
    std::future::pending().await
}

/// One of eight ends.
async fn mixed_end(number: u64) {
    match number % 8 {
        0 => assert_eq!(squared(number).await.unwrap(), number * number),
        1 => assert_eq!(run(|| number).await.unwrap(), number),
        2 => {
            let error = run(|| -> u8 { panic!("{number}") }).await.unwrap_err();
            assert!(error.to_string().ends_with(&format!(": {number}")), "{error}");
        }
        3 => {
            let error = run(|| -> u8 { std::process::abort() }).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Signaled { .. }), "{error}");
        }
        4 => {
            let error = Timeout::new(0.05).run_async(|| -> u8 { spin() }).await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
        5 => {
            let text = run(|| number.to_string().repeat(20_000)).await.unwrap();
            assert!(text.starts_with(&number.to_string()) && text.len() >= 20_000);
        }
        6 => drop(tokio::time::timeout(Duration::from_millis(5), squared(number)).await),
        _ => assert!(hangs().await.unwrap_err().is_timeout()),
    }
}

#[test]
fn calls_of_mixed_ends_leave_the_process_as_it_was() {
    traceless(|| async {
        let mut calls = JoinSet::new();
        (0..calls_or(160)).for_each(|number| drop(calls.spawn(mixed_end(number))));
        while let Some(end) = calls.join_next().await {
            end.unwrap();
        }
    });
}

#[tokio::test]
async fn three_hundred_are_in_flight_in_one_task() {
    let mut calls: Vec<_> = (0..calls_or(300)).map(|number| Box::pin(squared(number))).collect();
    let started = Instant::now();
    let mut sum = 0;
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                sum += value.unwrap();
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert_eq!(sum, (0..calls_or(300)).map(|number| number * number).sum::<u64>());
    assert!(started.elapsed() < 2 * LONG);
}

/// Each of them is stopped at its own deadline: together, not one after the other.
#[test]
fn all_that_hang_and_ignore_sigterm_end_by_limit_and_grace() {
    traceless(|| async {
        let mut calls = JoinSet::new();
        for _ in 0..calls_or(100) {
            calls.spawn(Timeout::new(5).grace(1).run_async(|| {
                // SAFETY: numbers.
                unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                std::thread::sleep(10 * LONG);
            }));
        }
        let started = Instant::now();
        while let Some(end) = calls.join_next().await {
            let error = end.unwrap().unwrap_err();
            assert_eq!(error.exit_code(), 137, "{error}");
        }
        let elapsed = started.elapsed();
        println!("{} calls: {elapsed:?}", calls_or(100));
        assert!(elapsed >= Duration::from_secs(6) && elapsed < LONG, "{elapsed:?}");
    });
}
