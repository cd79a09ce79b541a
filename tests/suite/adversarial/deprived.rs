//! Bodies that take from themselves what they or the library could need.

use std::fs;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Uid, setuid};
use timeout_runtime::{Error, ErrorKind, Timeout};

use super::{handle, null, run, traceless};
use crate::support::{LONG, address_space, spin};

#[test]
fn a_body_without_memory_aborts_or_says_so() {
    fn limit_memory() {
        let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, (address_space() + (32 << 20)).min(hard), hard).unwrap();
        nix::unistd::dup2_stderr(null()).unwrap();
    }
    traceless(|| {
        let error = run(|| {
            limit_memory();
            vec![1u8; 1 << 30].len()
        });
        assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGABRT, .. });
        let error = run(|| {
            limit_memory();
            let mut held = Vec::new();
            loop {
                held.push("x".repeat(1000));
            }
            #[expect(unreachable_code)]
            0u8
        });
        assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGABRT, .. });
        let said = Timeout::new(LONG).run(|| {
            limit_memory();
            let refused = Vec::<u8>::new().try_reserve(1 << 30);
            refused.unwrap_err().to_string()
        });
        assert!(said.unwrap().contains("memory allocation failed"));
        // A panic needs a little itself.
        let error = run(|| -> u8 {
            limit_memory();
            let mut held: Vec<Vec<u8>> = Vec::with_capacity(1 << 16);
            loop {
                let mut more = Vec::new();
                if more.try_reserve_exact(64 << 10).is_err() {
                    panic!("{} pieces are all", held.len());
                }
                held.push(more);
            }
        });
        assert_kind!(error, ErrorKind::Panicked { message, .. } if message.ends_with("are all"));
    });
}

#[test]
fn a_body_that_used_up_its_processor_time_was_ended_by_a_signal() {
    let error = run(|| -> u8 {
        let (_, hard) = getrlimit(Resource::RLIMIT_CPU).unwrap();
        setrlimit(Resource::RLIMIT_CPU, 1, hard).unwrap();
        spin()
    });
    assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGXCPU, .. });
    assert!(error.to_string().contains("SIGXCPU"), "{error}");
}

#[test]
fn what_the_library_uses_itself_is_not_needed_to_end() {
    extern "C" fn leave(_: i32) {
        // SAFETY: it ends the process.
        unsafe { libc::_exit(9) };
    }
    fn prctl(option: i32, argument: libc::c_ulong) {
        // SAFETY: the options used here take one number.
        assert_eq!(unsafe { libc::prctl(option, argument, 0, 0, 0) }, 0);
    }
    fn as_superuser(action: impl FnOnce()) {
        if Uid::effective().is_root() {
            action();
        }
    }
    let meddle: [(&str, fn()); 15] = [
        ("asks for the trace: default", || {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGURG, libc::SIG_DFL) };
        }),
        ("asks for the trace: ignored", || {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGURG, libc::SIG_IGN) };
        }),
        ("asks for the trace: the body's", || handle(libc::SIGURG, leave)),
        ("the alarm: masked", || {
            let mut alarm = SigSet::empty();
            alarm.add(Signal::SIGALRM);
            alarm.thread_block().unwrap();
        }),
        ("the alarm: ignored", || {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGALRM, libc::SIG_IGN) };
        }),
        ("the alarm: set for later", || {
            // SAFETY: a number.
            unsafe { libc::alarm(600) };
        }),
        ("ties: none", || prctl(libc::PR_SET_PDEATHSIG, 0)),
        ("ties: no look from outside", || prctl(libc::PR_SET_DUMPABLE, 0)),
        ("rights: none by exec", || prctl(libc::PR_SET_NO_NEW_PRIVS, 1)),
        ("descriptors: none more", || {
            setrlimit(Resource::RLIMIT_NOFILE, 0, 0).unwrap();
        }),
        ("files: of no size", || {
            setrlimit(Resource::RLIMIT_FSIZE, 0, 0).unwrap();
        }),
        ("folder: deleted", || {
            let name = std::env::temp_dir().join(format!("timeout-gone-{}", std::process::id()));
            fs::create_dir(&name).unwrap();
            std::env::set_current_dir(&name).unwrap();
            fs::remove_dir(&name).unwrap();
        }),
        ("root: elsewhere", || as_superuser(|| nix::unistd::chroot("/proc/self/fdinfo").unwrap())),
        ("user: nobody", || as_superuser(|| setuid(Uid::from_raw(65534)).unwrap())),
        ("turn: last", || {
            // SAFETY: a number.
            unsafe { libc::nice(19) };
        }),
    ];
    traceless(|| {
        let mut calls = Vec::new();
        for (name, meddle) in meddle {
            let value = Timeout::new(LONG).run(|| {
                meddle();
                "x".repeat(100_000)
            });
            assert_eq!(value.unwrap().len(), 100_000, "{name}");
            let error = run(|| -> u8 {
                meddle();
                panic!("after that")
            });
            assert!(matches!(error.kind(), ErrorKind::Panicked { .. }), "{name}: {error:?}");
            let call = Timeout::new(4).start(move || -> u8 {
                meddle();
                spin()
            });
            calls.push((name, call.unwrap()));
        }
        for (name, call) in calls {
            let error = call.join().unwrap_err();
            assert!(error.is_timeout(), "{name}: {error:?}");
            assert!(error.elapsed() < LONG, "{name}: {error:?}");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_body_that_forbade_itself_all_system_calls_is_killed_for_the_next() {
    // SAFETY: numbers. From there on it may read, write and little else.
    let error = run(|| unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) });
    assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGKILL, .. });
}
