//! A caller that ends in the middle of a call takes the child along, and all that it has started.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;
use std::{env, ptr, thread};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getppid};
use timeout_runtime::{ErrorKind, Timeout};

use crate::family::{FAMILY, Register, fork_into_a_session, found_a_family, sh};
use crate::support::{LONG, eventually, is_running, isolated, spin};

const SCENARIO: &str = "TIMEOUT_TEST_CALLER";
const REGISTER: &str = "TIMEOUT_TEST_REGISTER";

/// The caller, in a process of its own. By itself it does nothing.
#[test]
fn a_caller_that_is_to_end() {
    let Ok(scenario) = env::var(SCENARIO) else { return };
    let register = Register::at(env::var(REGISTER).unwrap());
    let body = || -> u8 {
        register.write_down(process::id());
        found_a_family(&register);
        spin()
    };
    let timeout = Timeout::new(10 * LONG);
    match scenario.as_str() {
        "run" => drop(timeout.run(body)),
        "nested" => drop(timeout.run(|| timeout.run(body).unwrap_or_default())),
        "threads" => drop(timeout.run(|| {
            (0..4).for_each(|_| drop(thread::spawn(|| spin())));
            body()
        })),
        "returns" => drop(timeout.run(|| {
            thread::spawn(|| spin());
            // So it is the other one that is told.
            SigSet::all().thread_block().unwrap();
            let caller = getppid();
            register.write_down(process::id());
            (0..8).for_each(|_| found_a_family(&register));
            while getppid() == caller {}
        })),
        "thread ended" => {
            let call = thread::scope(|scope| scope.spawn(|| timeout.start(body)).join().unwrap());
            eventually("a family", || register.pids().len() > FAMILY);
            // It outlived the thread that started it.
            assert!(call.as_ref().is_ok_and(|call| is_running(call.id())));
            register.write_down(process::id());
            spin();
        }
        "exec" => drop(timeout.run(|| -> u8 {
            let error = sh(&register, "member; exec sleep 600").exec();
            panic!("{error}")
        })),
        "terminal" => drop(timeout.run(body)),
        "reads" => {
            let result = Timeout::new(2).run(|| std::io::stdin().read(&mut [0]).unwrap());
            let error = result.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error:#}");
            register.write_down(process::id());
        }
        other => unreachable!("{other}"),
    }
    // Not that the frame of a test has the last word.
    std::mem::forget(register);
}

fn caller(scenario: &str, register: &Register) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "killed::a_caller_that_is_to_end"]);
    command.env(SCENARIO, scenario).env(REGISTER, register.path());
    command
}

#[track_caller]
fn assert_ends(scenario: &str, members: usize) {
    let register = Register::new(scenario);
    let mut command = caller(scenario, &register);
    let mut caller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("a family", || register.pids().len() >= members);
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually("the end of all", || register.living().is_empty());
}

#[test]
fn a_killed_caller_takes_all_along() {
    assert_ends("run", FAMILY + 1);
}

#[test]
fn a_killed_caller_of_nested_calls_takes_all_along() {
    assert_ends("nested", FAMILY + 1);
}

#[test]
fn a_body_with_threads_ends_with_its_caller() {
    assert_ends("threads", FAMILY + 1);
}

/// Then two are about to end all, and neither leaves before the other has.
#[test]
fn a_body_that_returns_when_its_caller_is_killed_takes_all_along() {
    assert_ends("returns", 8 * FAMILY + 1);
}

/// Also at the moment at which the child is not yet its own master.
#[test]
fn a_caller_that_is_killed_at_any_moment_leaves_nobody() {
    isolated(|| {
        for round in 0..300 {
            let (mut reader, mut writer) = pipe().unwrap();
            let calls = || -> u8 {
                loop {
                    assert_eq!(Timeout::new(LONG).run(|| 7).unwrap(), 7);
                    writer.write_all(b"!").unwrap();
                }
            };
            let caller = Timeout::new(LONG).start(calls).unwrap();
            reader.read_exact(&mut [0]).unwrap();
            thread::sleep(Duration::from_micros(round * 7));
            kill(Pid::from_raw(caller.id().cast_signed()), Signal::SIGKILL).unwrap();
            assert!(matches!(
                caller.join().unwrap_err().kind(),
                ErrorKind::Signaled { signal: libc::SIGKILL, .. }
            ));
            // Its orphans have come to this process by now.
            eventually("nobody is left", || {
                waitpid(None, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD)
            });
        }
    });
}

/// The signal by which the kernel tells is, from anybody else, one like the others.
#[test]
fn the_signal_of_the_tie_ends_what_does_not_expect_it() {
    fn raise() {
        // SAFETY: a number.
        unsafe { libc::raise(libc::SIGRTMAX()) };
    }
    let told = libc::SIGRTMAX();
    let error = Timeout::new(LONG).run(raise).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Signaled { signal, .. } if *signal == told));
    // Nor is a process tied that the body has forked.
    let status = Timeout::new(LONG).run(|| {
        fork_into_a_session(raise);
        let mut status = 0;
        // SAFETY: the number lives through the call.
        unsafe { libc::wait(&mut status) };
        status
    });
    assert_eq!(libc::WTERMSIG(status.unwrap()), told);
}

#[test]
fn a_call_outlives_its_thread_but_not_its_program() {
    assert_ends("thread ended", FAMILY + 2);
}

#[test]
fn a_program_that_the_body_became_ends_with_the_caller() {
    assert_ends("exec", 1);
}

/// Starts a caller on a terminal of its own, and gives the other side of it.
fn on_a_terminal(scenario: &str, register: &Register) -> (Child, File) {
    let (mut near, mut far) = (-1, -1);
    // SAFETY: the two numbers live through the call; nothing else is asked for.
    let opened =
        unsafe { libc::openpty(&mut near, &mut far, ptr::null_mut(), ptr::null(), ptr::null()) };
    assert_eq!(opened, 0);
    // SAFETY: they were just opened, and nobody else knows them.
    let (near, far) = unsafe { (OwnedFd::from_raw_fd(near), OwnedFd::from_raw_fd(far)) };
    let mut command = caller(scenario, register);
    let stream = || Stdio::from(far.try_clone().unwrap());
    command.stdin(stream()).stdout(stream()).stderr(stream());
    // SAFETY: system calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            // Whatever started the tests may ignore it (`nohup`, the shell's `&`).
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    (command.spawn().unwrap(), near.into())
}

#[test]
fn an_interrupt_from_the_terminal_ends_all() {
    let register = Register::new("terminal");
    let (mut caller, mut terminal) = on_a_terminal("terminal", &register);
    eventually("a family", || register.pids().len() > FAMILY);
    terminal.write_all(b"\x03").unwrap();
    assert!(!caller.wait().unwrap().success());
    eventually("the end of all", || register.living().is_empty());
}

/// It is stopped for that, as a background job, but not past its deadline.
#[test]
fn a_body_that_reads_from_the_terminal_times_out() {
    let register = Register::new("reads");
    let (mut caller, mut terminal) = on_a_terminal("reads", &register);
    let mut said = Vec::new();
    // The end of a terminal whose other side was closed is an error.
    let _ = terminal.read_to_end(&mut said);
    assert!(caller.wait().unwrap().success(), "{}", String::from_utf8_lossy(&said));
    assert_eq!(register.pids(), [caller.id()]);
}
