//! process-fun: forks for each call, reads on a thread, and kills at the limit. It leaves its
//! children unreaped: here that is done after each call, and not counted.

use std::time::{Duration, Instant};

use process_fun::{ProcessWrapper, process};

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
fn sleep(seconds: u64) -> u64 {
    work::sleep(seconds)
}

const LIMIT: Duration = Duration::from_secs(20);

pub fn number(number: u64) -> Duration {
    let start = Instant::now();
    let mut child = double_process(number).expect("it starts");
    let doubled = child.timeout(LIMIT).expect("it only doubles");
    let id = id(&child);
    drop(child);
    let elapsed = start.elapsed();
    assert_eq!(doubled, 2 * number);
    bare::reap(id);
    elapsed
}

pub fn text(length: usize) -> (Duration, String) {
    let start = Instant::now();
    let mut child = letters_process(length).expect("it starts");
    let text = child.timeout(LIMIT).expect("it arrives");
    let id = id(&child);
    drop(child);
    let elapsed = start.elapsed();
    bare::reap(id);
    (elapsed, text)
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
