//! What a body starts ends with the call, wherever it has moved to, however the call ends.

use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy, stopping};

use crate::family::{FAMILY, Register, SLEEP, fork_into_a_session, found_a_family, setsid, sh};
use crate::support::{LONG, Traces, eventually, is_running, isolated, pipes, spin, write_to_pipes};

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

/// It is not held until they are gone, for it goes on.
#[test]
fn a_body_that_ignores_sigterm_may_give_its_value_before_they_end() {
    let register = Register::new("ignoring");
    let (mut reader, mut writer) = pipe().unwrap();
    let mut call = Timeout::new(LONG)
        .grace(LONG)
        .start(|| {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            found_a_family(&register);
            reader.read(&mut [0]).unwrap()
        })
        .unwrap();
    eventually("a family", || register.pids().len() >= FAMILY);
    call.cancel();
    writer.write_all(b"!").unwrap();
    assert_eq!(call.join().unwrap(), 1);
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

/// Each thread of a process has children of its own.
#[test]
fn nobody_is_left_of_whom_a_thread_has_started() {
    for grace in [0.5, 0.0] {
        let register = Register::new(&format!("thread {grace}"));
        let result = cancelled(&register, 1, Timeout::new(LONG).grace(grace), || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    drop(setsid(&register, "trap '' TERM; member; sleep 600").spawn().unwrap());
                    spin()
                });
                spin()
            })
        });
        assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
        register.assert_all_dead(1);
    }
}

/// To the kernel it is half a zombie.
#[test]
fn a_process_whose_first_thread_has_ended_is_not_taken_for_dead() {
    let register = Register::new("first thread");
    let result = cancelled(&register, 1, Timeout::new(LONG).grace(0.5), || {
        fork_into_a_session(|| {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            thread::scope(|scope| {
                scope.spawn(|| {
                    eventually("the first thread has ended", || !is_running(process::id()));
                    register.write_down(process::id());
                    spin()
                });
                // SAFETY: it ends this thread alone, and nothing of it is dropped.
                unsafe { libc::syscall(libc::SYS_exit, 0) };
            });
        });
        spin()
    });
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
    let threads = fs::read_dir(format!("/proc/{}/task", register.pids()[0]));
    assert!(threads.map_or(0, Iterator::count) < 2);
}

/// More than are seen in one look, and dead ones in front of them that the body does not reap.
#[test]
fn nobody_is_left_of_very_many() {
    const MANY: usize = 600;
    for [dying, living] in [[0, MANY], [MANY, 1]] {
        for grace in [0.5, 0.0] {
            isolated(|| {
                let before = Traces::now();
                let (mut reader, mut writer) = pipe().unwrap();
                let mut call = Timeout::new(LONG)
                    .grace(grace)
                    .start(|| -> u8 {
                        (0..dying).for_each(|_| fork_into_a_session(|| ()));
                        (0..living).for_each(|_| fork_into_a_session(|| thread::sleep(10 * LONG)));
                        writer.write_all(b"!").unwrap();
                        spin()
                    })
                    .unwrap();
                reader.read_exact(&mut [0]).unwrap();
                call.cancel();
                assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Cancelled));
                drop((reader, writer));
                before.assert_unchanged();
            });
        }
    }
}

/// To find them takes a descriptor.
#[test]
fn nobody_is_left_after_a_value_of_a_body_without_free_descriptors() {
    let use_up = || {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(256), hard).unwrap();
        while File::open("/dev/null").map(std::mem::forget).is_ok() {}
        7
    };
    let (result, register) = call("descriptors", Timeout::new(LONG), use_up);
    assert_eq!(result.unwrap(), 7);
    register.assert_all_dead(FAMILY);
}

/// Whether what a process of the body starts still lives when that has ended: `leave` is that process.
#[track_caller]
fn assert_lives_on(leave: impl FnOnce(&dyn Fn())) {
    let result = Timeout::new(LONG).run(|| {
        let (until, mut goes_on) = pipe().unwrap();
        let (mut answer, writer) = pipe().unwrap();
        // SAFETY: the copy has one thread, as this process has.
        if unsafe { libc::fork() } == 0 {
            leave(&|| {
                (&until).read_exact(&mut [0]).unwrap();
                (&writer).write_all(b"!").unwrap();
            });
            return 0;
        }
        nix::sys::wait::wait().unwrap();
        drop(writer);
        goes_on.write_all(b"!").unwrap();
        answer.read(&mut [0]).unwrap()
    });
    assert_eq!(result.unwrap(), 1);
}

/// Such as a daemon on its way, which has affairs of its own.
#[test]
fn what_a_process_of_the_body_leaves_behind_lives_as_long_as_the_call() {
    assert_lives_on(|daemon| {
        nix::unistd::setsid().unwrap();
        fork_into_a_session(daemon);
        process::exit(0)
    });
}

/// A copy of the body that returns is not the call, and ends by itself alone.
#[test]
fn so_does_what_a_copy_of_the_body_leaves_behind_that_returns() {
    assert_lives_on(|daemon| fork_into_a_session(daemon));
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

/// What came is no value, so the child is to be killed, and has ended already.
#[test]
fn nobody_is_left_in_the_group_after_garbage_and_a_crash() {
    const MANY: usize = 64;
    isolated(|| {
        let register = Register::new("garbage");
        let before = pipes();
        let body = || -> u8 {
            (0..MANY).for_each(|_| drop(sh(&register, SLEEP).spawn().unwrap()));
            eventually("a family", || register.pids().len() >= MANY);
            write_to_pipes(&before, b"no frame at all");
            process::abort()
        };
        let call = Timeout::new(LONG).start(body).unwrap();
        eventually("its end", || !is_running(call.id()));
        assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Decode(_)));
        register.assert_all_dead(MANY);
    });
}

/// Beyond the group, and below a parent that lives.
const CLEANS_UP: &str = "trap 'sleep 0.2; echo cleaned > \"$0.said\"; exit' TERM; \
                         echo $$ >> \"$0\"; while :; do sleep 0.01; done";

/// Beyond the group, and below when the last of them has ended.
#[test]
fn descendants_have_the_grace_to_clean_up_in() {
    let register = Register::new("grace");
    let result = cancelled(&register, 2, Timeout::new(LONG).grace(LONG), || {
        let mut parent = sh(&register, "member; setsid sh -c \"$1\" \"$0\"; :");
        drop(parent.arg(CLEANS_UP).spawn().unwrap());
        spin()
    });
    let error = result.unwrap_err();
    register.assert_all_dead(2);
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

/// Their parent cannot be stopped before they have begun (`vfork(2)`), which is no reason to wait.
#[test]
fn programs_that_are_being_started_end_at_once() {
    isolated(|| {
        let before = Traces::now();
        let mut took = Vec::new();
        for round in 0..30 {
            let (mut reader, mut writer) = pipe().unwrap();
            let body = || -> u8 {
                loop {
                    let mut stubborn = Command::new("sh");
                    stubborn.args(["-c", "trap '' TERM; sleep 600"]).process_group(0);
                    drop(stubborn.spawn().unwrap());
                    writer.write_all(b"!").unwrap();
                }
            };
            let mut call = Timeout::new(LONG).grace(0.1).start(body).unwrap();
            reader.read_exact(&mut [0; 4]).unwrap();
            thread::sleep(Duration::from_micros(round * 50));
            let cancelled = Instant::now();
            call.cancel();
            took.push(cancelled.elapsed());
            assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Cancelled));
            drop((reader, writer));
            before.assert_unchanged();
        }
        // After half a second one gives up, and most are being started.
        took.sort();
        assert!(took[15] < Duration::from_millis(400), "{took:?}");
    });
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
