//! Bodies that end otherwise than by a return.

use std::panic::{panic_any, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use timeout_runtime::{ErrorKind, Timeout};

use super::{Case, LONG, Seen, Verdict};

pub fn panic(case: &mut Case<'_>) -> Verdict {
    // Both kinds of payload that carry a text.
    let (number, is_static) = (case.random.next(), case.random.between(0, 2) == 0);
    let body = case.body(|_| -> u8 {
        if is_static { panic!("as told") } else { panic!("as told {number}") }
    });
    let expected = if is_static { "as told".to_owned() } else { format!("as told {number}") };
    case.fails(Timeout::new(LONG).run(body), |kind| {
        matches!(kind, ErrorKind::Panicked { message, location: Some(place) }
            if *message == expected && place.contains("crash.rs:"))
    })
}

const NO_TEXT: &str = "Box<dyn Any>";

pub fn with_payload(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 { panic_any(number) }));
    case.fails(result, |kind| {
        matches!(kind, ErrorKind::Panicked { message, location: Some(_) } if message == NO_TEXT)
    })
}

pub fn resumed(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 { resume_unwind(Box::new("again")) }));
    case.fails(result, |kind| {
        matches!(kind, ErrorKind::Panicked { message, location: None } if message == "again")
    })
}

pub fn exit_zero(case: &mut Case<'_>) -> Verdict {
    // SAFETY: it takes a number; the handlers that it runs are the body's own.
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 { unsafe { libc::exit(0) } }));
    case.fails(result, |kind| matches!(kind, ErrorKind::Exited(0)))
}

pub fn exit(case: &mut Case<'_>) -> Verdict {
    let code = case.random.between(1, 256) as i32;
    // SAFETY: as above.
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 { unsafe { libc::exit(code) } }));
    case.fails(result, |kind| matches!(kind, ErrorKind::Exited(seen) if *seen == code))
}

pub fn exit_at_once(case: &mut Case<'_>) -> Verdict {
    let code = case.random.between(0, 256) as i32;
    // SAFETY: it takes a number.
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 { unsafe { libc::_exit(code) } }));
    case.fails(result, |kind| matches!(kind, ErrorKind::Exited(seen) if *seen == code))
}

/// Takes a lock that another thread holds for an instant when it starts or ends.
pub fn std_exit(case: &mut Case<'_>) -> Verdict {
    let code = case.random.between(0, 256) as i32;
    let result = Timeout::new(0.5).run(case.body(|_| -> u8 { std::process::exit(code) }));
    if result.as_ref().is_err_and(timeout_runtime::Error::is_timeout) {
        return Ok(Seen::Waited);
    }
    case.fails(result, |kind| matches!(kind, ErrorKind::Exited(seen) if *seen == code))
}

pub fn abort(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 { std::process::abort() }));
    case.fails(result, |kind| is_signal(kind, libc::SIGABRT))
}

pub fn segfault(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(LONG).run(case.body(|_| -> u8 {
        // SAFETY: none: nothing is mapped there, and it crashes.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(0) };
        0
    }));
    case.fails(result, |kind| is_signal(kind, libc::SIGSEGV))
}

pub fn killed(case: &mut Case<'_>) -> Verdict {
    let signal =
        case.random.one_of(&[libc::SIGKILL, libc::SIGTERM, libc::SIGUSR1, libc::SIGRTMIN() + 5]);
    let body = case.body(|board| -> u8 {
        board.ready();
        loop {
            thread::sleep(LONG);
        }
    });
    let call = match Timeout::new(LONG).start(body) {
        Ok(call) => call,
        Err(error) => return case.fails(Err::<u8, _>(error), |_| false),
    };
    let started = Instant::now();
    while !case.boards[0].is_ready() && started.elapsed() < LONG {
        thread::sleep(Duration::from_micros(50));
    }
    // SAFETY: two integers. The child runs, so the number is its own.
    unsafe { libc::kill(call.id() as i32, signal) };
    case.fails(call.join(), |kind| is_signal(kind, signal))
}

pub fn is_signal(kind: &ErrorKind, expected: i32) -> bool {
    matches!(kind, ErrorKind::Signaled { signal, .. } if *signal == expected)
}

/// Refuses to cross, on one side or the other.
#[derive(Debug)]
struct Stubborn {
    in_the_child: bool,
}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.in_the_child {
            Err(S::Error::custom("as told"))
        } else {
            serializer.serialize_u8(7)
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _: u8 = u8::deserialize(deserializer)?;
        Err(D::Error::custom("as told"))
    }
}

pub fn encode(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(LONG).run(case.body(|_| Stubborn { in_the_child: true }));
    case.fails(
        result,
        |kind| matches!(kind, ErrorKind::Encode(error) if error.reason().contains("as told")),
    )
}

pub fn decode(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(LONG).run(case.body(|_| Stubborn { in_the_child: false }));
    case.fails(
        result,
        |kind| matches!(kind, ErrorKind::Decode(error) if error.reason().contains("as told")),
    )
}
