//! Limits, what a body is told of them, and where it hung.

use std::thread;
use std::time::Duration;

use timeout_runtime::cooperative::{checkpoint, scope};
use timeout_runtime::error::{Hang, StoppedBy};
use timeout_runtime::{ErrorKind, Timeout, remaining};

use super::METHODS;
use crate::support::{LONG, spin, traced};

fn value() -> u8 {
    7
}

#[test]
fn a_limit_that_is_none_starts_no_body() {
    for method in METHODS {
        let zero = Timeout::new(0).start_method(method).call(value, ()).unwrap_err();
        let ErrorKind::TimedOut { stopped_by: StoppedBy::Nothing } = zero.kind() else {
            panic!("{method:?} {zero:?}")
        };
        for limit in [-1.0, f64::NAN] {
            let invalid = Timeout::new(limit).start_method(method).call(value, ()).unwrap_err();
            assert!(matches!(invalid.kind(), ErrorKind::InvalidLimit), "{method:?} {invalid:?}");
        }
        let timeout = Timeout::new(LONG).grace(-1).start_method(method);
        let invalid = timeout.call(value, ()).unwrap_err();
        assert!(matches!(invalid.kind(), ErrorKind::InvalidLimit), "{method:?} {invalid:?}");
    }
}

#[test]
fn a_limit_may_be_never() {
    for method in METHODS {
        for limit in [None, Some(1e300)] {
            let timeout = Timeout::new(limit).start_method(method);
            assert_eq!(timeout.call(value, ()).unwrap(), 7);
            assert_eq!(timeout.call(remaining, ()).unwrap(), None, "{method:?}");
        }
        assert_eq!(Timeout::new(u64::MAX).start_method(method).call(value, ()).unwrap(), 7);
    }
}

#[test]
fn a_body_is_told_what_is_left() {
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        let left = timeout.call(remaining, ()).unwrap().unwrap();
        assert!(left <= LONG && left > LONG / 2, "{method:?} {left:?}");
        // Another call, another limit.
        let left = Timeout::new(2 * LONG).start_method(method).call(remaining, ());
        let left = left.unwrap().unwrap();
        assert!(left <= 2 * LONG && left > LONG, "{method:?} {left:?}");
    }
}

fn left_below_another() -> Vec<Option<Duration>> {
    let methods = METHODS.iter();
    methods
        .map(|method| Timeout::new(10 * LONG).start_method(*method).call(remaining, ()).unwrap())
        .collect()
}

#[test]
fn a_nested_body_is_told_of_the_nearest_deadline() {
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        for left in timeout.call(left_below_another, ()).unwrap() {
            assert!(left.unwrap() <= LONG, "{method:?} {left:?}");
        }
    }
}

fn checks_until_it_is_late() -> String {
    scope(0.05, || {
        loop {
            if let Err(error) = checkpoint() {
                return error.to_string();
            }
        }
    })
}

fn checks_for_ever() -> String {
    loop {
        if let Err(error) = checkpoint() {
            return error.to_string();
        }
    }
}

#[test]
fn a_checkpoint_knows_of_the_deadlines_around_it() {
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        let said = timeout.call(checks_until_it_is_late, ()).unwrap();
        assert!(said.contains("timed out after 50 ms"), "{method:?} {said}");
        // That of the call itself: the body may clean up, and be in time with what it says.
        let timeout = Timeout::new(0.3).grace(LONG).start_method(method);
        match timeout.call(checks_for_ever, ()) {
            Ok(said) => assert!(said.contains("timed out after 0.3 s"), "{method:?} {said}"),
            Err(error) => assert!(error.is_timeout(), "{method:?} {error:?}"),
        }
    }
}

#[inline(never)]
fn a_function_that_hangs() -> u8 {
    loop {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn body_that_hangs() -> u8 {
    std::hint::black_box(a_function_that_hangs())
}

#[test]
fn a_hang_is_traced_to_its_function() {
    for method in METHODS {
        {
            let timeout = Timeout::new(0.5).start_method(method);
            let error = traced(|| timeout.call(body_that_hangs, ()).unwrap_err());
            let trace = error.trace().unwrap();
            let functions: Vec<_> = trace.frames().iter().map(|frame| &frame.function).collect();
            for name in ["a_function_that_hangs", "body_that_hangs"] {
                let is_there = functions.iter().any(|function| function.ends_with(name));
                assert!(is_there, "{method:?} {functions:#?}");
            }
            let own = functions.iter().find(|function| function.contains("timeout_runtime"));
            assert_eq!(own, None, "{method:?} {functions:#?}");
            let frame =
                trace.frames().iter().find(|frame| frame.function.ends_with("body_that_hangs"));
            let (file, line) = frame.unwrap().place.as_ref().unwrap();
            assert!(file.ends_with("deadline.rs") && *line > 100, "{file:?} {line}");
        }
    }
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
enum Does {
    Spins,
    Sleeps,
    Reads,
    Accepts,
    Polls,
    Locks,
    Stops,
    Joins,
}

fn does(what: Does) {
    use std::io::Read;
    match what {
        Does::Spins => spin(),
        Does::Sleeps => thread::sleep(10 * LONG),
        Does::Reads => {
            let (mut reader, _writer) = std::io::pipe().unwrap();
            drop(reader.read(&mut [0]));
        }
        Does::Accepts => {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            drop(listener.accept());
        }
        Does::Polls => {
            // SAFETY: no descriptors.
            unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
        }
        Does::Locks => {
            let lock = std::sync::Mutex::new(());
            let (_first, _second) = (lock.lock(), lock.lock());
        }
        Does::Stops => {
            // SAFETY: numbers.
            unsafe { libc::raise(libc::SIGSTOP) };
        }
        Does::Joins => thread::spawn(|| thread::sleep(10 * LONG)).join().unwrap(),
    }
}

#[test]
fn what_a_body_was_doing_is_said() {
    let waiting = |call: &str, file: Option<&str>| Hang::Waiting {
        call: call.to_owned(),
        file: file.map(str::to_owned),
    };
    let hangs = [
        (Does::Spins, Hang::Busy, ""),
        (Does::Sleeps, Hang::Sleeping, "; it slept; "),
        (Does::Reads, waiting("read", Some("a pipe")), "; it waited in read on a pipe; "),
        (Does::Accepts, waiting("accept", Some("a socket")), "; it waited in accept on a socket; "),
        (Does::Polls, waiting("poll", None), "; it waited in poll; "),
        (Does::Locks, Hang::Lock, "; it waited for a lock that was held since"),
        (Does::Stops, Hang::Stopped, "; it was stopped; "),
        (Does::Joins, Hang::Sleeping, "; it slept; "),
    ];
    for method in METHODS {
        thread::scope(|scope| {
            for (what, hang, text) in &hangs {
                let timeout = Timeout::new(2).grace(0.5).start_method(method);
                scope.spawn(move || {
                    let error = timeout.call(does, (*what,)).unwrap_err();
                    assert_eq!(error.hang(), Some(hang), "{method:?} {what:?} {error}");
                    assert!(error.to_string().contains(text), "{method:?} {what:?} {error}");
                });
            }
        });
    }
}
