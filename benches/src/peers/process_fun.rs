//! process-fun: forks for each call, reads on a thread, and kills at the limit. It leaves its
//! children unreaped: here that is done after each call, and not counted.

use std::time::{Duration, Instant};

use process_fun::{ProcessWrapper, process};
use serde::de::DeserializeOwned;

use super::work;
use crate::bare;

#[process]
fn double(number: u64) -> u64 {
    work::number(number)
}

#[process]
fn letters(length: usize) -> String {
    work::text(length)
}

#[process]
fn numbers(length: usize) -> Vec<u8> {
    work::bytes(length)
}

#[process]
fn sleep(seconds: u64) -> u64 {
    work::sleep(seconds)
}

const LIMIT: Duration = Duration::from_secs(20);

pub fn number(number: u64) -> Duration {
    let (elapsed, doubled) = timed(|| double_process(number).expect("it starts"));
    assert_eq!(doubled, 2 * number);
    elapsed
}

pub fn text(length: usize) -> (Duration, String) {
    timed(|| letters_process(length).expect("it starts"))
}

pub fn bytes(length: usize) -> (Duration, Vec<u8>) {
    timed(|| numbers_process(length).expect("it starts"))
}

fn timed<T: DeserializeOwned>(call: impl FnOnce() -> ProcessWrapper<T>) -> (Duration, T) {
    let start = Instant::now();
    let mut child = call();
    let value = child.timeout(LIMIT).expect("it arrives");
    let id = id(&child);
    drop(child);
    let elapsed = start.elapsed();
    bare::reap(id);
    (elapsed, value)
}

pub fn overshoot(limit: Duration) -> Duration {
    let start = Instant::now();
    let mut child = sleep_process(60).expect("it starts");
    let result = child.timeout(limit);
    let elapsed = start.elapsed();
    assert!(result.is_err(), "the body sleeps for longer");
    let id = id(&child);
    drop(child);
    bare::reap(id);
    elapsed.saturating_sub(limit)
}

/// All that it tells of its child is its text: `Process(pid=1)`.
fn id<T>(child: &ProcessWrapper<T>) -> libc::pid_t {
    let text = child.to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("the number of a process")
}
