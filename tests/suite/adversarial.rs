//! Bodies that work against the call, by accident or by intent. Each has its own kind of error, in
//! time, and leaves nothing behind.

/// What an error must be.
macro_rules! assert_kind {
    ($error:expr, $kind:pat $(if $guard:expr)?) => {
        let error: &Error = &$error;
        assert!(matches!(error.kind(), $kind $(if $guard)?), "{error:?}");
    };
}

mod beyond;
mod bombs;
mod deprived;
mod descriptors;
mod forged;
mod groups;
mod programs;
mod signals;
mod threads;

use std::fs::File;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timeout_runtime::{Call, Error, Timeout};

use crate::support::{LONG, Traces, isolated, prompt};

/// As [`isolated`], for calls that leave nothing behind.
#[track_caller]
fn traceless(scenario: impl FnOnce()) {
    isolated(|| {
        Timeout::new(LONG).run(|| 1).unwrap();
        let before = Traces::now();
        scenario();
        before.assert_unchanged();
    });
}

fn run<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    prompt(|timeout| timeout.run(body))
}

/// Starts what never ends; it must have begun long before its limit.
fn start<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Call<T> {
    Timeout::new(2).grace(LONG).start(body).unwrap()
}

/// The same, of what SIGTERM does not end.
fn start_stubborn<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Call<T> {
    Timeout::new(2).grace(0.3).start(body).unwrap()
}

/// The error of what never ends.
#[track_caller]
fn ran_out<T: Serialize + for<'a> Deserialize<'a>>(call: Call<T>) -> Error {
    let Err(error) = call.join() else { panic!("it gave a value") };
    assert!(error.elapsed() >= Duration::from_secs(2), "{error:?}");
    assert!(error.elapsed() < LONG, "{error:?}");
    error
}

#[track_caller]
fn run_out<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    ran_out(start(body))
}

fn run_out_of_grace<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    ran_out(start_stubborn(body))
}

fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: the handlers of these files touch atomics, `raise` and `_exit` alone.
    unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
}

fn raise(signal: i32) {
    // SAFETY: it takes a number.
    unsafe { libc::raise(signal) };
}

fn null() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}
