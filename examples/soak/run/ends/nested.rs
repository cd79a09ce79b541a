//! Calls in a body.

use std::time::Duration;

use timeout_runtime::error::StoppedBy;
use timeout_runtime::{ErrorKind, Timeout};

use super::{Case, LONG, Late, Verdict, gives, spin};

pub fn value(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    let inner = case.body_on(1, move |_| number);
    let result = Timeout::new(LONG).run(case.body(|_| Timeout::new(LONG).run(inner).ok()));
    gives(&result, &Some(number))
}

pub fn panic(case: &mut Case<'_>) -> Verdict {
    let inner = case.body_on(1, |_| -> u8 { panic!("inside") });
    let result = Timeout::new(LONG).run(case.body(|_| {
        let result = Timeout::new(LONG).run(inner);
        result.is_err_and(|error| {
            matches!(error.kind(), ErrorKind::Panicked { message, .. } if message == "inside")
        })
    }));
    gives(&result, &true)
}

pub fn inner_late(case: &mut Case<'_>) -> Verdict {
    let limit = case.short();
    let inner = case.body_on(1, |_| -> u8 { spin() });
    let result = Timeout::new(LONG).run(case.body(|_| {
        let result = Timeout::new(limit).grace(Duration::from_secs(10)).run(inner);
        result.is_err_and(|error| error.is_timeout())
    }));
    gives(&result, &true)
}

pub fn outer_late(case: &mut Case<'_>) -> Verdict {
    let inner = case.body_on(1, |_| -> u8 { spin() });
    let late = Late::new(case);
    let result = late.timeout().run(case.body(|board| {
        board.ready();
        Timeout::new(LONG).run(inner).ok()
    }));
    late.timed_out(result, StoppedBy::Sigterm)
}
