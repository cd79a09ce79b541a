//! Bodies that do all that a copy of the caller could not, in a caller whose other threads hold, at any
//! moment, whatever locks there are.
//!
//! The caller is a process of its own, for in a copy of the harness a thread pool may have lost its
//! threads. The storm that changes the environment is not beside one that resolves names: the C library
//! reads the environment without a lock.

use std::os::fd::AsFd;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use std::{env, io, thread};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use timeout_runtime::{ErrorKind, StartMethod, Timeout};
use tokio::runtime::{self, Runtime};

use super::AFRESH;
use crate::storms::{
    Storm, allocate, change_environment, log, panic_now, print, print_to_nowhere, resolve,
    start_a_thread,
};
use crate::support::{LONG, beside, calls_or, isolated_for, text};

/// How many calls each of the threads makes that make any.
fn calls() -> u64 {
    calls_or(22)
}

const CALLERS: u64 = 3;

const MOMENT: Duration = Duration::from_micros(100);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Does {
    Print,
    Allocate,
    Log,
    Resolve,
    UseAThreadPool,
    UseATimer,
    UseABlockingThread,
    ChangeTheEnvironment,
    StartThreads,
    StartAProgram,
    Panic,
}

const ALL: [Does; 11] = [
    Does::Print,
    Does::Allocate,
    Does::Log,
    Does::Resolve,
    Does::UseAThreadPool,
    Does::UseATimer,
    Does::UseABlockingThread,
    Does::ChangeTheEnvironment,
    Does::StartThreads,
    Does::StartAProgram,
    Does::Panic,
];

fn body(does: Does, number: u32) -> u32 {
    match does {
        Does::Print => print(number),
        Does::Allocate => allocate(number),
        Does::Log => log(number),
        Does::Resolve => resolve(number),
        Does::UseAThreadPool => use_the_thread_pool(number),
        Does::UseATimer => in_a_runtime(async { tokio::time::sleep(MOMENT).await }),
        Does::UseABlockingThread => {
            let blocking = async { tokio::task::spawn_blocking(move || 2 * number).await };
            return in_a_runtime(blocking).unwrap() / 2;
        }
        Does::ChangeTheEnvironment => {
            let name = format!("BODY_{}", number % 8);
            // SAFETY: nothing else of this process reads or changes it now.
            unsafe { env::set_var(&name, number.to_string()) };
            return env::var(&name).unwrap().parse().unwrap();
        }
        Does::StartThreads => thread::scope(|scope| {
            let threads = [0; 3].map(|zero| scope.spawn(move || number + zero));
            assert!(threads.into_iter().all(|thread| thread.join().unwrap() == number));
        }),
        Does::StartAProgram => assert!(Command::new("true").status().unwrap().success()),
        Does::Panic => panic!("that of {number}"),
    }
    number
}

fn in_a_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

fn use_the_thread_pool(round: u32) {
    let round = u64::from(round);
    assert_eq!((0..1_000).into_par_iter().map(|n| n + round).sum::<u64>(), 499_500 + 1_000 * round);
}

fn use_the_runtime(round: u32) {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let tasks = async {
        let timer = tokio::spawn(tokio::time::sleep(MOMENT));
        let blocking = tokio::task::spawn_blocking(move || round);
        timer.await.is_ok() && blocking.await.unwrap() == round
    };
    assert!(RUNTIME.block_on(tasks));
}

/// What went wrong, if anything did.
fn call(method: StartMethod, does: Does, number: u32) -> Result<(), String> {
    let result = Timeout::new(LONG).start_method(method).call(body, (does, number));
    let is_right = match (&result, does) {
        (Err(error), Does::Panic) => {
            matches!(error.kind(), ErrorKind::Panicked { message, .. } if *message == format!("that of {number}"))
        }
        (result, _) => matches!(result, Ok(value) if *value == number),
    };
    if is_right { Ok(()) } else { Err(format!("{method:?} {does:?} {number}: {result:#?}")) }
}

fn make_calls() -> Result<(), String> {
    let mut all = (0..calls() as u32).map(|number| (number, ALL[number as usize % ALL.len()]));
    // Each body by one method in one round, and by the other in the next.
    let method =
        |number: u32| AFRESH[(number as usize / ALL.len() + number as usize % ALL.len()) % 2];
    all.try_for_each(|(number, does)| call(method(number), does, number))
}

/// `name` is that of the test.
#[track_caller]
fn weather(name: &str, storms: &[Storm]) {
    const INNER: &str = "TIMEOUT_TEST_WORKERS";
    if env::var_os(INNER).is_some() {
        let errors = io::stderr().as_fd().try_clone_to_owned().unwrap();
        print_to_nowhere();
        let mut results: Vec<Result<(), String>> = Vec::new();
        beside(storms, || {
            results = thread::scope(|scope| {
                let callers = (0..CALLERS).map(|_| scope.spawn(make_calls)).collect::<Vec<_>>();
                callers.into_iter().map(|caller| caller.join().unwrap()).collect()
            });
        });
        nix::unistd::dup2_stderr(errors).unwrap();
        results.into_iter().for_each(|result| assert_eq!(result, Ok(())));
        return;
    }
    isolated_for(5 * LONG + Duration::from_millis(CALLERS * 200 * calls()), || {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", name])
            .envs([(INNER, "1"), ("RUST_BACKTRACE", "1")])
            .output()
            .unwrap();
        let said = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(output.status.success(), "{said}");
    });
}

#[test]
fn of_streams_and_panics() {
    weather("methods::storms::of_streams_and_panics", &[&print, &log, &panic_now]);
}

#[test]
fn of_pools_and_names() {
    let storms: &[Storm] =
        &[&use_the_thread_pool, &use_the_runtime, &resolve, &start_a_thread, &allocate];
    weather("methods::storms::of_pools_and_names", storms);
}

#[test]
fn of_the_environment_and_all_but_names() {
    let storms: &[Storm] = &[
        &change_environment,
        &print,
        &allocate,
        &panic_now,
        &log,
        &use_the_thread_pool,
        &use_the_runtime,
    ];
    weather("methods::storms::of_the_environment_and_all_but_names", storms);
}
