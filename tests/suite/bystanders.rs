//! What else there is in the caller's process: other people's handlers, runtimes and pools, and a
//! state of signals and streams that is not the usual one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use timeout_runtime::{ErrorKind, Timeout};

use crate::support::{LONG, Traces, beside, eventually, isolated, spin};

/// A value, a timeout, a panic, an exit and a crash.
fn mixed_ends(number: u32) {
    assert_eq!(Timeout::new(LONG).run(|| number.to_string()).unwrap(), number.to_string());
    assert!(Timeout::new(0.02).run(|| -> u8 { spin() }).unwrap_err().is_timeout());
    let panicked = Timeout::new(LONG).run(|| -> u8 { panic!("{number}") }).unwrap_err();
    assert!(panicked.to_string().ends_with(&format!(": {number}")), "{panicked}");
    let code = i32::try_from(number % 256).unwrap();
    // SAFETY: it ends the child, and takes no lock that a thread of the caller might hold.
    let exited = Timeout::new(LONG).run(|| -> u8 { unsafe { libc::_exit(code) } }).unwrap_err();
    assert!(matches!(exited.kind(), ErrorKind::Exited(seen) if *seen == code), "{exited}");
    let crashed = Timeout::new(LONG).run(|| -> u8 { std::process::abort() }).unwrap_err();
    let is_abort = matches!(crashed.kind(), ErrorKind::Signaled { signal: libc::SIGABRT, .. });
    assert!(is_abort, "{crashed}");
}

fn handle(signal: Signal, handler: extern "C" fn(i32), flags: SaFlags) {
    let action = SigAction::new(SigHandler::Handler(handler), flags, SigSet::empty());
    // SAFETY: the handlers of this file touch atomics alone.
    unsafe { sigaction(signal, &action) }.unwrap();
}

#[test]
fn a_handler_of_sigchld_sees_every_child_and_keeps_its_place() {
    static ENDED: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        ENDED.fetch_add(1, Ordering::Relaxed);
    }
    isolated(|| {
        handle(Signal::SIGCHLD, count, SaFlags::SA_RESTART);
        let before = Traces::now();
        // One after the other: two that end at once may be one signal.
        (0..5).for_each(mixed_ends);
        before.assert_unchanged();
        assert!(ENDED.load(Ordering::Relaxed) >= 25, "{ENDED:?}");
        // And the handler's owner finds its own children as always.
        let status = Command::new("sh").args(["-c", "exit 42"]).status().unwrap();
        assert_eq!(status.code(), Some(42));
    });
}

#[test]
fn signals_may_come_in_a_storm_that_restarts_calls_or_not() {
    extern "C" fn nothing(_: i32) {}
    isolated(|| {
        // SAFETY: it has no arguments.
        let target = unsafe { libc::pthread_self() };
        for flags in [SaFlags::SA_RESTART, SaFlags::empty()] {
            for signal in [Signal::SIGUSR1, Signal::SIGALRM, Signal::SIGURG] {
                handle(signal, nothing, flags);
            }
            let storm = |round: u32| {
                let signal = [libc::SIGUSR1, libc::SIGALRM, libc::SIGURG][round as usize % 3];
                // SAFETY: the target outlives the threads that this runs on.
                unsafe { libc::pthread_kill(target, signal) };
                thread::sleep(Duration::from_micros(100));
            };
            beside(&[&storm], || (0..5).for_each(mixed_ends));
        }
    });
}

#[test]
fn a_caller_may_have_every_signal_blocked() {
    isolated(|| {
        SigSet::all().thread_block().unwrap();
        let before = Traces::now();
        (0..2).for_each(mixed_ends);
        beside(&[&|_| thread::sleep(Duration::from_millis(1))], || (0..2).for_each(mixed_ends));
        before.assert_unchanged();
    });
}

#[test]
fn any_of_the_standard_streams_may_be_closed() {
    for closed in [&[0][..], &[1], &[2], &[1, 2], &[0, 1, 2]] {
        isolated(|| {
            for stream in closed {
                nix::unistd::close(*stream).unwrap();
            }
            let before = Traces::now();
            let is_open = |stream: &i32| Path::new(&format!("/proc/self/fd/{stream}")).exists();
            let ends = || {
                // A thread's first call asks whether it is captured, by way of stdout.
                let first = || Timeout::new(LONG).run(|| closed.iter().any(is_open));
                let open = thread::scope(|scope| scope.spawn(first).join().unwrap());
                assert!(!open.unwrap());
                mixed_ends(1);
                let value = Timeout::new(LONG).run(|| {
                    println!("into nothing");
                    eprintln!("into nothing");
                    9
                });
                assert_eq!(value.unwrap(), 9);
            };
            ends();
            beside(&[&|_| thread::sleep(Duration::from_millis(1))], ends);
            before.assert_unchanged();
        });
    }
}

/// As the other stream's test beside the caller's own says, for stderr.
#[test]
fn a_thread_that_holds_stderr_for_ever_costs_the_limit_not_more() {
    isolated(|| {
        let held = AtomicBool::new(false);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let lock = std::io::stderr().lock();
                held.store(true, Ordering::Release);
                while !over.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(1));
                }
                drop(lock);
            });
            eventually("the lock is held", || held.load(Ordering::Acquire));
            let error = Timeout::new(0.5).run(|| 1).unwrap_err();
            assert!(error.is_timeout() && error.elapsed() < LONG, "{error:?}");
            let error = Timeout::new(0.5).start(|| 1).unwrap_err();
            assert!(error.is_timeout() && error.elapsed() < LONG, "{error:?}");
            over.store(true, Ordering::Release);
        });
        assert_eq!(Timeout::new(LONG).run(|| 2).unwrap(), 2);
    });
}

#[test]
fn calls_work_inside_of_a_runtime() {
    isolated(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
        runtime.block_on(async {
            // On the thread that drives it, then on those for what blocks, then on its workers.
            mixed_ends(1);
            let blocking: Vec<_> = (0..8)
                .map(|number| tokio::task::spawn_blocking(move || mixed_ends(number)))
                .collect();
            let workers: Vec<_> =
                (0..4).map(|number| tokio::spawn(async move { mixed_ends(number) })).collect();
            for task in blocking.into_iter().chain(workers) {
                task.await.unwrap();
            }
        });
        let alone = tokio::runtime::Builder::new_current_thread().build().unwrap();
        alone.block_on(async { mixed_ends(2) });
    });
}

#[test]
fn calls_work_inside_of_a_pool() {
    use rayon::prelude::*;
    isolated(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let sum: u32 = pool.install(|| {
            (0..24u32)
                .into_par_iter()
                .map(|number| {
                    mixed_ends(number);
                    Timeout::new(LONG).run(|| number).unwrap()
                })
                .sum()
        });
        assert_eq!(sum, 23 * 24 / 2);
    });
}

#[test]
fn a_call_outlives_the_thread_that_started_it() {
    isolated(|| {
        let before = Traces::now();
        let (calls, started) = mpsc::channel();
        let starter = thread::spawn(move || {
            for number in 0..8u32 {
                let call = Timeout::new(LONG).start(move || {
                    thread::sleep(Duration::from_millis(200));
                    number
                });
                calls.send(call.unwrap()).unwrap();
            }
        });
        starter.join().unwrap();
        // The list of a thread's children goes to another thread with its end; so may the joins.
        let joined = thread::spawn(move || {
            started.into_iter().map(|call| call.join().unwrap()).sum::<u32>()
        });
        assert_eq!(joined.join().unwrap(), 28);
        before.assert_unchanged();
    });
}

/// The library's clock is `Instant`, which is monotonic: setting the wall clock moves no deadline.
/// A test may not set the clock of the machine it runs on, so this one sees to it that nothing
/// of the library asks the wall clock.
#[test]
fn no_part_of_the_library_asks_the_wall_clock() {
    fn look(folder: &Path) -> u32 {
        let mut looked = 0;
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                looked += look(&path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                for word in ["SystemTime", "CLOCK_REALTIME", "gettimeofday", "UNIX_EPOCH"] {
                    assert!(!source.contains(word), "{word} in {}", path.display());
                }
                looked += 1;
            }
        }
        looked
    }
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("timeout-runtime/src");
    assert!(look(&library) > 20);
}
