//! Children of `spawn` that are born of a nursery: when there is one, and what becomes of calls when it is
//! lost.

mod bodies;
mod inherited;

use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use timeout_runtime::{ErrorKind, StartMethod, Timeout, pool};

use self::bodies::counts;
use crate::family::Register;
use crate::support::{LONG, Traces, alone, eventually, is_running, isolated, spin};

fn spawn() -> Timeout {
    Timeout::new(LONG).start_method(StartMethod::Spawn)
}

/// Of a child that was started, the body has a thread of its own beside the first.
fn is_born() -> bool {
    fs::read_dir("/proc/self/task").unwrap().count() == 1
}

/// The children of this process, whichever of its threads has started them.
pub fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

/// Calls until there is a nursery, which is then the only child.
#[track_caller]
fn nursery() -> u32 {
    for _ in 0..2 {
        spawn().call(is_born, ()).unwrap();
    }
    let children = children();
    assert_eq!(children.len(), 1, "{children:?}");
    assert!(spawn().call(is_born, ()).unwrap());
    children[0]
}

#[test]
fn a_program_that_calls_once_has_no_nursery() {
    isolated(|| {
        let before = Traces::now();
        assert!(!spawn().call(is_born, ()).unwrap());
        before.assert_unchanged();
    });
}

#[test]
fn a_nursery_that_was_killed_is_replaced() {
    isolated(|| {
        for _ in 0..3 {
            let first = nursery();
            kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
            assert_eq!(spawn().call(counts, ()).unwrap().0, 0);
            assert!(!is_running(first));
        }
    });
}

#[test]
fn a_nursery_that_was_stopped_delays_a_call_by_a_moment_and_no_further() {
    isolated(|| {
        let first = nursery();
        let stop = |nursery: u32| kill(Pid::from_raw(nursery.cast_signed()), Signal::SIGSTOP);
        stop(first).unwrap();
        let start = Instant::now();
        assert_eq!(spawn().call(counts, ()).unwrap().0, 0);
        assert!(start.elapsed() >= Duration::from_millis(900) && start.elapsed() < LONG / 2);
        assert!(!is_running(first));
        let second = nursery();
        stop(second).unwrap();
        let error =
            Timeout::new(0.1).start_method(StartMethod::Spawn).call(counts, ()).unwrap_err();
        assert!(error.is_timeout() && error.elapsed() < Duration::from_millis(800), "{error:?}");
        assert!(!is_running(second));
        assert_eq!(children().len(), 0);
    });
}

/// One that hears of the request when the caller has given up: nothing comes of it.
#[test]
fn what_was_born_too_late_is_ended() {
    isolated(|| {
        for _ in 0..20 {
            let first = Pid::from_raw(nursery().cast_signed());
            kill(first, Signal::SIGSTOP).unwrap();
            let goes_on = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                let _ = kill(first, Signal::SIGCONT);
            });
            let timeout = Timeout::new(0.0201).start_method(StartMethod::Spawn);
            match timeout.call(counts, ()) {
                Ok((count, _)) => assert_eq!(count, 0),
                Err(error) => assert!(error.is_timeout(), "{error:?}"),
            }
            goes_on.join().unwrap();
            pool::shut_down();
            assert_eq!(children().len(), 0);
        }
    });
}

#[test]
fn threads_may_call_at_once() {
    isolated(|| {
        let before = Traces::now();
        thread::scope(|scope| {
            for number in 0..16u64 {
                scope.spawn(move || {
                    for step in 0..10 {
                        assert_eq!(spawn().call(sum, (number, step)).unwrap(), number + step);
                    }
                });
            }
        });
        assert!(children().len() <= 1);
        pool::shut_down();
        before.assert_unchanged();
    });
}

fn sum(a: u64, b: u64) -> u64 {
    a + b
}

#[test]
fn shutting_down_leaves_nothing() {
    isolated(|| {
        let before = Traces::now();
        for _ in 0..3 {
            let first = nursery();
            pool::shut_down();
            assert!(!is_running(first));
            before.assert_unchanged();
        }
    });
}

#[test]
fn one_for_which_there_is_no_use_ends_by_itself() {
    isolated(|| {
        let before = Traces::now();
        let first = nursery();
        eventually("the end of the nursery", || !is_running(first));
        eventually("the end of its keeper", || children().is_empty());
        pool::shut_down();
        before.assert_unchanged();
    });
}

#[test]
fn an_idle_one_ends() {
    isolated(|| {
        let before = Traces::now();
        let first = nursery();
        pool::Settings::new().idle(0.2).apply();
        eventually("the end of the nursery", || !is_running(first));
        eventually("the end of its keeper", || children().is_empty());
        pool::shut_down();
        before.assert_unchanged();
        // And for a program that wants none there is none.
        pool::Settings::new().idle(0).apply();
        for _ in 0..4 {
            assert!(!spawn().call(is_born, ()).unwrap());
        }
        before.assert_unchanged();
    });
}

const REGISTER: &str = "TIMEOUT_TEST_NURSERY_REGISTER";

/// The caller, in a process of its own. By itself it does nothing.
#[test]
fn a_caller_that_is_to_end() {
    let Ok(path) = env::var(REGISTER) else { return };
    let register = std::mem::ManuallyDrop::new(Register::at(path));
    let pid = thread::spawn(nursery_of_thread).join().unwrap();
    // It has a copy of all that this process holds, and outlives it.
    // SAFETY: the child sleeps, and ends.
    let bystander = unsafe { libc::fork() };
    if bystander == 0 {
        thread::sleep(LONG);
        process::exit(0);
    }
    register.write_down(bystander.unsigned_abs());
    register.write_down(pid);
    spin()
}

/// The kernel tells the nursery of the end of the thread that started it.
fn nursery_of_thread() -> u32 {
    nursery()
}

#[test]
fn it_ends_with_its_caller() {
    let register = Register::new("nursery killed");
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "methods::nursery::a_caller_that_is_to_end"]);
    command.env(REGISTER, register.path()).stdin(Stdio::null());
    let mut caller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("a nursery", || register.pids().len() == 2);
    let pids = register.pids();
    // It stays when the thread that started it has ended.
    thread::sleep(Duration::from_millis(50));
    assert!(is_running(pids[1]));
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually("its end", || !is_running(pids[1]));
    assert!(is_running(pids[0]));
    kill(Pid::from_raw(pids[0].cast_signed()), Signal::SIGKILL).unwrap();
    eventually("the end of all", || register.living().is_empty());
}

#[test]
fn a_forked_child_has_one_of_its_own() {
    isolated(|| {
        let ours = nursery();
        let theirs = Timeout::new(LONG).run(nursery).unwrap();
        assert_ne!(ours, theirs);
        assert!(!is_running(theirs));
        // SAFETY: the child makes calls, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_own = nursery() != ours;
            pool::shut_down();
            // SAFETY: it ends the process.
            unsafe { libc::_exit(if is_own { 7 } else { 1 }) };
        }
        let child = Pid::from_raw(child);
        let status = nix::sys::wait::waitpid(child, None).unwrap();
        assert_eq!(status, nix::sys::wait::WaitStatus::Exited(child, 7));
        assert!(spawn().call(is_born, ()).unwrap());
        assert_eq!(children(), [ours]);
    });
}

/// A program that reaps whatever it can.
#[test]
fn statuses_may_be_stolen_or_ignored() {
    isolated(|| {
        nursery();
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for _ in 0..5 {
            assert_eq!(spawn().call(counts, ()).unwrap(), (0, true));
        }
        assert!(matches!(spawn().call(exits, ()).unwrap_err().kind(), ErrorKind::Exited(3)));
        pool::shut_down();
        assert_eq!(children().len(), 0);
    });
}

fn exits() -> u8 {
    process::exit(3)
}

fn calls_thrice() -> u32 {
    for _ in 0..3 {
        assert_eq!(spawn().call(sum, (1, 2)).unwrap(), 3);
    }
    process::id()
}

/// It would be a process that the body has left behind.
#[test]
fn a_worker_has_no_nursery_and_is_kept() {
    isolated(|| {
        let pool = Timeout::new(LONG).start_method(StartMethod::Pool);
        let worker = pool.call(calls_thrice, ()).unwrap();
        assert_eq!(pool.call(calls_thrice, ()).unwrap(), worker);
    });
}

/// The processes that the nursery itself takes are not what a call fails for want of.
#[test]
fn a_shortage_of_processes_is_none_while_one_can_be_started() {
    alone("methods::nursery::a_shortage_of_processes_is_none_while_one_can_be_started", || {
        isolated(|| {
            crate::support::bound_processes(3);
            for _ in 0..6 {
                assert_eq!(spawn().call(counts, ()).unwrap().0, 0);
            }
            pool::shut_down();
        });
    });
}
