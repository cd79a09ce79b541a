//! Too few descriptors or processes: `Start`, nothing is lost by it, and calls work when it is over.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use timeout_runtime::{ErrorKind, StartMethod, Timeout};

use super::{AFRESH, METHODS};
use crate::support::{LONG, Traces, bound_processes, isolated};

fn value() -> u8 {
    7
}

/// A call that gives its value, or could not be started for this reason.
#[track_caller]
fn value_or_start(method: StartMethod, reason: i32) -> bool {
    match Timeout::new(LONG).start_method(method).call(value, ()) {
        Ok(value) => value == 7,
        Err(error) => {
            let ErrorKind::Start(cause) = error.kind() else { panic!("{method:?} {error:?}") };
            assert_eq!(cause.raw_os_error(), Some(reason), "{error}");
            assert_eq!(error.exit_code(), 125);
            false
        }
    }
}

fn limit_for(more: usize) -> u64 {
    let opened: Vec<_> = (0..=more).map(|_| File::open("/dev/null").unwrap()).collect();
    u64::try_from(opened[more].as_raw_fd()).unwrap()
}

#[test]
fn of_descriptors() {
    isolated(|| {
        for method in METHODS {
            // Started, and its worker ended again.
            assert!(value_or_start(method, 0));
            timeout_runtime::pool::shut_down();
            let before = Traces::now();
            let mut worked = Vec::new();
            for free in 0..12 {
                let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
                setrlimit(Resource::RLIMIT_NOFILE, limit_for(free), hard).unwrap();
                worked.push(value_or_start(method, libc::EMFILE));
                setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
                timeout_runtime::pool::shut_down();
                before.assert_unchanged();
            }
            assert!(!worked[0] && worked[11], "{method:?} {worked:?}");
            assert!(value_or_start(method, 0));
        }
    });
}

#[test]
fn of_processes() {
    isolated(|| {
        bound_processes(0);
        let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        let before = Traces::now();
        for method in METHODS {
            for _ in 0..3 {
                assert!(!value_or_start(method, libc::EAGAIN), "{method:?}");
            }
            before.assert_unchanged();
        }
        // Room for a child, and none for a thread of it.
        let (none, _) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        setrlimit(Resource::RLIMIT_NPROC, none + 1, hard).unwrap();
        for method in AFRESH {
            assert!(!value_or_start(method, libc::EAGAIN), "{method:?}");
            before.assert_unchanged();
        }
        setrlimit(Resource::RLIMIT_NPROC, hard, hard).unwrap();
        for method in METHODS {
            assert!(value_or_start(method, 0));
        }
        timeout_runtime::pool::shut_down();
        before.assert_unchanged();
    });
}

/// What is shared with a process that is started afresh counts as a file, and who makes one that is too long
/// would be ended by a signal.
#[test]
fn of_the_size_of_files() {
    isolated(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        let limit = |most| setrlimit(Resource::RLIMIT_FSIZE, most, hard).unwrap();
        for method in AFRESH {
            limit(1_024);
            let error = Timeout::new(LONG).start_method(method).call(value, ()).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Start(_)), "{method:?} {error:?}");
            assert!(error.to_string().contains("RLIMIT_FSIZE"), "{error}");
            limit(hard);
            assert!(value_or_start(method, 0));
        }
        // A worker that is there needs no more.
        limit(0);
        for name in ["TIMEOUT_TEST_SIZE", "TIMEOUT_TEST_SIZE_TOO"] {
            // SAFETY: no other thread looks at the environment.
            unsafe { std::env::set_var(name, "changed") };
            (0..3).for_each(|_| assert!(value_or_start(StartMethod::Pool, 0)));
        }
    });
}
