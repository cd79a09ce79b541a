//! Calls that go on while the caller does something else.

use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::error::StoppedBy;
use timeout_runtime::{ErrorKind, Timeout};

use super::{Case, LONG, Late, Seen, Verdict, gives, spin, unexpected};

pub fn join(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    let call = Timeout::new(LONG).start(case.body(move |_| number));
    gives(&call.and_then(timeout_runtime::Call::join), &number)
}

pub fn pending(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    let mut call = match Timeout::new(LONG).start(case.body(move |_| number)) {
        Ok(call) => call,
        Err(error) => return Err(unexpected(&error)),
    };
    let started = Instant::now();
    while call.pending() {
        if started.elapsed() > LONG {
            return Err("it is pending for ever".to_owned());
        }
        thread::sleep(Duration::from_micros(100));
    }
    gives(&call.join(), &number)
}

pub fn cancel(case: &mut Case<'_>) -> Verdict {
    let pause = case.random.between(0, 3000);
    let mut call = match Timeout::new(LONG).start(case.body(|_| -> u8 { spin() })) {
        Ok(call) => call,
        Err(error) => return Err(unexpected(&error)),
    };
    thread::sleep(Duration::from_micros(pause));
    call.cancel();
    match call.join() {
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled) => Ok(Seen::AsExpected),
        other => Err(unexpected(&other)),
    }
}

pub fn drop_it(case: &mut Case<'_>) -> Verdict {
    let pause = case.random.between(0, 3000);
    let call = match Timeout::new(LONG).start(case.body(|_| -> u8 { spin() })) {
        Ok(call) => call,
        Err(error) => return Err(unexpected(&error)),
    };
    thread::sleep(Duration::from_micros(pause));
    let started = Instant::now();
    drop(call);
    if started.elapsed() > Duration::from_secs(5) {
        return Err(format!("the drop took {:?}", started.elapsed()));
    }
    Ok(Seen::AsExpected)
}

/// Each later child holds copies of the earlier ones' pipes.
pub fn four(case: &mut Case<'_>) -> Verdict {
    let first = case.random.next() >> 8;
    let start = |index| {
        let body = case.body_on(index, move |_| first + index as u64);
        Timeout::new(LONG).start(body)
    };
    let mut calls: Vec<_> = (0..4).map(|index| (index as u64, start(index))).collect();
    while !calls.is_empty() {
        let (index, call) = calls.swap_remove(case.random.between(0, calls.len() as u64) as usize);
        gives(&call.and_then(timeout_runtime::Call::join), &(first + index))?;
    }
    Ok(Seen::AsExpected)
}

/// Nobody looks at its deadline before the join.
pub fn joined_late(case: &mut Case<'_>) -> Verdict {
    let late = Late::new(case);
    let call = late.timeout().start(case.body(|board| -> u8 {
        board.ready();
        spin()
    }));
    thread::sleep(late.limit + Duration::from_millis(5));
    late.timed_out(call.and_then(timeout_runtime::Call::join), StoppedBy::Sigterm)
        .map(|_| Seen::AsExpected)
}
