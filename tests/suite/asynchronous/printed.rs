//! What a body prints in a test is in the captured output of that test.

use std::env;

use timeout_runtime::{Timeout, timeout};

use super::{pause, run};
use crate::support::{LONG, rerun, spin, text};

const SCENARIO: &str = "TIMEOUT_TEST_PRINTS_ASYNC";

#[timeout(600, start = "fork")]
async fn prints() {
    println!("of a function");
    pause(0.001).await;
    tokio::spawn(async { println!("of its task") }).await.unwrap();
}

async fn print_in_all_ways() {
    println!("before");
    prints().await.unwrap();
    run(|| print!("of a closure, unflushed")).await.unwrap();
    println!();
    let error = Timeout::new(1).run_async(|| -> u8 {
        println!("before its time was up");
        spin()
    });
    assert!(error.await.unwrap_err().is_timeout());
    let text = run(|| {
        (0..1 << 12).for_each(|n| println!("{n:031}"));
        "v".repeat(1 << 20)
    });
    assert_eq!(text.await.unwrap().len(), 1 << 20);
    // Of one that nobody waits for to its end.
    let _ = cut_off().await;
    println!("after");
}

async fn cut_off() -> Result<u8, tokio::time::error::Elapsed> {
    let call = run(|| -> u8 { spin() });
    tokio::time::timeout(LONG / 600, call).await.map(Result::unwrap)
}

/// By themselves they do nothing.
#[tokio::test]
async fn a_failing_test() {
    if env::var_os(SCENARIO).is_some() {
        print_in_all_ways().await;
        panic!("so that it is shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_test_of_many_threads() {
    if env::var_os(SCENARIO).is_some() {
        tokio::spawn(print_in_all_ways()).await.unwrap();
        panic!("so that it is shown");
    }
}

fn expected() -> String {
    let lines: String = (0..1 << 12).map(|n| format!("{n:031}\n")).collect();
    let of_bodies = "of a function\nof its task\nof a closure, unflushed\nbefore its time was up\n";
    format!("before\n{of_bodies}{lines}after\n")
}

#[test]
fn it_is_in_the_section_of_the_failing_test() {
    for name in ["a_failing_test", "a_failing_test_of_many_threads"] {
        let name = format!("asynchronous::printed::{name}");
        let output = rerun(&name, SCENARIO, "1", &[]);
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), errors.as_str()), (Some(101), ""), "{said}");
        let (_, section) = said.split_once(&format!("---- {name} stdout ----\n")).unwrap();
        let (printed, _) = section.split_once("\nthread '").unwrap();
        assert!(printed == expected(), "{name}: {printed}");
    }
}

#[test]
fn without_capture_it_goes_straight_through() {
    let name = "asynchronous::printed::a_failing_test";
    let output = rerun(name, SCENARIO, "1", &["--nocapture"]);
    assert!(text(&output.stdout).contains(&expected()), "{}", text(&output.stdout));
}
