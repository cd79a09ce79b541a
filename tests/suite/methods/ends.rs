//! How a body can end, and what the error then says.

use std::io::{Read, pipe};
use std::os::fd::AsFd;
use std::process::{Command, exit};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timeout_runtime::error::StoppedBy;
use timeout_runtime::{Error, ErrorKind, StartMethod, Timeout, stopping};

use super::METHODS;
use crate::support::{LONG, isolated, prompt, spin};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum End {
    Value,
    Panic,
    PanicInThread,
    Exit(i32),
    ExitAtOnce(i32),
    Abort,
    Segv,
    Signal(i32),
    KilledFromOutside,
    Hang,
    Sleep,
    IgnoreSigterm,
    BlockSignals,
    Stop,
    CleanUp,
    Swallow,
}

fn meet(end: End) -> u32 {
    // SAFETY (of the blocks below): each ends the child, or is a system call.
    match end {
        End::Value => 7,
        End::Panic => panic!("as told, {}", 1 + 1),
        End::PanicInThread => {
            std::thread::spawn(|| panic!("of a thread")).join().unwrap_err();
            8
        }
        End::Exit(code) => exit(code),
        End::ExitAtOnce(code) => unsafe { libc::_exit(code) },
        End::Abort => std::process::abort(),
        End::Segv => unsafe { std::ptr::null::<u32>().read_volatile() },
        End::Signal(signal) => {
            unsafe { libc::raise(signal) };
            spin()
        }
        End::KilledFromOutside => {
            let own = std::process::id().to_string();
            drop(Command::new("kill").args(["-KILL", &own]).status());
            spin()
        }
        End::Hang => spin(),
        End::Sleep => loop {
            std::thread::sleep(LONG);
        },
        End::IgnoreSigterm => {
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            spin()
        }
        End::BlockSignals => {
            nix::sys::signal::SigSet::all().thread_block().unwrap();
            spin()
        }
        End::Stop => {
            unsafe { libc::raise(libc::SIGSTOP) };
            spin()
        }
        End::CleanUp => {
            while !stopping() {
                std::thread::sleep(Duration::from_millis(1));
            }
            9
        }
        End::Swallow => loop {
            let _ = std::panic::catch_unwind(|| -> u32 { spin() });
        },
    }
}

fn error(method: StartMethod, end: End) -> Error {
    prompt(|timeout| timeout.start_method(method).call(meet, (end,)))
}

#[test]
fn every_end_is_its_own_kind_and_seen_at_once() {
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        assert_eq!(timeout.call(meet, (End::Value,)).unwrap(), 7);
        assert_eq!(timeout.call(meet, (End::PanicInThread,)).unwrap(), 8);
        for code in [0, 5, 255] {
            for end in [End::Exit(code), End::ExitAtOnce(code)] {
                let error = error(method, end);
                let ErrorKind::Exited(seen) = error.kind() else { panic!("{method:?} {error:?}") };
                assert_eq!(*seen, code, "{method:?}");
                assert_eq!(i32::from(error.exit_code()), code);
            }
        }
        for (end, signal) in [
            (End::Abort, libc::SIGABRT),
            (End::Segv, libc::SIGSEGV),
            (End::Signal(libc::SIGKILL), libc::SIGKILL),
            (End::Signal(libc::SIGTERM), libc::SIGTERM),
            (End::Signal(libc::SIGRTMIN() + 4), libc::SIGRTMIN() + 4),
            (End::KilledFromOutside, libc::SIGKILL),
        ] {
            let error = error(method, end);
            let ErrorKind::Signaled { signal: seen, .. } = error.kind() else {
                panic!("{method:?} {end:?} {error:?}")
            };
            assert_eq!(*seen, signal, "{method:?} {end:?}");
            assert!(error.usage().is_some());
        }
    }
}

#[test]
fn a_panic_says_its_message_and_place() {
    for method in METHODS {
        let error = error(method, End::Panic);
        let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error:?}") };
        assert_eq!(message, "as told, 2");
        let place = location.as_deref().unwrap();
        assert!(place.starts_with(concat!(file!(), ":")), "{place}");
        assert_eq!(error.exit_code(), 101);
        assert_eq!(
            error.to_string(),
            format!("suite::methods::ends::meet panicked at {place}: as told, 2")
        );
    }
}

#[expect(unconditional_recursion)]
fn deeper(n: u64) -> u64 {
    std::hint::black_box(deeper(std::hint::black_box(n) + 1)) + 1
}

#[test]
fn a_stack_overflow_is_a_signal_and_says_so() {
    isolated(|| {
        for method in METHODS {
            let (mut reader, writer) = pipe().unwrap();
            let kept = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
            nix::unistd::dup2_stderr(&writer).unwrap();
            let error = prompt(|timeout| timeout.start_method(method).call(deeper, (0,)));
            nix::unistd::dup2_stderr(&kept).unwrap();
            drop(writer);
            assert!(
                matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGABRT, .. }),
                "{method:?} {error:?}"
            );
            let mut said = String::new();
            reader.read_to_string(&mut said).unwrap();
            assert!(said.contains("has overflowed its stack"), "{method:?} {said}");
            let is_main = said.contains("thread 'main'");
            assert_eq!(is_main, method != StartMethod::Fork, "{said}");
        }
    });
}

/// With a limit that is sure to pass.
fn late(method: StartMethod, grace: f64, end: End) -> Result<u32, Error> {
    Timeout::new(0.3).grace(grace).start_method(method).call(meet, (end,))
}

#[track_caller]
fn stopped_by(error: &Error) -> StoppedBy {
    let ErrorKind::TimedOut { stopped_by } = error.kind() else { panic!("{error:?}") };
    assert!(error.elapsed() >= Duration::from_millis(300), "{error}");
    assert!(error.elapsed() < LONG, "{error} after {:?}", error.elapsed());
    *stopped_by
}

#[test]
fn a_hang_ends_at_sigterm() {
    for method in METHODS {
        for end in [End::Hang, End::Sleep, End::Swallow, End::Stop] {
            let error = late(method, 1000.0, end).unwrap_err();
            assert_eq!(stopped_by(&error), StoppedBy::Sigterm, "{method:?} {end:?}");
            assert_eq!(error.exit_code(), 124);
        }
    }
}

#[test]
fn a_body_that_ignores_sigterm_ends_at_sigkill_after_the_grace() {
    for method in METHODS {
        let error = late(method, 0.2, End::IgnoreSigterm).unwrap_err();
        assert_eq!(stopped_by(&error), StoppedBy::Sigkill, "{method:?}");
        assert!(error.elapsed() >= Duration::from_millis(500), "{error}");
        let error = late(method, 0.2, End::BlockSignals).unwrap_err();
        assert!(error.is_timeout(), "{method:?}");
    }
}

#[test]
fn without_a_grace_it_is_sigkill_at_once() {
    for method in METHODS {
        for end in [End::Hang, End::IgnoreSigterm, End::BlockSignals, End::CleanUp, End::Stop] {
            let error = late(method, 0.0, end).unwrap_err();
            assert_eq!(stopped_by(&error), StoppedBy::Sigkill, "{method:?} {end:?}");
        }
    }
}

#[test]
fn a_body_that_cleans_up_in_the_grace_may_give_its_value() {
    for method in METHODS {
        // In time to be asked before the limit, on a machine that is busy with other tests.
        let late = |method, grace, end| {
            Timeout::new(1).grace(grace).start_method(method).call(meet, (end,))
        };
        assert_eq!(late(method, 1000.0, End::CleanUp).unwrap(), 9, "{method:?}");
        // The worker that gave it is as good as any.
        assert_eq!(late(method, 1000.0, End::CleanUp).unwrap(), 9, "{method:?}");
        let error = late(method, 1000.0, End::Hang).unwrap_err();
        assert_eq!(stopped_by(&error), StoppedBy::Sigterm, "{method:?}");
    }
}
