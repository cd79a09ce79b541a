//! Cooperative timeouts, on tokio's paused clock wherever time matters.
//!
//! Each case of gevent's own tests has its counterpart here:
//!
//! | `test__timeout.py` | here |
//! |---|---|
//! | `test_direct_raise_class`, `test_direct_raise_instance` | none: a timeout is not itself an error, and cannot be raised by hand |
//! | `test_expires` | `expires_and_starts_again` |
//! | `test_expires_false` | none: a silent timeout has no form in which it is not silent |
//! | `test_expires_str` | `fails_with_an_error_of_ones_own` |
//! | `test_expires_non_exception` | `fails_with_an_error_of_ones_own`: every type is allowed, the compiler checks it |
//! | `test_context_manager` | `a_run_closes_its_timeout` |
//! | `test_context_manager_false` | `is_silent` |
//! | `test_context_manager_str` | `fails_with_an_error_of_ones_own` |
//! | `test_cancel` | `cancelled_it_never_fires` |
//! | `test_with_timeout` | `with_timeout_and_with_timeout_or` |
//!
//! | `test__api_timeout.py` | here |
//! |---|---|
//! | `test_timeout_calls_update_now` | `a_deadline_counts_from_the_start` |
//! | `test_sleep_calls_update_now` | none: `sleep` is tokio's |
//! | `test_api`, ends in time | `a_run_closes_its_timeout` |
//! | `test_api`, raises itself | `a_run_closes_its_timeout` |
//! | `test_api`, an exception of one's own | `fails_with_an_error_of_ones_own` |
//! | `test_api`, an exception's class, the one being handled | none: an error is a value; `map_err` makes it when it is needed |
//! | `test_api`, cancelled within the block | `cancelled_within_a_guard_the_rest_has_no_deadline` |
//! | `test_api`, silent | `is_silent` |
//! | `test_api`, `None` | `none_never_expires` |
//! | `test_ref` | `an_error_of_ones_own_is_dropped_when_it_is_not_needed` |
//! | `test_nested_timeout`, silent | `nested::a_silent_one_is_stopped_by_the_one_around_it` |
//! | `test_nested_timeout`, the outer first | `nested::the_outer_first` |
//! | `test_nested_timeout`, the inner first | `nested::the_inner_first` |

mod asking;
mod decorated;
mod nested;
mod polling;

use std::convert::Infallible;
use std::future::{pending, ready};
use std::rc::Rc;
use std::time::{Duration, Instant};

use timeout_runtime::cooperative::{Timeout, remaining, with_timeout, with_timeout_or};
use timeout_runtime::error::StoppedBy;
use timeout_runtime::{Error, ErrorKind};
use tokio::time::sleep;

use crate::support::LONG;

/// Takes so many seconds.
async fn taking(seconds: f64) -> u8 {
    sleep(Duration::from_secs_f64(seconds)).await;
    7
}

fn never() -> std::future::Pending<Infallible> {
    pending()
}

fn timed_out(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Cooperation })
}

#[tokio::test(start_paused = true)]
async fn expires_and_starts_again() {
    let mut timeout = Timeout::new(2);
    assert!(!timeout.pending());
    let mut guard = timeout.guard().unwrap();
    for _ in 0..3 {
        assert!(guard.pending());
        let error = guard.run(never()).await.unwrap_err();
        assert!(timed_out(&error) && error.is_from(&guard), "{error}");
        assert_eq!(error.limit(), Some(Duration::from_secs(2)));
        assert_eq!(error.elapsed().as_secs(), 2);
        assert!(!guard.pending());
        guard.start().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_reads_as_one_line() {
    async fn fetch() {
        pending().await
    }
    let error = with_timeout(2, fetch()).await.unwrap_err();
    assert!(error.to_string().ends_with("::fetch timed out after 2 s (cooperative)"), "{error}");
    assert_eq!(error.exit_code(), 124);
    let error = with_timeout(2, pending::<()>()).await.unwrap_err();
    assert!(error.to_string().ends_with("::Pending timed out after 2 s (cooperative)"), "{error}");
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_run_closes_its_timeout() {
    let mut in_time = Timeout::new(2);
    assert_eq!(in_time.run(taking(1.0)).await.unwrap(), 7);
    assert!(!in_time.pending());

    let mut too_late = Timeout::new(1);
    let error = too_late.run(taking(2.0)).await.unwrap_err();
    assert!(timed_out(&error) && error.is_from(&too_late) && !error.is_from(&in_time));

    let mut dropped = Timeout::new(1);
    drop(dropped.run(never()));

    for mut closed in [in_time, too_late, dropped] {
        let errors = [
            closed.run(async { panic!("it is polled") }).await.unwrap_err(),
            closed.guard().map(|_| ()).unwrap_err(),
            closed.start().unwrap_err(),
            Timeout::start_new(closed).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
            assert!(error.to_string().ends_with("its timeout is closed; make a new one"));
            assert_eq!(error.exit_code(), 125);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_runs_several_under_one_deadline() {
    let mut timeout = Timeout::new(3);
    let guard = timeout.guard().unwrap();
    assert_eq!(guard.run(taking(2.0)).await.unwrap(), 7);
    assert!(guard.pending());
    let error = guard.run(taking(2.0)).await.unwrap_err();
    assert_eq!(error.elapsed().as_secs(), 3);
    // It stays over, and what is ready at once still counts.
    assert!(guard.run(never()).await.is_err());
    assert_eq!(guard.run(ready(1)).await.unwrap(), 1);
    drop(guard);
    assert!(matches!(timeout.start().unwrap_err().kind(), ErrorKind::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_guard_runs_two_at_once() {
    let mut timeout = Timeout::new(3);
    let guard = timeout.guard().unwrap();
    let (one, other) = tokio::join!(guard.run(taking(2.0)), guard.run(taking(4.0)));
    assert_eq!(one.unwrap(), 7);
    assert!(other.unwrap_err().is_from(&guard));
}

#[tokio::test(start_paused = true)]
async fn cancelled_it_never_fires() {
    let mut timeout = Timeout::new(1);
    timeout.start().unwrap();
    assert!(timeout.pending());
    timeout.cancel();
    assert!(!timeout.pending());
    timeout.cancel();
    sleep(Duration::from_secs(2)).await;
    assert!(!timeout.pending());
    // Started again, it has all its time.
    timeout.start().unwrap();
    assert_eq!(timeout.run(taking(0.5)).await.unwrap(), 7);
    // Cancelling does not open it again.
    timeout.cancel();
    assert!(timeout.start().is_err());
}

#[tokio::test(start_paused = true)]
async fn cancelled_within_a_guard_the_rest_has_no_deadline() {
    let mut timeout = Timeout::new(1);
    let mut guard = timeout.guard().unwrap();
    guard.cancel();
    assert_eq!(guard.run(taking(5.0)).await.unwrap(), 7);
    guard.start().unwrap();
    assert!(guard.run(never()).await.is_err());
    guard.close();
    assert!(matches!(guard.run(never()).await.unwrap_err().kind(), ErrorKind::Closed));
}

#[tokio::test(start_paused = true)]
async fn started_twice_it_says_so() {
    let mut timeout = Timeout::start_new(2).unwrap();
    let error = timeout.start().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::AlreadyStarted));
    assert!(error.to_string().ends_with("pending already; cancel it first"), "{error}");
    assert!(!error.is_timeout() && error.exit_code() == 125);
    // A run takes it as it is: the deadline is the one of the start.
    sleep(Duration::from_secs(1)).await;
    let error = timeout.run(never()).await.unwrap_err();
    assert_eq!(error.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_before_the_run_has_passed() {
    let mut timeout = Timeout::start_new(1).unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(!timeout.pending());
    assert!(timeout.run(never()).await.unwrap_err().is_from(&timeout));
}

#[tokio::test(start_paused = true)]
async fn start_new_takes_limits_and_timeouts() {
    assert!(Timeout::start_new(Duration::from_secs(2)).unwrap().pending());
    assert!(!Timeout::start_new(None::<u8>).unwrap().pending());
    assert!(matches!(Timeout::start_new(-1).unwrap_err().kind(), ErrorKind::InvalidLimit));

    let unstarted = Timeout::new(2);
    let started = Timeout::start_new(unstarted).unwrap();
    assert!(started.pending());
    sleep(Duration::from_secs(1)).await;
    // It is not started anew: a second is left.
    let mut started = Timeout::start_new(started).unwrap();
    let error = started.run(never()).await.unwrap_err();
    assert_eq!(error.elapsed().as_secs(), 2);

    let expired = Timeout::start_new(1).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(Timeout::start_new(expired).unwrap().pending());
}

#[tokio::test(start_paused = true)]
async fn none_never_expires() {
    let mut timeout = Timeout::new(None::<f64>);
    timeout.start().unwrap();
    // It is never pending, and so it may be started at any time.
    assert!(!timeout.pending());
    timeout.start().unwrap();
    assert_eq!(timeout.run(taking(1e6)).await.unwrap(), 7);
    assert_eq!(with_timeout(None::<f64>, taking(1e6)).await.unwrap(), 7);
    assert_eq!(with_timeout(f64::INFINITY, taking(1e6)).await.unwrap(), 7);
    assert_eq!(with_timeout(u64::MAX, taking(1e6)).await.unwrap(), 7);
    assert_eq!(with_timeout(Duration::MAX, taking(1e6)).await.unwrap(), 7);
    // What the clock can hold is a deadline, however far.
    assert_eq!(with_timeout(1e9, taking(1e6)).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_duration_is_an_invalid_limit() {
    for limit in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        let unpolled = || async { panic!("it is polled") };
        let mut timeout = Timeout::new(limit);
        let errors = [
            timeout.start().unwrap_err(),
            timeout.guard().map(|_| ()).unwrap_err(),
            timeout.run(unpolled()).await.unwrap_err(),
            with_timeout(limit, unpolled()).await.unwrap_err(),
            with_timeout_or(limit, (), unpolled()).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.kind(), ErrorKind::InvalidLimit), "{error}");
            assert!(error.to_string().contains("zero or more seconds"), "{error}");
        }
        assert_eq!(Timeout::new(limit).silent().run(unpolled()).await, None);
        assert_eq!(Timeout::new(limit).error("own").run(unpolled()).await, Err("own"));
    }
}

#[tokio::test(start_paused = true)]
async fn fails_with_an_error_of_ones_own() {
    assert_eq!(Timeout::new(1).error("too late").run(never()).await, Err("too late"));
    assert_eq!(Timeout::new(2).error("too late").run(taking(1.0)).await, Ok(7));
    // An error of the body stays the body's.
    let inner = Timeout::new(2).error("outer").run(async { Err::<(), _>("inner") }).await;
    assert_eq!(inner, Ok(Err("inner")));

    let mut own = Timeout::new(2).error(());
    own.start().unwrap();
    assert!(own.pending());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(own.run(taking(1.5)).await, Err(()));

    let mut closed = Timeout::new(2).error(3);
    closed.close();
    assert_eq!(closed.run(ready(())).await, Err(3));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_ones_own_is_dropped_when_it_is_not_needed() {
    let error = Rc::new(());
    assert_eq!(Timeout::new(2).error(error.clone()).run(taking(1.0)).await, Ok(7));
    assert_eq!(Rc::strong_count(&error), 1);
    drop(Timeout::new(2).error(error.clone()).run(never()));
    assert_eq!(Rc::strong_count(&error), 1);
}

#[tokio::test(start_paused = true)]
async fn is_silent() {
    assert_eq!(Timeout::new(1).silent().run(never()).await, None);
    assert_eq!(Timeout::new(2).silent().run(taking(1.0)).await, Some(7));
    let mut cancelled = Timeout::new(1).silent();
    cancelled.start().unwrap();
    cancelled.cancel();
    assert!(!cancelled.pending());
    cancelled.close();
    assert_eq!(cancelled.run(ready(1)).await, None);
}

#[tokio::test(start_paused = true)]
async fn with_timeout_and_with_timeout_or() {
    assert!(timed_out(&with_timeout(1, taking(2.0)).await.unwrap_err()));
    assert_eq!(with_timeout(2, taking(1.0)).await.unwrap(), 7);
    assert_eq!(with_timeout_or(1, 9, taking(2.0)).await.unwrap(), 9);
    assert_eq!(with_timeout_or(2, 9, taking(1.0)).await.unwrap(), 7);
    // Only its own: a timeout that the body reports is a value here.
    let inner = with_timeout(1, taking(2.0));
    assert!(with_timeout_or(3, Ok(9), inner).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_clock_starts_at_the_call() {
    let run = with_timeout(2, taking(1.0));
    sleep(Duration::from_secs(2)).await;
    assert!(run.await.is_err());
}

/// Not on the paused clock: what blocks takes real time.
#[tokio::test]
async fn a_deadline_counts_from_the_start() {
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    let left = with_timeout(LONG, async { remaining() }).await.unwrap().unwrap();
    assert!(left <= LONG && left + start.elapsed() >= LONG, "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn shows_its_seconds_and_whether_it_is_pending() {
    let shown = |timeout: &Timeout| format!("{timeout:?}");
    let mut timeout = Timeout::new(0.5);
    assert_eq!(shown(&timeout), "Timeout { seconds: 0.5, pending: false }");
    timeout.start().unwrap();
    assert_eq!(shown(&timeout), "Timeout { seconds: 0.5, pending: true }");
    assert_eq!(shown(&Timeout::new(None::<u8>)), "Timeout { seconds: None, pending: false }");
    let invalid = Timeout::new(-1);
    assert_eq!(shown(&invalid), "Timeout { seconds: -1 s (invalid), pending: false }");
}
