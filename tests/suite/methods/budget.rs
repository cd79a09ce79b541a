//! Limits on memory and on processor time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use timeout_runtime::{Error, ErrorKind, StartMethod, Timeout, timeout};

use super::{METHODS, each, three_times};
use crate::support::{LONG, isolated, spin};

const MIB: u64 = 1 << 20;

fn limited(method: StartMethod) -> Timeout {
    Timeout::new(LONG).start_method(method)
}

fn allocated(bytes: u64) -> u64 {
    let bytes = usize::try_from(bytes).unwrap();
    black_box(vec![1u8; bytes]).iter().map(|byte| u64::from(*byte)).sum()
}

fn in_small_pieces() -> usize {
    let mut pieces = Vec::new();
    loop {
        pieces.push(black_box(Box::new([1u64; 512])));
    }
}

/// A body that can do with what it gets.
fn reserved(bytes: u64) -> bool {
    Vec::<u8>::new().try_reserve_exact(usize::try_from(bytes).unwrap()).is_ok()
}

fn spun() {
    spin()
}

/// Of the processor's time.
fn used(duration: Duration) {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let started = now();
    while now() - started < duration {}
}

/// Goes on when SIGXCPU comes.
fn ignores_sigxcpu() {
    // SAFETY: numbers.
    unsafe { libc::signal(libc::SIGXCPU, libc::SIG_IGN) };
    spin()
}

fn assert_for_memory(error: &Error, limit: u64) {
    let ErrorKind::MemoryExceeded { limit: seen } = error.kind() else { panic!("{error:?}") };
    assert_eq!(*seen, limit);
    assert_eq!(error.exit_code(), 134);
    let text = error.to_string();
    let said = format!("needed more memory than the {} MiB it may take (", limit / MIB);
    assert!(text.contains(&said) && text.contains("peak "), "{text}");
}

#[test]
fn a_body_that_takes_more_memory_fails_and_says_so() {
    for method in METHODS {
        let timeout = limited(method).memory(64 * MIB);
        // At once, and a little at a time.
        let error = timeout.call(allocated, (1024 * MIB,)).unwrap_err();
        assert_for_memory(&error, 64 * MIB);
        let error = timeout.call(in_small_pieces, ()).unwrap_err();
        assert_for_memory(&error, 64 * MIB);
        assert!(error.usage().unwrap().peak_memory() > 48 * MIB, "{method:?} {error}");
        // What it takes less than that it gets, and the next call too.
        for _ in 0..2 {
            assert_eq!(timeout.call(allocated, (16 * MIB,)).unwrap(), 16 * MIB);
        }
    }
}

#[test]
fn a_body_may_do_with_what_memory_it_gets() {
    for method in METHODS {
        assert!(!limited(method).memory(64 * MIB).call(reserved, (256 * MIB,)).unwrap());
        // The limit was that call's.
        assert!(limited(method).call(reserved, (256 * MIB,)).unwrap(), "{method:?}");
    }
}

fn aborts() {
    std::process::abort()
}

/// An abort of the body's own is no want of memory.
#[test]
fn another_abort_under_a_memory_limit_stays_one() {
    for method in METHODS {
        let error = limited(method).memory(64 * MIB).call(aborts, ()).unwrap_err();
        let is_abort = matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGABRT, .. });
        assert!(is_abort, "{method:?} {error}");
    }
}

#[test]
fn a_body_that_uses_up_its_processor_time_fails_and_says_so() {
    for method in METHODS {
        let started = Instant::now();
        let error = limited(method).cpu(1).call(spun, ()).unwrap_err();
        let ErrorKind::CpuExceeded { limit } = error.kind() else { panic!("{method:?} {error:?}") };
        assert_eq!(*limit, Duration::from_secs(1));
        assert!(!error.is_timeout());
        assert_eq!(error.exit_code(), 152);
        let text = error.to_string();
        assert!(text.contains("used up its CPU limit of 1 s ("), "{text}");
        assert!(
            error.usage().unwrap().cpu_time() >= Duration::from_millis(900),
            "{method:?} {text}"
        );
        assert!(started.elapsed() >= Duration::from_millis(500), "{method:?} {text}");
    }
}

#[test]
fn a_body_that_ignores_sigxcpu_is_ended_as_well() {
    for method in METHODS {
        let error = limited(method).cpu(1).call(ignores_sigxcpu, ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CpuExceeded { .. }), "{method:?} {error:?}");
    }
}

/// Each call has all of it, whatever the worker's calls before it used.
#[test]
fn a_processor_limit_counts_from_the_call() {
    // Where there is one worker.
    isolated(|| {
        for method in METHODS {
            for _ in 0..3 {
                let used = limited(method).cpu(2).call(used, (Duration::from_millis(800),));
                assert!(used.is_ok(), "{method:?} {used:?}");
            }
            // And is no limit of a call that has none.
            let used = limited(method).call(used, (Duration::from_millis(2500),));
            assert!(used.is_ok(), "{method:?} {used:?}");
        }
    });
}

#[test]
fn a_processor_limit_of_zero_starts_no_body_and_a_negative_one_is_none() {
    for method in METHODS {
        let error = limited(method).cpu(0).call(spun, ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CpuExceeded { .. }), "{method:?} {error:?}");
        let error = limited(method).cpu(-1).call(spun, ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidLimit), "{method:?} {error:?}");
        let text = error.to_string();
        assert!(text.contains("its CPU limit of -1 s is no duration"), "{text}");
    }
}

macro_rules! decorated {
    ($method:literal) => {
        #[timeout(60, start = $method, memory = most, cpu = 60)]
        pub fn filled(most: u64, bytes: u64) -> u64 {
            allocated(bytes)
        }

        #[timeout(60, start = $method, cpu = 0.5)]
        pub fn endless() {
            spin()
        }
    };
}

three_times!(attribute, decorated);

#[test]
fn the_attribute_has_keys_for_both() {
    each!(attribute, {
        let error = endless().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CpuExceeded { .. }), "{error:?}");
        assert_eq!(filled(32 * MIB, MIB).unwrap(), MIB);
        let error = filled(32 * MIB, 64 * MIB).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::MemoryExceeded { .. }), "{error:?}");
    });
}
