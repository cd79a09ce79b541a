//! Loops without an `.await`, which ask.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use timeout_runtime::cooperative::{Timeout, checkpoint, remaining, scope, with_timeout};
use timeout_runtime::{Error, ErrorKind, stopping};

use super::{never, timed_out};
use crate::support::LONG;

fn spin() -> Error {
    loop {
        if let Err(error) = checkpoint() {
            return error;
        }
    }
}

#[test]
fn a_scope_is_over_at_a_checkpoint() {
    let error = scope(0.05, spin);
    assert!(timed_out(&error) && error.elapsed() >= Duration::from_millis(50), "{error}");
    assert_eq!(error.limit(), Some(Duration::from_millis(50)));
    assert!(error.to_string().ends_with("::spin timed out after 50 ms (cooperative)"), "{error}");
    // Outside there is nothing to keep.
    checkpoint().unwrap();
    assert_eq!(remaining(), None);
}

#[test]
fn a_scope_gives_what_its_body_gives() {
    assert_eq!(scope(LONG, || 7), 7);
    assert_eq!(scope(None::<u8>, || (checkpoint().is_ok(), remaining())), (true, None));
    assert_eq!(scope(u64::MAX, remaining), None);
    let left = scope(LONG, remaining).unwrap();
    assert!(left <= LONG && left > Duration::ZERO);
    let result = scope(0, || -> Result<(), Error> {
        checkpoint()?;
        panic!("there was no time for this");
    });
    assert!(timed_out(&result.unwrap_err()));
}

#[test]
fn the_first_checkpoint_reports_an_invalid_limit() {
    for limit in [-1.0, f64::NAN] {
        let error = scope(limit, || checkpoint().unwrap_err());
        assert!(matches!(error.kind(), ErrorKind::InvalidLimit), "{error}");
        // It does not say that the body was not called.
        let said = format!("runs without a deadline of its own: its limit of {limit} s is");
        assert!(error.to_string().contains(&said), "{error}");
        assert_eq!(error.kind().to_string(), "has a limit that is no duration");
    }
    checkpoint().unwrap();
}

#[test]
fn a_panic_leaves_the_scope() {
    let caught = catch_unwind(AssertUnwindSafe(|| scope(0, || panic!("in a scope"))));
    assert!(caught.is_err());
    checkpoint().unwrap();
    assert_eq!(remaining(), None);
}

#[test]
fn of_nested_scopes_the_outermost_that_is_due_reports() {
    let limits = |outer: Option<u64>, inner: Option<u64>| {
        let outer = outer.map(Duration::from_millis);
        let inner = inner.map(Duration::from_millis);
        scope(outer, || scope(inner, spin)).limit().map(|limit| limit.as_millis())
    };
    assert_eq!(limits(Some(20), Some(60_000)), Some(20));
    assert_eq!(limits(Some(60_000), Some(20)), Some(20));
    assert_eq!(limits(Some(0), Some(0)), Some(0));
    assert_eq!(limits(None, Some(20)), Some(20));
    let both = scope(0.001, || {
        scope(0.002, || {
            std::thread::sleep(Duration::from_millis(5));
            checkpoint().unwrap_err()
        })
    });
    assert_eq!(both.limit(), Some(Duration::from_millis(1)));
    // The inner one is over, and the outer goes on.
    scope(LONG, || {
        assert!(scope(0, checkpoint).is_err());
        checkpoint().unwrap();
        assert!(remaining() > Some(Duration::ZERO));
    });
}

/// Not on the paused clock: what blocks takes real time.
#[tokio::test]
async fn a_section_of_a_run_that_blocks_may_ask() {
    let mut timeout = Timeout::new(0.05);
    let error = timeout.run(async { spin() }).await.unwrap();
    assert!(timed_out(&error) && error.is_from(&timeout));

    let (mut outer, mut inner) = (Timeout::new(0.05), Timeout::new(60));
    let error = outer.run(inner.run(async { spin() })).await.unwrap().unwrap();
    assert!(error.is_from(&outer) && !error.is_from(&inner));

    let (mut outer, mut inner) = (Timeout::new(60), Timeout::new(0.05));
    let error = outer.run(inner.run(async { scope(60, spin) })).await.unwrap().unwrap();
    assert!(error.is_from(&inner) && !error.is_from(&outer));

    // While the run waits, its thread is in no run.
    let mut waiting = std::pin::pin!(with_timeout(0, never()));
    tokio::select! {
        biased;
        () = async { checkpoint().unwrap() } => {}
        _ = &mut waiting => {}
    }
}

#[test]
fn a_hard_call_counts_too() {
    let left = timeout_runtime::Timeout::new(LONG).run(|| {
        checkpoint().unwrap();
        let nearer = scope(LONG / 2, remaining).unwrap();
        let farther = scope(2 * LONG, remaining).unwrap();
        assert!(nearer <= LONG / 2 && farther <= LONG);
        (remaining().unwrap(), timeout_runtime::remaining().unwrap())
    });
    let (here, there) = left.unwrap();
    assert!(here <= LONG && there <= here);
}

#[test]
fn a_scope_around_a_hard_call_is_seen_in_it() {
    let said = scope(0.05, || timeout_runtime::Timeout::new(LONG).run(|| spin().to_string()));
    assert!(said.unwrap().contains("timed out after 50 ms (cooperative)"));
}

/// There the body is on a thread of its own.
#[tokio::test]
async fn what_is_around_an_awaited_hard_call_is_seen_in_it() {
    let hard = timeout_runtime::Timeout::new(2 * LONG);
    let left = with_timeout(LONG / 2, with_timeout(LONG, hard.run_async(remaining)));
    let left = left.await.unwrap().unwrap().unwrap().unwrap();
    assert!(left <= LONG / 2, "{left:?}");
}

#[test]
fn the_deadline_of_a_hard_call_is_a_checkpoints_too() {
    fn until_told() -> String {
        // SIGTERM comes at that deadline as well, and would be first.
        assert!(!stopping());
        scope(LONG, || scope(3.0, spin)).to_string()
    }
    let said = timeout_runtime::Timeout::new(2).grace(LONG).run(until_told).unwrap();
    assert!(said.ends_with("until_told timed out after 2 s (cooperative)"), "{said}");
    // That of a call around this one is the nearer.
    let said = timeout_runtime::Timeout::new(2).grace(LONG).run(|| {
        assert!(!stopping());
        timeout_runtime::Timeout::new(LONG).run(until_told).unwrap()
    });
    assert!(said.unwrap().ends_with(" timed out after 2 s (cooperative)"));
}
