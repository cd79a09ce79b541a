//! Nothing that a body has started is left, however the call ends.

use std::fs::File;
use std::process::{self, Command, Stdio};
use std::{env, thread};

use serde::{Deserialize, Serialize};
use timeout_runtime::{StartMethod, Timeout};

use super::METHODS;
use crate::family::{FAMILY, Register, found_a_family};
use crate::support::{LONG, eventually, isolated, spin};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Then {
    Return,
    Panic,
    Exit,
    Hang,
}

fn founds(register: String, then: Then) -> u8 {
    let register = std::mem::ManuallyDrop::new(Register::at(register));
    found_a_family(&register);
    register.write_down(process::id());
    match then {
        Then::Return => 1,
        Then::Panic => panic!("over"),
        Then::Exit => process::exit(3),
        Then::Hang => spin(),
    }
}

fn path(register: &Register) -> String {
    register.path().to_str().unwrap().to_owned()
}

#[test]
fn all_that_a_body_started_ends_with_the_call() {
    for method in METHODS {
        for then in [Then::Return, Then::Panic, Then::Exit, Then::Hang] {
            let register = Register::new(&format!("method {method:?} {then:?}"));
            let limit = if let Then::Hang = then { 3 } else { 60 };
            let timeout = Timeout::new(limit).grace(0.2).start_method(method);
            let result = timeout.call(founds, (path(&register), then));
            match then {
                Then::Return => assert_eq!(result.unwrap(), 1, "{method:?}"),
                _ => assert_eq!(result.unwrap_err().is_timeout(), limit == 3, "{method:?}"),
            }
            // The worker too: it is not used for another call.
            register.assert_all_dead(FAMILY + 1);
        }
    }
}

const SCENARIO: &str = "TIMEOUT_TEST_METHODS_CALLER";
const REGISTER: &str = "TIMEOUT_TEST_METHODS_REGISTER";

/// The caller, in a process of its own. By itself it does nothing.
#[test]
fn a_caller_that_is_to_end() {
    let Ok(scenario) = env::var(SCENARIO) else { return };
    let register = std::mem::ManuallyDrop::new(Register::at(env::var(REGISTER).unwrap()));
    let pool = Timeout::new(10 * LONG).start_method(StartMethod::Pool);
    match &*scenario {
        "idle" => {
            let pid = pool.call(process::id, ()).unwrap();
            (0..FAMILY).for_each(|_| register.write_down(pid));
            register.write_down(pid);
            spin()
        }
        "of another thread" => {
            // The kernel tells of the end of the thread that started it too.
            let pid = thread::spawn(move || pool.call(process::id, ()).unwrap()).join().unwrap();
            assert_eq!(pool.call(process::id, ()).unwrap(), pid);
            drop(pool.call(founds, (path(&register), Then::Hang)));
        }
        "exits" => {
            register.write_down(pool.call(process::id, ()).unwrap());
            process::exit(0)
        }
        "awaited" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            drop(runtime.unwrap().block_on(becomes_another_awaited(path(&register))));
        }
        scenario if scenario.starts_with("becomes ") => {
            let method = METHODS[scenario["becomes ".len()..].parse::<usize>().unwrap()];
            let timeout = Timeout::new(10 * LONG).start_method(method);
            drop(timeout.call(becomes_another, (path(&register),)));
        }
        number => {
            let method = METHODS[number.parse::<usize>().unwrap()];
            let timeout = Timeout::new(10 * LONG).start_method(method);
            drop(timeout.call(founds, (path(&register), Then::Hang)));
        }
    }
}

/// A program without a handler for anything, in as many words as a family has.
fn becomes_another(register: String) -> u8 {
    let register = std::mem::ManuallyDrop::new(Register::at(register));
    (0..=FAMILY).for_each(|_| register.write_down(process::id()));
    let failed = nix::unistd::execv(c"/bin/sleep", &[c"sleep", c"600"]);
    panic!("{failed:?}")
}

#[timeout_runtime::timeout(10 * LONG, start = "fork")]
async fn becomes_another_awaited(register: String) -> u8 {
    becomes_another(register)
}

fn caller(scenario: &str, register: &Register) -> process::Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "methods::left::a_caller_that_is_to_end"]);
    command.env(SCENARIO, scenario).env(REGISTER, register.path());
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_killed_caller_takes_all_along() {
    let becomes = ["becomes 0", "becomes 1", "becomes 2", "awaited"];
    for scenario in ["0", "1", "2", "idle", "of another thread"].into_iter().chain(becomes) {
        let register = Register::new(&format!("methods killed {scenario}"));
        let mut caller = caller(scenario, &register);
        eventually("a family", || register.pids().len() > FAMILY);
        if becomes.contains(&scenario) {
            let name = format!("/proc/{}/comm", register.pids()[0]);
            eventually("another program", || std::fs::read(&name).unwrap() == b"sleep\n");
        }
        caller.kill().unwrap();
        caller.wait().unwrap();
        eventually(&format!("the end of all: {scenario}"), || register.living().is_empty());
    }
}

#[test]
fn an_idle_worker_ends_when_its_caller_exits() {
    let register = Register::new("methods exits");
    assert!(caller("exits", &register).wait().unwrap().success());
    eventually("the end of the worker", || register.living().is_empty());
    assert_eq!(register.pids().len(), 1);
}

/// What is open above the standard streams.
fn open() -> Vec<String> {
    let open = crate::support::descriptors().into_iter();
    open.filter(|link| {
        !["0", "1", "2"].iter().any(|n| link.starts_with(&format!("/proc/self/fd/{n} ")))
    })
    .collect()
}

#[test]
fn descriptors_of_the_caller_are_not_inherited() {
    isolated(|| {
        let path = env::current_exe().unwrap();
        let file = File::open(&path).unwrap();
        // A C library does not close what it opens on exec.
        let no_flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
        nix::fcntl::fcntl(&file, no_flags).unwrap();
        for method in super::AFRESH {
            let open = Timeout::new(LONG).start_method(method).call(open, ()).unwrap();
            let of_file = open.iter().filter(|link| link.ends_with(path.to_str().unwrap()));
            assert_eq!(of_file.count(), 0, "{method:?} {open:#?}");
            assert!(open.len() <= 4, "{method:?} {open:#?}");
        }
    });
}
