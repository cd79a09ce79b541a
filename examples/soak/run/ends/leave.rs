//! Bodies that leave something running.

use timeout_runtime::Timeout;
use timeout_runtime::error::StoppedBy;

use super::crash::is_signal;
use super::{Case, LONG, Late, Verdict, gives, spin};
use crate::run::descendants::Left;

pub fn returns(case: &mut Case<'_>) -> Verdict {
    let left = [Left::any(case.random), Left::any(case.random)];
    return_leaving(case, left)
}

pub fn crashes(case: &mut Case<'_>) -> Verdict {
    let left = [Left::any(case.random), Left::any(case.random)];
    crash_leaving(case, left)
}

pub fn hangs(case: &mut Case<'_>) -> Verdict {
    let left = [Left::any(case.random), Left::any(case.random)];
    hang_leaving(case, left)
}

pub fn roams_and_returns(case: &mut Case<'_>) -> Verdict {
    let left = [Left::any_that_roams(case.random), Left::any(case.random)];
    return_leaving(case, left)
}

pub fn roams_and_crashes(case: &mut Case<'_>) -> Verdict {
    let left = [Left::any_that_roams(case.random), Left::any(case.random)];
    crash_leaving(case, left)
}

pub fn roams_and_hangs(case: &mut Case<'_>) -> Verdict {
    let left = [Left::any_that_roams(case.random), Left::any(case.random)];
    hang_leaving(case, left)
}

fn return_leaving(case: &mut Case<'_>, left: [Left; 2]) -> Verdict {
    let (number, marker) = (case.random.next(), case.marker);
    let body = case.body(|board| {
        left.into_iter().for_each(|left| left.start(board, marker));
        number
    });
    gives(&Timeout::new(LONG).run(body), &number)
}

fn crash_leaving(case: &mut Case<'_>, left: [Left; 2]) -> Verdict {
    let marker = case.marker;
    let result = Timeout::new(LONG).run(case.body(|board| -> u8 {
        left.into_iter().for_each(|left| left.start(board, marker));
        std::process::abort()
    }));
    case.fails(result, |kind| is_signal(kind, libc::SIGABRT))
}

fn hang_leaving(case: &mut Case<'_>, left: [Left; 2]) -> Verdict {
    let marker = case.marker;
    let late = Late::new(case);
    let result = late.timeout().run(case.body(|board| -> u8 {
        left.into_iter().for_each(|left| left.start(board, marker));
        board.ready();
        spin()
    }));
    late.timed_out(result, StoppedBy::Sigterm)
}
