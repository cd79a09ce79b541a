//! What a body starts ends with the call, wherever it has moved to, however the call ends.

use std::process::{self, Stdio};
use std::time::Duration;
use std::{fs, thread};

use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy, stopping};

use crate::family::{FAMILY, Register, SLEEP, found_a_family, setsid, sh};
use crate::support::{LONG, Traces, eventually, isolated, spin};

/// Runs a body that founds a family and then ends as `end` says.
fn call(test: &str, timeout: Timeout, end: impl FnOnce() -> u8) -> (Result<u8, Error>, Register) {
    let register = Register::new(test);
    let result = timeout.run(|| {
        found_a_family(&register);
        end()
    });
    (result, register)
}

#[test]
fn nobody_is_left_after_a_timeout() {
    // Long enough for a busy machine to found the family in.
    let timeout = Timeout::new(8).grace(0.5);
    let (result, register) = call("timeout", timeout, || spin());
    let error = result.unwrap_err();
    // One of them takes SIGKILL, so the child waits for that too.
    let killed = ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill };
    assert_eq!(format!("{:?}", error.kind()), format!("{killed:?}"));
    register.assert_all_dead(FAMILY);
}

/// As at the deadline, but when as many have registered, which on a busy machine takes its time.
fn cancelled(
    register: &Register,
    members: usize,
    timeout: Timeout,
    body: impl FnOnce() -> u8,
) -> Result<u8, Error> {
    let mut call = timeout.start(body).unwrap();
    eventually("a family", || register.pids().len() >= members);
    call.cancel();
    call.join()
}

#[test]
fn nobody_is_left_after_a_cancel_with_and_without_a_grace() {
    for grace in [0.5, 0.0] {
        let register = Register::new(&format!("cancel {grace}"));
        let body = || {
            found_a_family(&register);
            spin()
        };
        let result = cancelled(&register, FAMILY, Timeout::new(LONG).grace(grace), body);
        assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
        register.assert_all_dead(FAMILY);
    }
}

#[test]
fn nobody_is_left_when_the_body_handles_sigterm() {
    let register = Register::new("stopping");
    let result = cancelled(&register, FAMILY, Timeout::new(LONG).grace(LONG), || {
        let _ = stopping();
        found_a_family(&register);
        while !stopping() {
            thread::sleep(Duration::from_millis(1));
        }
        7
    });
    assert_eq!(result.unwrap(), 7);
    register.assert_all_dead(FAMILY);
}

#[test]
fn nobody_is_left_when_a_call_is_dropped() {
    let register = Register::new("drop");
    let body = || -> u8 {
        found_a_family(&register);
        spin()
    };
    let call = Timeout::new(LONG).grace(0.5).start(body).unwrap();
    eventually("a family", || register.pids().len() >= FAMILY);
    drop(call);
    register.assert_all_dead(FAMILY);
}

#[test]
fn nobody_is_left_after_a_value() {
    let (result, register) = call("value", Timeout::new(LONG), || 7);
    assert_eq!(result.unwrap(), 7);
    register.assert_all_dead(FAMILY);
}

#[test]
fn nobody_is_left_after_a_panic() {
    let (result, register) = call("panic", Timeout::new(LONG), || panic!("as planned"));
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Panicked { .. }));
    register.assert_all_dead(FAMILY);
}

/// The exit handlers are glibc's, and so is the way to be among them.
#[test]
#[cfg(target_env = "gnu")]
fn nobody_is_left_after_an_exit() {
    let (result, register) = call("exit", Timeout::new(LONG), || process::exit(3));
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Exited(3)));
    register.assert_all_dead(FAMILY);
}

#[test]
fn nobody_is_left_in_the_group_after_a_crash() {
    let register = Register::new("crash");
    let result = Timeout::new(LONG).run(|| -> u8 {
        drop(sh(&register, SLEEP).spawn().unwrap());
        drop(sh(&register, "trap '' TERM; member; sleep 600; :").spawn().unwrap());
        eventually("a family", || register.pids().len() >= 2);
        process::abort()
    });
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Signaled { signal: 6, .. }));
    register.assert_all_dead(2);
}

/// The grace is theirs too, and is over when the last of them has ended.
#[test]
fn descendants_have_the_grace_to_clean_up_in() {
    let register = Register::new("grace");
    let script = "trap 'sleep 0.2; echo cleaned > \"$0.said\"; exit' TERM; member; \
                  while :; do sleep 0.01; done";
    let result = cancelled(&register, 1, Timeout::new(LONG).grace(LONG), || {
        drop(setsid(&register, script).spawn().unwrap());
        spin()
    });
    let error = result.unwrap_err();
    register.assert_all_dead(1);
    let said = register.path().with_extension("said");
    assert_eq!(fs::read_to_string(&said).unwrap(), "cleaned\n");
    fs::remove_file(said).unwrap();
    assert!(error.elapsed() < LONG, "{:?}", error.elapsed());
}

/// Each generation leaves the session, forks the next one, and ends.
const GENERATIONS: &str = "echo $$ >> \"$0\"; exec setsid sh -c 'for i in 1 2 3 4 5 6 7 8 9; do \
                           sleep 0.01; done; exec sh -c \"$1\" \"$0\" \"$1\"' \"$0\" \"$1\" &";

/// Who forks all the time is stopped before its children are looked for.
#[test]
fn a_family_that_moves_on_all_the_time_ends_too() {
    for end_by_value in [true, false] {
        let register = Register::new(&format!("generations {end_by_value}"));
        let body = || {
            let mut founder = sh(&register, "sh -c \"$1\" \"$0\" \"$1\"");
            assert!(founder.arg(GENERATIONS).status().unwrap().success());
            eventually("generations", || register.pids().len() >= 8);
            if end_by_value { 7 } else { spin() }
        };
        let timeout = Timeout::new(LONG).grace(0);
        let result =
            if end_by_value { timeout.run(body) } else { cancelled(&register, 8, timeout, body) };
        assert_eq!(result.is_ok(), end_by_value);
        register.assert_all_dead(8);
        let pids = register.pids();
        thread::sleep(Duration::from_millis(200));
        assert_eq!(pids, register.pids(), "they go on");
    }
}

/// In the first process of a container, or in a service manager, orphans are the caller's to reap.
#[test]
fn nothing_is_left_to_reap_where_orphans_come_to_the_caller() {
    isolated(|| {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let frame = Traces::now();
        for grace in [LONG, Duration::ZERO] {
            let register = Register::new(&format!("reaped {grace:?}"));
            let result = cancelled(&register, 2, Timeout::new(LONG).grace(grace), || {
                drop(setsid(&register, SLEEP).spawn().unwrap());
                drop(sh(&register, "member; (setsid sleep 600 &)").spawn().unwrap());
                spin()
            });
            assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
            frame.assert_unchanged();
        }
    });
}

#[test]
fn a_nested_call_ends_with_what_it_started() {
    let register = Register::new("nested");
    let result = cancelled(&register, FAMILY, Timeout::new(LONG).grace(0.5), || {
        let inner = || -> u8 {
            found_a_family(&register);
            spin()
        };
        Timeout::new(LONG).run(inner).unwrap_or_default()
    });
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
    register.assert_all_dead(FAMILY);
}

#[test]
fn a_daemon_that_prints_into_a_captured_test_ends_too() {
    let register = Register::new("output");
    let result = cancelled(&register, 1, Timeout::new(LONG).grace(0.5), || {
        let mut command = setsid(&register, "member; while :; do echo y; done");
        drop(command.stdout(Stdio::inherit()).spawn().unwrap());
        spin()
    });
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
    register.assert_all_dead(1);
}
