//! Bodies that run out of time.

use std::io;
use std::thread;
use std::time::Duration;

use serde::ser::SerializeTuple;
use serde::{Deserialize, Serialize, Serializer};
use timeout_runtime::error::StoppedBy;
use timeout_runtime::{ErrorKind, Timeout, stopping, timeout};

use super::{Case, LONG, Late, Verdict, ignore_sigterm, spin, unexpected};
use crate::run::board::{Board, Marker};

pub fn zero(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(0).run(case.body(|_| 1));
    if case.boards[0].child().is_some() {
        return Err("its body ran".to_owned());
    }
    let nothing = StoppedBy::Nothing;
    case.fails(
        result,
        |kind| matches!(kind, ErrorKind::TimedOut { stopped_by } if *stopped_by == nothing),
    )
}

pub fn invalid(case: &mut Case<'_>) -> Verdict {
    let limit = case.random.one_of(&[-1.0, -1e-9, f64::NEG_INFINITY, f64::NAN]);
    let result = Timeout::new(limit).run(case.body(|_| 1));
    if case.boards[0].child().is_some() {
        return Err("its body ran".to_owned());
    }
    case.fails(result, |kind| matches!(kind, ErrorKind::InvalidLimit))
}

pub fn busy(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case);
    let result = late.timeout().run(case.body(|board| -> u8 {
        board.ready();
        spin()
    }));
    late.timed_out(result, StoppedBy::Sigterm)
}

pub fn sleep(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case);
    let result = late.timeout().run(case.body(|board| {
        board.ready();
        thread::sleep(LONG);
    }));
    late.timed_out(result, StoppedBy::Sigterm)
}

/// More than fits into the pipe, and then no more.
#[derive(Debug, Deserialize)]
struct Stalled(#[expect(dead_code, reason = "it never arrives")] (u64, u64));

impl Serialize for Stalled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&vec![0u64; 30_000])?;
        spin()
    }
}

pub fn stalled(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case);
    let result = late.timeout().run(case.body(|board| {
        board.ready();
        Stalled((0, 0))
    }));
    late.timed_out(result, StoppedBy::Sigterm)
}

pub fn ignores(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case).grace(Duration::from_millis(50));
    let result = late.timeout().run(case.body(|board| -> u8 {
        ignore_sigterm();
        board.ready();
        spin()
    }));
    late.timed_out(result, StoppedBy::Sigkill)
}

pub fn no_grace(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case).grace(Duration::ZERO);
    let result = late.timeout().run(case.body(|board| -> u8 {
        board.ready();
        spin()
    }));
    late.timed_out(result, StoppedBy::Sigkill)
}

/// If it asked in time it gives its value, and late.
pub fn cooperates(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    let late = Late::new(case).grace(LONG);
    let result = late.timeout().run(case.body(|board| {
        let asked = stopping();
        board.ready();
        while !stopping() {
            thread::sleep(Duration::from_micros(100));
        }
        (asked, number)
    }));
    let elapsed = late.elapsed();
    match result {
        Ok((false, value)) if value == number => late.returned(elapsed, Duration::ZERO),
        Err(error) if error.is_timeout() && !late.was_ready() => {
            late.timed_out(Err::<u8, _>(error), StoppedBy::Sigterm)
        }
        other => Err(unexpected(&other)),
    }
}

/// The caller also waits 100 ms for a trace, which a stopped process does not give.
pub fn stopped(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case);
    let result = late.timeout().run(case.body(|board| -> u8 {
        board.ready();
        // SAFETY: it takes a number.
        unsafe { libc::raise(libc::SIGSTOP) };
        spin()
    }));
    late.timed_out(result, StoppedBy::Sigterm)
}

pub fn run_or(case: &mut Case<'_>) -> Verdict {
    let other = case.random.next();
    let late = Late::new(case);
    let result = late.timeout().run_or(other, case.body(|_| spin()));
    let elapsed = late.elapsed();
    match result {
        Ok(value) if value == other => late.returned(elapsed, Duration::ZERO),
        result => Err(unexpected(&result)),
    }
}

#[timeout(limit, on_timeout = other)]
fn hang(limit: Duration, other: u64, board: Board, marker: Marker) -> u64 {
    board.enter(marker);
    spin()
}

pub fn on_timeout(case: &mut Case<'_>) -> Verdict {
    let other = case.random.next();
    let late = Late::new(case);
    let value = hang(late.limit, other, case.boards[0], case.marker);
    let elapsed = late.elapsed();
    if value != other {
        return Err(unexpected(&value));
    }
    late.returned(elapsed, Duration::ZERO)
}

#[timeout(limit)]
fn hang_io(limit: Duration, board: Board, marker: Marker) -> io::Result<u64> {
    board.enter(marker);
    spin()
}

pub fn io_result(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case);
    let result = hang_io(late.limit, case.boards[0], case.marker);
    let elapsed = late.elapsed();
    match result {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            late.returned(elapsed, Duration::ZERO)
        }
        other => Err(unexpected(&other)),
    }
}
