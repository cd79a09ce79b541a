//! The variable `TIMEOUT_RUNTIME`. Each test runs itself again in a process with it.

use std::process::{self, Output};
use std::time::{Duration, Instant};
use std::{env, thread};

use timeout_runtime::cooperative;
use timeout_runtime::{Error, ErrorKind, StartMethod, Timeout, timeout};

use crate::METHODS;
use crate::support::rerun;

const VARIABLE: &str = "TIMEOUT_RUNTIME";

/// Whether this is the process with the variable.
fn is_with(value: &str) -> bool {
    env::var(VARIABLE).is_ok_and(|said| said == value)
}

fn with(test: &str, value: &str) -> Output {
    rerun(test, VARIABLE, value, &["--nocapture"])
}

#[track_caller]
fn assert_passes(test: &str, value: &str) {
    let output = with(test, value);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

fn slept(duration: Duration) -> Duration {
    thread::sleep(duration);
    duration
}

fn busy(duration: Duration) {
    let started = Instant::now();
    while started.elapsed() < duration {}
}

const MOMENT: Duration = Duration::from_millis(300);

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn awaited(limit: f64) -> Result<(), Error> {
    cooperative::with_timeout(limit, tokio::time::sleep(MOMENT)).await
}

#[test]
fn scale_stretches_every_limit() {
    if !is_with("scale=40") {
        return assert_passes("debugging::scale_stretches_every_limit", "scale=40");
    }
    for method in METHODS {
        let timeout = Timeout::new(0.25).start_method(method);
        assert_eq!(timeout.call(slept, (MOMENT,)).unwrap(), MOMENT, "{method:?}");
        timeout.cpu(0.025).call(busy, (MOMENT,)).unwrap();
        let error = Timeout::new(0.05).start_method(method).call(slept, (10 * MOMENT,));
        let error = error.unwrap_err();
        assert!(error.is_timeout() && error.limit() == Some(Duration::from_secs(2)), "{error}");
    }
    block_on(awaited(0.25)).unwrap();
    assert!(block_on(awaited(0.001)).unwrap_err().is_timeout());
    assert!(Timeout::new(0).run(|| 1).unwrap_err().is_timeout());
}

#[test]
fn off_lets_no_limit_expire() {
    if !is_with("off") {
        return assert_passes("debugging::off_lets_no_limit_expire", "off");
    }
    for method in METHODS {
        let timeout = Timeout::new(0.05).cpu(0.01).start_method(method);
        assert_eq!(timeout.call(slept, (MOMENT,)).unwrap(), MOMENT, "{method:?}");
        timeout.call(busy, (MOMENT,)).unwrap();
    }
    block_on(awaited(0.01)).unwrap();
    // What is no limit is still none, and what is stopped still ends.
    let error = Timeout::new(-1).run(|| 1).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidLimit), "{error}");
    let mut call = Timeout::new(1).start(|| thread::sleep(Duration::from_secs(3600))).unwrap();
    call.cancel();
    assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Cancelled));
}

macro_rules! decorated {
    ($name:ident, $method:literal) => {
        mod $name {
            use super::*;

            #[timeout(0.05, start = $method, on_timeout = 0)]
            pub fn number(text: String, seen: &mut Vec<u32>) -> u32 {
                thread::sleep(MOMENT);
                assert!(text != "panic", "as told");
                seen.push(process::id());
                drop(text);
                process::id()
            }

            #[timeout(0.05, start = $method)]
            pub async fn awaited(text: String) -> Result<u32, Error> {
                tokio::time::sleep(MOMENT).await;
                assert!(text != "panic", "as told");
                Ok(process::id())
            }
        }
    };
}

decorated!(fork, "fork");
decorated!(spawn, "spawn");
decorated!(pool, "pool");

#[test]
fn inline_runs_bodies_in_the_caller() {
    if !is_with("inline") {
        return assert_passes("debugging::inline_runs_bodies_in_the_caller", "inline");
    }
    let own = process::id();
    let timeout = Timeout::new(0.05);
    let mut captured = 0;
    timeout
        .run(|| {
            thread::sleep(MOMENT);
            captured = process::id();
        })
        .unwrap();
    assert_eq!(captured, own);
    assert_eq!(timeout.start(process::id).unwrap().join().unwrap(), own);
    let large = timeout.start(|| vec![7u8; 3 << 20]).unwrap().join().unwrap();
    assert!(large.len() == 3 << 20 && large.iter().all(|byte| *byte == 7));
    for method in METHODS {
        assert_eq!(timeout.start_method(method).call(process::id, ()).unwrap(), own);
    }
    for number in [fork::number, spawn::number, pool::number] {
        let mut seen = vec![1];
        assert_eq!(number("text".to_owned(), &mut seen), own);
        assert_eq!(seen, [1, own]);
    }
    block_on(async {
        assert_eq!(timeout.run_async(process::id).await.unwrap(), own);
        assert_eq!(fork::awaited("text".to_owned()).await.unwrap(), own);
        assert_eq!(spawn::awaited("text".to_owned()).await.unwrap(), own);
        assert_eq!(pool::awaited("text".to_owned()).await.unwrap(), own);
    });
}

#[test]
fn inline_makes_an_error_of_a_panic() {
    if !is_with("inline") {
        return assert_passes("debugging::inline_makes_an_error_of_a_panic", "inline");
    }
    let is_told = |error: Error| match error.kind() {
        ErrorKind::Panicked { message, .. } => assert_eq!(message, "as told", "{error}"),
        _ => panic!("{error:?}"),
    };
    let timeout = Timeout::new(0.05);
    is_told(timeout.run(|| -> u8 { panic!("as told") }).unwrap_err());
    is_told(timeout.start(|| -> u8 { panic!("as told") }).unwrap().join().unwrap_err());
    block_on(async {
        is_told(timeout.run_async(|| -> u8 { panic!("as told") }).await.unwrap_err());
        is_told(fork::awaited("panic".to_owned()).await.unwrap_err());
        is_told(spawn::awaited("panic".to_owned()).await.unwrap_err());
    });
    let invalid = Timeout::new(-1).start_method(StartMethod::Pool).call(process::id, ());
    assert!(matches!(invalid.unwrap_err().kind(), ErrorKind::InvalidLimit));
}

#[test]
fn what_means_nothing_is_told_once() {
    if is_with("of") {
        for _ in 0..2 {
            assert_eq!(Timeout::new(60).run(|| 7).unwrap(), 7);
        }
        return;
    }
    let output = with("debugging::what_means_nothing_is_told_once", "of");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("TIMEOUT_RUNTIME=of means nothing").count(), 1, "{said}");
}
