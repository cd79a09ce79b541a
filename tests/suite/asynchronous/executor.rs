//! The runtime that a call is awaited on.

use std::fs;
use std::future::pending;
use std::io::{Write, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::{Timeout, timeout};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant as RuntimeInstant, interval};

use super::{current_thread, failure, pause, run};
use crate::support::{LONG, Traces, isolated, spin};

#[timeout(limit, start = "fork")]
async fn hanging(limit: f64) -> u8 {
    pending().await
}

#[test]
fn others_go_on_meanwhile() {
    isolated(|| {
        current_thread().block_on(async {
            let ticks = async {
                let mut ticks = interval(Duration::from_millis(5));
                let mut seen = 0;
                while seen < 100 {
                    ticks.tick().await;
                    seen += 1;
                }
            };
            // Only a task that is not held up by the others has so many ticks before they end.
            tokio::select! {
                () = ticks => {}
                _ = hanging(LONG.as_secs_f64()) => unreachable!(),
                _ = run(|| -> u8 { spin() }) => unreachable!(),
            }
        });
    });
}

/// Each fork takes a while: in one round of the executor there are only some of them.
#[test]
fn others_have_their_turn_while_many_start() {
    const CALLS: usize = 100;
    isolated(|| {
        current_thread().block_on(async {
            let mut calls = JoinSet::new();
            (0..CALLS).for_each(|_| drop(calls.spawn(hanging(LONG.as_secs_f64()))));
            let mut rounds = 0;
            while children() < CALLS {
                // Comes back when the runtime has looked at its timers and descriptors.
                tokio::task::yield_now().await;
                rounds += 1;
            }
            assert!(rounds > CALLS / 10, "{rounds} rounds");
        });
    });
}

fn children() -> usize {
    fs::read_to_string("/proc/thread-self/children").unwrap().split_whitespace().count()
}

#[tokio::test(start_paused = true)]
async fn limits_are_of_real_time_though_the_clock_is_paused() {
    let started = Instant::now();
    // Each ends at another moment of the wait.
    for number in 0..50 {
        assert_eq!(run(|| number).await.unwrap(), number);
    }
    for result in [hanging(0.3).await, Timeout::new(0.3).run_async(|| -> u8 { spin() }).await] {
        let error = failure(result);
        assert!(error.is_timeout() && error.elapsed() >= Duration::from_millis(300), "{error}");
    }
    assert!(started.elapsed() >= Duration::from_millis(600));
    let slow = run(|| thread::sleep(Duration::from_millis(100)));
    slow.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_has_a_clock_that_goes() {
    #[timeout(60, start = "fork")]
    async fn slept() -> Duration {
        let (real, own) = (Instant::now(), RuntimeInstant::now());
        pause(0.1).await;
        real.elapsed().min(own.elapsed())
    }
    assert!(slept().await.unwrap() >= Duration::from_millis(100));
}

/// As tokio's own sockets and timers do; and nothing is left.
#[test]
fn a_runtime_without_io_or_time_is_a_panic() {
    isolated(|| {
        let before = Traces::now();
        let current = Builder::new_current_thread;
        for runtime in [current().enable_io().build(), current().enable_time().build()] {
            let runtime = runtime.unwrap();
            let call = || runtime.block_on(run(|| -> u8 { spin() }));
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
            let call = || runtime.block_on(hanging(600.0));
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        }
        before.assert_unchanged();
    });
}

#[test]
fn no_runtime_is_a_panic() {
    isolated(|| {
        let before = Traces::now();
        let mut call = Box::pin(run(|| -> u8 { spin() }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut context))).is_err());
        drop(call);
        before.assert_unchanged();
    });
}

#[test]
fn threads_that_never_come_free_are_not_waited_for() {
    isolated(|| {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let (release, is_released) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || is_released.recv().is_err());
        runtime.block_on(async {
            let stubborn = Timeout::new(2).grace(0.2).run_async(|| -> u8 {
                // SAFETY: numbers.
                unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                spin()
            });
            let (plain, stubborn) = tokio::join!(hanging(0.2), stubborn);
            assert!(failure(plain).is_timeout());
            assert_eq!(failure(stubborn).exit_code(), 137);
        });
        drop(release);
    });
}

/// The child cannot have the stream before that thread lets it go; the executor goes on meanwhile.
#[test]
fn a_stream_that_a_thread_holds_does_not_hold_up_the_executor() {
    isolated(|| {
        let (held, is_held) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<()>();
        let holder = thread::spawn(move || {
            let mut stdout = stdout().lock();
            held.send(()).unwrap();
            let _ = is_released.recv();
            let _ = stdout.write_all(b"");
        });
        is_held.recv().unwrap();
        current_thread().block_on(async {
            let error = failure(Timeout::new(0.3).run_async(|| 7).await);
            assert!(error.is_timeout(), "{error}");
            let releasing = async {
                pause(0.2).await;
                drop(release);
            };
            let (value, ()) = tokio::join!(run(|| 7), releasing);
            assert_eq!(value.unwrap(), 7);
        });
        holder.join().unwrap();
    });
}

/// With all threads for blocking work taken, which is where a stream is waited for.
#[test]
fn a_stream_that_nobody_can_wait_for_costs_the_limit_not_more() {
    isolated(|| {
        let (release, is_released) = mpsc::channel::<()>();
        let (held, is_held) = mpsc::channel();
        let runtime = Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        runtime.spawn_blocking(move || {
            let _stdout = stdout().lock();
            held.send(()).unwrap();
            let _ = is_released.recv();
        });
        is_held.recv().unwrap();
        let error = failure(runtime.block_on(Timeout::new(0.3).run_async(|| 7)));
        assert!(error.is_timeout(), "{error}");
        drop(release);
        assert_eq!(runtime.block_on(run(|| 7)).unwrap(), 7);
    });
}
