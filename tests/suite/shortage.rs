//! Too few descriptors, processes or bytes: `Start`, or what fits; nothing is lost by it, and when
//! the shortage is over, calls work.

use std::fs::File;
use std::io::{Write, stdout};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use timeout_runtime::{ErrorKind, Timeout};

use crate::support::{LONG, Traces, address_space, beside, bound_processes, isolated, spin};

/// With so much more of a resource than is in use.
fn with_only<T>(resource: Resource, limit: u64, work: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(resource).unwrap();
    setrlimit(resource, limit.min(hard), hard).unwrap();
    let result = work();
    setrlimit(resource, soft, hard).unwrap();
    result
}

/// A call that gives its value, or could not be started for this reason.
#[track_caller]
fn value_or_start(reason: i32) -> bool {
    match Timeout::new(LONG).run(|| 7) {
        Ok(value) => value == 7,
        Err(error) => {
            let ErrorKind::Start(cause) = error.kind() else { panic!("{error:?}") };
            assert_eq!(cause.raw_os_error(), Some(reason), "{error}");
            false
        }
    }
}

/// The limit under which so many more descriptors can be opened. Each takes the lowest number that
/// is free, and not all below the highest are taken.
fn limit_for(more: usize) -> u64 {
    let opened: Vec<_> = (0..=more).map(|_| File::open("/dev/null").unwrap()).collect();
    u64::try_from(opened[more].as_raw_fd()).unwrap()
}

/// Holds stdout most of the time, so that a call needs a thread that waits for it.
fn hold_stdout(_: u32) {
    let mut stdout = stdout().lock();
    thread::sleep(Duration::from_millis(20));
    let _ = stdout.write_all(b"");
}

#[test]
fn of_descriptors_in_a_program_with_threads() {
    isolated(|| {
        for other in
            [&|_| thread::sleep(Duration::from_millis(1)), &hold_stdout as &(dyn Fn(u32) + Sync)]
        {
            beside(&[other], || {
                Timeout::new(LONG).run(|| 1).unwrap();
                let before = Traces::now();
                let mut worked = Vec::new();
                for free in 0..6 {
                    worked.push(with_only(Resource::RLIMIT_NOFILE, limit_for(free), || {
                        value_or_start(libc::EMFILE)
                    }));
                    before.assert_unchanged();
                }
                assert!(!worked[0] && worked[5], "{worked:?}");
                assert_eq!(Timeout::new(LONG).run(|| 8).unwrap(), 8);
            });
        }
    });
}

/// A child that has not come to its body, and says nothing, is no end of the body's.
#[test]
fn of_descriptors_in_the_child_before_the_body() {
    static IS_SHORT: AtomicBool = AtomicBool::new(false);
    extern "C" fn leave_none() {
        if IS_SHORT.load(Ordering::Relaxed) {
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, 3, hard).unwrap();
        }
    }
    isolated(|| {
        // SAFETY: the function makes system calls alone, in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(leave_none)) };
        beside(&[&|_| thread::sleep(Duration::from_millis(1))], || {
            assert_eq!(Timeout::new(LONG).run(|| 7).unwrap(), 7);
            IS_SHORT.store(true, Ordering::Relaxed);
            let before = Traces::now();
            let run = Timeout::new(LONG).run(|| 8).unwrap_err();
            let start = Timeout::new(LONG).start(|| 8).unwrap_err();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let awaited = Timeout::new(LONG).run_async(|| 8);
            let awaited = runtime.unwrap().block_on(awaited).unwrap_err();
            for error in [run, start, awaited] {
                let ErrorKind::Start(cause) = error.kind() else { panic!("{error:?}") };
                assert!(cause.to_string().contains("made ready"), "{cause}");
            }
            before.assert_unchanged();
            IS_SHORT.store(false, Ordering::Relaxed);
            assert_eq!(Timeout::new(LONG).run(|| 9).unwrap(), 9);
        });
    });
}

#[test]
fn of_processes() {
    isolated(|| {
        bound_processes(0);
        let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        let before = Traces::now();
        assert!(!value_or_start(libc::EAGAIN));
        let error = Timeout::new(LONG).start(|| -> u8 { spin() }).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Start(_)), "{error:?}");
        assert_eq!(error.exit_code(), 125);
        before.assert_unchanged();
        setrlimit(Resource::RLIMIT_NPROC, hard, hard).unwrap();
        assert_eq!(Timeout::new(LONG).run(|| 8).unwrap(), 8);
        before.assert_unchanged();
    });
}

/// Where a stream is held, a call needs a thread and then a process.
#[test]
fn of_processes_while_a_stream_is_held() {
    isolated(|| {
        bound_processes(2);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        beside(&[&hold_stdout], || {
            let before = Traces::now();
            for more in 0..3 {
                setrlimit(Resource::RLIMIT_NPROC, soft - 1 + more, hard).unwrap();
                for _ in 0..3 {
                    let worked = value_or_start(libc::EAGAIN);
                    assert!(more > 0 || !worked);
                    before.assert_unchanged();
                }
            }
            setrlimit(Resource::RLIMIT_NPROC, hard, hard).unwrap();
            assert_eq!(Timeout::new(LONG).run(|| 8).unwrap(), 8);
            before.assert_unchanged();
        });
    });
}

#[test]
fn of_processes_in_the_body_is_the_bodys_affair() {
    isolated(|| {
        bound_processes(1);
        let said = Timeout::new(LONG).run(|| {
            let refused = std::process::Command::new("true").status().unwrap_err();
            let nested = Timeout::new(LONG).run(|| 1).unwrap_err();
            (refused.raw_os_error(), matches!(nested.kind(), ErrorKind::Start(_)))
        });
        assert_eq!(said.unwrap(), (Some(libc::EAGAIN), true));
    });
}

#[test]
fn of_address_space_for_a_small_value() {
    isolated(|| {
        Timeout::new(LONG).run(|| 1).unwrap();
        let before = Traces::now();
        for more in [256 << 10, 1 << 20, 4 << 20] {
            let limit = address_space() + more;
            // Little can be mapped, and what is small needs no more.
            let value = with_only(Resource::RLIMIT_AS, limit, || Timeout::new(LONG).run(|| 7));
            assert_eq!(value.unwrap(), 7, "{more} more");
            let error = with_only(Resource::RLIMIT_AS, limit, || {
                Timeout::new(0.1).run(|| -> u8 { spin() }).unwrap_err()
            });
            assert!(error.is_timeout(), "{error:?}");
            before.assert_unchanged();
        }
        assert_eq!(Timeout::new(LONG).run(|| 8).unwrap(), 8);
    });
}

#[test]
fn of_address_space_for_a_large_value() {
    isolated(|| {
        Timeout::new(LONG).run(|| 1).unwrap();
        let before = Traces::now();
        let large = || {
            // The child has its own limit: it is the caller that has no room.
            let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
            setrlimit(Resource::RLIMIT_AS, hard, hard).unwrap();
            "x".repeat(64 << 20)
        };
        let limit = address_space() + (16 << 20);
        let error = with_only(Resource::RLIMIT_AS, limit, || Timeout::new(LONG).run(large));
        let error = error.unwrap_err();
        let ErrorKind::Decode(cause) = error.kind() else { panic!("{error:?}") };
        assert!(cause.reason().contains("memory allocation failed"), "{cause}");
        before.assert_unchanged();
        assert_eq!(Timeout::new(LONG).run(large).unwrap().len(), 64 << 20);
    });
}

#[test]
fn of_pending_signals() {
    isolated(|| {
        with_only(Resource::RLIMIT_SIGPENDING, 0, || {
            assert_eq!(Timeout::new(LONG).run(|| 7).unwrap(), 7);
            assert!(Timeout::new(0.1).run(|| -> u8 { spin() }).unwrap_err().is_timeout());
            let killed = Timeout::new(0.1).grace(0).run(|| -> u8 { spin() });
            assert!(killed.unwrap_err().is_timeout());
        });
    });
}
