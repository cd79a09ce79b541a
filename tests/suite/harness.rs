//! The attribute on tests, beside the attributes that people have on theirs.

use std::env;
use std::io;

use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use rstest::rstest;
use test_case::test_case;
use timeout_runtime::{remaining, timeout};

use crate::support::{rerun, spin, text};

/// Only in the child of a call is there a deadline.
fn in_a_child() {
    assert!(remaining().is_some_and(|left| left.as_secs() <= 60));
}

#[test]
#[timeout(60)]
fn test_above() {
    in_a_child();
}

#[timeout(60)]
#[test]
fn test_below() {
    in_a_child();
}

#[test]
#[should_panic(expected = "as expected")]
#[timeout(60)]
fn should_panic_above() {
    in_a_child();
    panic!("panics as expected");
}

#[timeout(60)]
#[test]
#[should_panic(expected = "as expected")]
fn should_panic_below() {
    in_a_child();
    panic!("panics as expected");
}

#[test]
#[timeout(0.05)]
#[should_panic(expected = "should_panic_by_timeout timed out after 50 ms")]
fn should_panic_by_timeout() {
    spin()
}

#[test]
#[timeout(60)]
fn returns_a_result() -> io::Result<()> {
    std::fs::metadata("/")?;
    Ok(())
}

#[timeout(60)]
#[test]
fn returns_a_boxed_error() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let _: u8 = "7".parse()?;
    Ok(())
}

#[tokio::test]
#[timeout(60)]
async fn tokio_above() {
    tokio::task::yield_now().await;
    in_a_child();
}

// rstest takes a bare `timeout` for its own: the path tells them apart.
#[rstest]
#[case(1, 2)]
#[case(2, 3)]
#[timeout_runtime::timeout(60)]
fn rstest_cases(#[case] number: u8, #[case] next: u8) {
    in_a_child();
    assert_eq!(number + 1, next);
}

#[test_case(1, 2)]
#[test_case(2, 3 ; "of two")]
#[timeout(60, panic)]
fn test_cases(number: u8, next: u8) {
    in_a_child();
    assert_eq!(number + 1, next);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn proptest_body(bytes in any::<Vec<u8>>()) {
        #[timeout(60, panic)]
        fn twice_reversed(mut bytes: Vec<u8>) -> Vec<u8> {
            bytes.reverse();
            bytes.reverse();
            bytes
        }
        prop_assert_eq!(twice_reversed(bytes.clone()), bytes);
    }
}

#[timeout(60)]
#[test]
#[ignore = "run by name, to see that it is ignored otherwise"]
fn ignored() {
    in_a_child();
}

#[test]
fn an_ignored_test_runs_when_it_is_asked_for() {
    let count = |arguments: &[&str]| {
        let output = rerun("harness::ignored", "UNUSED", "", arguments);
        assert!(output.status.success());
        text(&output.stdout)
    };
    assert!(count(&[]).contains("0 passed; 0 failed; 1 ignored"));
    assert!(count(&["--ignored"]).contains("1 passed; 0 failed; 0 ignored"));
}

/// Set in the runs in which the tests below are to fail.
const FAIL: &str = "TIMEOUT_TEST_FAIL";

fn to_fail() -> bool {
    env::var_os(FAIL).is_some()
}

#[test]
#[timeout(if to_fail() { 2 } else { 60 })]
fn fails_by_timeout() {
    if to_fail() {
        hangs_here()
    }
}

#[inline(never)]
fn hangs_here() {
    spin()
}

#[timeout(60)]
#[test]
fn fails_by_panic() {
    assert!(!to_fail(), "it was to fail");
}

#[timeout(60)]
#[test]
fn fails_by_error() -> anyhow::Result<()> {
    anyhow::ensure!(!to_fail(), "it was to fail");
    Ok(())
}

#[test]
fn a_failing_test_says_readably_why() {
    let said = |test: &str| {
        let output = rerun(&format!("harness::{test}"), FAIL, "1", &[]);
        assert!(!output.status.success());
        text(&output.stdout) + &text(&output.stderr)
    };
    let timed_out = said("fails_by_timeout");
    assert!(timed_out.contains("fails_by_timeout timed out after 2 s (stopped by"), "{timed_out}");
    assert!(timed_out.contains("harness::hangs_here"), "{timed_out}");
    assert!(timed_out.contains("harness.rs:"), "{timed_out}");
    let panicked = said("fails_by_panic");
    let message = format!("fails_by_panic panicked at {}:", file!());
    assert!(panicked.contains(&message) && panicked.contains(": it was to fail"), "{panicked}");
    let failed = said("fails_by_error");
    assert!(failed.contains("Error: it was to fail"), "{failed}");
    for output in [timed_out, panicked, failed] {
        // What a derived `Debug` would show.
        assert!(!output.contains("TimedOut {") && !output.contains("message: \""), "{output}");
    }
}
