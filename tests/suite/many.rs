//! Many calls at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};
use timeout_runtime::{ErrorKind, Timeout};

use crate::support::{LONG, Traces, isolated, spin};

/// One of ten ends.
fn mixed_end(number: u64) {
    let timeout = Timeout::new(LONG);
    match number % 10 {
        0 => assert_eq!(timeout.run(|| number).unwrap(), number),
        1 => {
            let error = timeout.run(|| -> u8 { panic!("{number}") }).unwrap_err();
            assert!(error.to_string().ends_with(&format!(": {number}")), "{error}");
        }
        2 => {
            let code = i32::try_from(number % 200).unwrap();
            let error = timeout.run(|| -> u8 { std::process::exit(code) }).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Exited(seen) if *seen == code), "{error}");
        }
        3 => {
            let error = Timeout::new(0.01).run(|| -> u8 { spin() }).unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
        4 => {
            let text = timeout.run(|| number.to_string().repeat(20_000)).unwrap();
            assert!(text.starts_with(&number.to_string()) && text.len() >= 20_000);
        }
        5 => {
            let error = timeout.run(|| -> u8 { std::process::abort() }).unwrap_err();
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Signaled { signal: libc::SIGABRT, .. }), "{error}");
        }
        6 => drop(timeout.start(|| -> u8 { spin() }).unwrap()),
        7 => {
            let mut call = timeout.start(|| -> u8 { spin() }).unwrap();
            assert!(call.pending());
            call.cancel();
            let error = call.join().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error}");
        }
        8 => assert!(Timeout::new(0).run(|| number).unwrap_err().is_timeout()),
        _ => assert_eq!(timeout.run(|| leaves_one_running(number)).unwrap(), number),
    }
}

fn leaves_one_running(number: u64) -> u64 {
    // SAFETY: the new process does nothing but wait for its end.
    unsafe {
        if libc::fork() == 0 {
            loop {
                libc::pause();
            }
        }
    }
    number
}

/// Runs `work` on so many threads at once. No thread starts or ends meanwhile: at those moments it
/// holds a lock of the standard library, which `process::exit` in a body takes too (see the limits
/// in the README).
fn side_by_side(threads: u64, work: impl Fn(u64) + Sync) {
    let barrier = Barrier::new(usize::try_from(threads).unwrap());
    thread::scope(|scope| {
        for number in 0..threads {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                let result = catch_unwind(AssertUnwindSafe(|| work(number)));
                barrier.wait();
                result.unwrap();
            });
        }
    });
}

/// The long form of this is the example `soak`.
#[test]
fn two_thousand_calls_of_mixed_ends_leave_the_process_as_it_was() {
    isolated(|| {
        let before = Traces::now();
        side_by_side(8, |thread| (0..250).for_each(|call| mixed_end(thread * 1000 + call)));
        before.assert_unchanged();
    });
}

#[test]
fn sixty_four_threads_call_at_once() {
    isolated(|| {
        side_by_side(64, |number| {
            assert_eq!(Timeout::new(LONG).run(|| number * number).unwrap(), number * number);
        });
    });
}

#[test]
fn no_call_waits_for_the_child_of_another() {
    isolated(|| {
        // Started first and in between: every later child holds copies of their pipes.
        let long: Vec<_> =
            (0..8).map(|_| Timeout::new(10 * LONG).start(|| -> u8 { spin() }).unwrap()).collect();
        let started = Instant::now();
        side_by_side(4, |thread| (0..10).for_each(|call| mixed_end(thread * 1000 + call)));
        assert!(started.elapsed() < LONG);
        for mut call in long {
            assert!(call.pending());
            call.cancel();
            assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Cancelled));
        }
    });
}

#[test]
fn a_result_of_any_size_reaches_a_slow_caller() {
    #[derive(Serialize)]
    struct Slow(String);
    impl<'de> Deserialize<'de> for Slow {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            thread::sleep(Duration::from_millis(200));
            String::deserialize(deserializer).map(Self)
        }
    }
    const PIPE: usize = 64 << 10;
    for size in [PIPE - 1, PIPE, PIPE + 1, 256 << 20] {
        let text = Timeout::new(LONG).run(|| Slow("y".repeat(size))).unwrap().0;
        assert!(text.len() == size && text.ends_with('y'), "{size}");
    }
}
