//! Calls in a caller whose other threads hold, at any moment, whatever locks there are.
//!
//! Each storm takes other locks: of the standard library, of the C library, of the test. The body
//! prints a line and returns, so what could hang is the library's own part and the output streams.
//! It neither starts threads nor exits by itself: the lock which that takes is a known limit.

use std::fs::File;
use std::io::{Write, stderr};
use std::net::ToSocketAddrs;
use std::panic::catch_unwind;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, thread};

use timeout_runtime::{ErrorKind, Timeout};

use crate::support::{LONG, Traces, beside, calls_or, isolated_for, text};

/// How many calls each storm gets.
fn calls() -> u64 {
    calls_or(100)
}

pub type Storm = &'static (dyn Fn(u32) + Sync);

/// Both streams lead nowhere, so that a line costs no more than its locks.
pub fn print_to_nowhere() {
    let null = File::options().write(true).open("/dev/null").unwrap();
    nix::unistd::dup2_stdout(&null).unwrap();
    nix::unistd::dup2_stderr(&null).unwrap();
}

/// Makes the calls. Every tenth panics, for the panic hook has locks of its own.
fn make_calls() {
    for number in 0..calls() {
        let result = Timeout::new(LONG).run(|| {
            println!("a line of the child {number}");
            eprintln!("and one of its errors");
            assert!(number % 10 != 9, "the tenth");
            number
        });
        match result {
            Ok(value) => assert!(value == number && number % 10 != 9),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Panicked { .. }), "{number}: {error:#}");
                assert!(error.to_string().contains("the tenth") && number % 10 == 9, "{error:#}");
            }
        }
    }
}

#[track_caller]
fn weather(storms: &[Storm]) {
    isolated_for(5 * LONG + Duration::from_millis(100 * calls()), || {
        print_to_nowhere();
        beside(storms, || {
            Timeout::new(LONG).run(|| 1).unwrap();
            let before = Traces::now();
            make_calls();
            // Of the threads and descriptors of a storm there are now more, now less.
            assert_eq!(before.handlers_and_mask(), Traces::now().handlers_and_mask());
        });
    });
}

pub fn print(round: u32) {
    println!("a line of a storm {round}");
    eprintln!("an error of a storm {round}");
}

pub fn allocate(round: u32) {
    let size = round as usize % 8192;
    let pieces: Vec<_> = (0..64).map(|n| vec![0u8; n * 97 + size]).collect();
    std::hint::black_box(pieces);
}

pub fn panic_now(round: u32) {
    let _ = catch_unwind(|| panic!("of a storm {round}"));
}

/// By the standard library, whose lock keeps readers and writers apart.
pub fn change_environment(round: u32) {
    let name = format!("STORM_{}", round % 64);
    // SAFETY: beside no storm that reads the environment in another way, as resolving names does.
    unsafe { env::set_var(&name, "x".repeat(round as usize % 100)) };
    let _ = env::var(&name);
}

/// By the C library, under its lock alone.
fn change_c_environment(round: u32) {
    let name = std::ffi::CString::new(format!("C_STORM_{}", round % 64)).unwrap();
    // SAFETY: the names live through the calls, which lock each other out; nothing in this process
    // reads the environment.
    unsafe {
        libc::setenv(name.as_ptr(), c"value".as_ptr(), 1);
        if round.is_multiple_of(3) {
            libc::unsetenv(name.as_ptr());
        }
    }
}

pub fn log(round: u32) {
    static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut line = LOG.lock().unwrap();
    line.clear();
    writeln!(line, "{round}: logged under a lock").unwrap();
    stderr().lock().write_all(&line).unwrap();
}

pub fn resolve(_: u32) {
    let _ = ("localhost", 80).to_socket_addrs();
}

fn run_a_program(_: u32) {
    assert!(Command::new("true").status().unwrap().success());
}

fn fork_by_itself(_: u32) {
    // SAFETY: the child calls `_exit` alone.
    unsafe {
        match libc::fork() {
            0 => libc::_exit(0),
            child => libc::waitpid(child, std::ptr::null_mut(), 0),
        };
    }
}

pub fn start_a_thread(round: u32) {
    assert_eq!(thread::spawn(move || round).join().unwrap(), round);
}

#[test]
fn of_printing() {
    weather(&[&print, &print]);
}

#[test]
fn of_allocating() {
    weather(&[&allocate, &allocate]);
}

#[test]
fn of_the_environment() {
    weather(&[&change_environment, &change_environment]);
}

#[test]
fn of_the_c_environment() {
    weather(&[&change_c_environment, &change_c_environment]);
}

#[test]
fn of_logging() {
    weather(&[&log, &log]);
}

#[test]
fn of_resolving() {
    weather(&[&resolve, &resolve]);
}

#[test]
fn of_programs() {
    weather(&[&run_a_program, &run_a_program]);
}

#[test]
fn of_forks() {
    weather(&[&fork_by_itself, &fork_by_itself]);
}

#[test]
fn of_threads() {
    weather(&[&start_a_thread, &start_a_thread]);
}

/// Runs one test of this file with backtraces on; what it prints is nobody's.
#[track_caller]
fn with_backtraces(name: &str, storms: &[Storm]) {
    const INNER: &str = "TIMEOUT_TEST_STORM";
    if env::var_os(INNER).is_some() {
        return weather(storms);
    }
    for value in ["1", "full"] {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", name])
            .envs([(INNER, "1"), ("RUST_BACKTRACE", value)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{value}: {}", text(&output.stdout));
    }
}

#[test]
fn of_panics_with_backtraces() {
    with_backtraces("storms::of_panics_with_backtraces", &[&panic_now, &panic_now]);
}

/// But for those that change the environment, which the C library's resolver reads without a lock.
#[test]
fn of_all_at_once() {
    with_backtraces(
        "storms::of_all_at_once",
        &[
            &print,
            &allocate,
            &panic_now,
            &log,
            &resolve,
            &run_a_program,
            &fork_by_itself,
            &start_a_thread,
        ],
    );
}

#[test]
fn of_all_but_names_at_once() {
    with_backtraces(
        "storms::of_all_but_names_at_once",
        &[
            &print,
            &allocate,
            &panic_now,
            &change_environment,
            &log,
            &run_a_program,
            &fork_by_itself,
            &start_a_thread,
        ],
    );
}
