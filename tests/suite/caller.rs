//! The calling process is left as it was, and what else goes on in it does not matter.

use std::fs::File;
use std::io::{Write, stdout};
use std::os::fd::AsFd;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::{ErrorKind, Timeout, error::StoppedBy};

use crate::support::{LONG, Traces, beside, disposition, eventually, isolated, rerun, spin, text};

/// One call of each kind of end.
fn mixed_ends() {
    assert_eq!(Timeout::new(LONG).run(|| "value".to_owned()).unwrap(), "value");
    assert!(Timeout::new(0.02).run(|| -> u8 { spin() }).unwrap_err().is_timeout());
    let killed = Timeout::new(0.5).grace(0).run(|| -> u8 { spin() }).unwrap_err();
    assert!(matches!(killed.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }));
    let panicked = Timeout::new(LONG).run(|| -> u8 { panic!("over") }).unwrap_err();
    assert!(matches!(panicked.kind(), ErrorKind::Panicked { .. }), "{panicked}");
    let exited = Timeout::new(LONG).run(|| -> u8 { std::process::exit(3) }).unwrap_err();
    assert!(matches!(exited.kind(), ErrorKind::Exited(3)), "{exited}");
    let crashed = Timeout::new(LONG).run(|| -> u8 { std::process::abort() }).unwrap_err();
    assert!(matches!(crashed.kind(), ErrorKind::Signaled { signal: libc::SIGABRT, .. }));
    assert!(Timeout::new(LONG).run(|| "x".repeat(1 << 20)).is_ok());
    let call = Timeout::new(LONG).start(|| -> u8 { spin() }).unwrap();
    drop(call);
}

#[test]
fn a_call_leaves_nothing_behind() {
    isolated(|| {
        Timeout::new(LONG).run(|| 1).unwrap();
        let before = Traces::now();
        mixed_ends();
        before.assert_unchanged();
    });
}

#[test]
fn a_call_in_a_program_with_threads_leaves_nothing_behind() {
    isolated(|| {
        with_others(
            |_| thread::sleep(Duration::from_millis(1)),
            || {
                Timeout::new(LONG).run(|| 1).unwrap();
                let before = Traces::now();
                mixed_ends();
                before.assert_unchanged();
            },
        );
    });
}

extern "C" fn of_the_caller(_: i32) {}

/// But for those of a crash, which the standard library has a word to say to.
#[test]
fn no_handler_of_the_callers_is_the_childs() {
    isolated(|| {
        let handler = of_the_caller as *const () as libc::sighandler_t;
        let crashes = [libc::SIGSEGV, libc::SIGBUS];
        let set = |signal: &i32| {
            // SAFETY: the handler does nothing; where the system has none of that signal, this fails.
            !crashes.contains(signal) && unsafe { libc::signal(*signal, handler) } != libc::SIG_ERR
        };
        let handled: Vec<i32> = (1..=64).filter(set).collect();
        assert!(handled.len() >= 28, "{handled:?}");
        let is_the_callers = move |signal: &i32| disposition(*signal) == handler;
        assert!(handled.iter().all(is_the_callers));
        let left =
            Timeout::new(LONG).run(move || (1..=64).filter(is_the_callers).collect::<Vec<i32>>());
        assert_eq!(left.unwrap(), Vec::<i32>::new());
    });
}

#[test]
fn what_is_ignored_for_all_that_a_program_starts_is_in_the_child_too() {
    isolated(|| {
        let kept = [libc::SIGPIPE, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];
        for signal in kept.into_iter().chain([libc::SIGTERM, libc::SIGUSR1]) {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        let is_ignored = |signal: &i32| disposition(*signal) == libc::SIG_IGN;
        let ignored = Timeout::new(LONG).run(|| (1..=64).filter(is_ignored).collect::<Vec<i32>>());
        let mut ignored = ignored.unwrap();
        ignored.sort_by_key(|signal| kept.iter().position(|kept| kept == signal));
        assert_eq!(ignored, kept);
    });
}

#[test]
fn sigalrm_may_be_blocked() {
    isolated(|| {
        let mut alarm = nix::sys::signal::SigSet::empty();
        alarm.add(nix::sys::signal::SIGALRM);
        alarm.thread_block().unwrap();
        mixed_ends();
        with_others(|_| thread::sleep(Duration::from_millis(1)), mixed_ends);
    });
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn sigchld_may_be_ignored() {
    isolated(|| {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        let before = Traces::now();
        mixed_ends();
        before.assert_unchanged();
    });
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn reap_all(_: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: it may be called in a handler.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn sigchld_may_be_handled_by_someone_who_reaps_everything() {
    isolated(|| {
        // SAFETY: the handler calls `waitpid` alone.
        unsafe { libc::signal(libc::SIGCHLD, reap_all as *const () as libc::sighandler_t) };
        mixed_ends();
        assert!(SIGNALS.load(Ordering::Relaxed) > 0);
    });
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn another_thread_may_reap_everything() {
    isolated(|| {
        // SAFETY: a null status is allowed.
        let steal = |_: u32| unsafe {
            if libc::waitpid(-1, std::ptr::null_mut(), 0) < 0 {
                thread::sleep(Duration::from_micros(50));
            }
        };
        with_others(steal, || (0..20).for_each(|_| mixed_ends()));
    });
}

/// Runs `work` beside two threads that repeat something, and that neither start nor end meanwhile.
fn with_others(repeat: impl Fn(u32) + Sync, work: impl FnOnce()) {
    beside(&[&repeat, &repeat], work);
}

fn print_to_nowhere() {
    nix::unistd::dup2_stdout(File::options().write(true).open("/dev/null").unwrap()).unwrap();
}

#[test]
fn other_threads_may_print() {
    isolated(|| {
        print_to_nowhere();
        let print = |round| writeln!(stdout(), "a line of a storm {round}").unwrap();
        with_others(print, || {
            for round in 0..300 {
                let value = Timeout::new(LONG).run(|| {
                    writeln!(stdout(), "of the child").unwrap();
                    eprint!("");
                    round
                });
                assert_eq!(value.unwrap(), round);
            }
        });
    });
}

#[test]
fn other_threads_may_panic_with_backtraces() {
    const INNER: &str = "TIMEOUT_TEST_STORM";
    if std::env::var_os(INNER).is_none() {
        // The program's own hook is there before the first call.
        let name = "caller::other_threads_may_panic_with_backtraces";
        let output = rerun(name, INNER, "1", &[]);
        assert!(output.status.success(), "{}", text(&output.stdout));
        return;
    }
    std::panic::set_hook(Box::new(|_| {
        drop(std::backtrace::Backtrace::force_capture());
    }));
    let panic = |_| drop(catch_unwind(|| panic!("of a storm")));
    with_others(panic, || {
        for _ in 0..200 {
            let error = Timeout::new(LONG).run(|| -> u8 { panic!("mine") }).unwrap_err();
            assert!(error.to_string().ends_with(": mine"), "{error}");
        }
    });
}

#[test]
fn other_threads_may_allocate_and_set_the_environment() {
    isolated(|| {
        let disturb = |round: u32| {
            // SAFETY: the standard library's lock keeps the readers here apart.
            unsafe {
                std::env::set_var(format!("STORM_{}", round % 64), "x".repeat(round as usize % 100))
            };
            std::hint::black_box((0..50).map(|n| vec![0u8; n * 97]).collect::<Vec<_>>());
        };
        with_others(disturb, || {
            for round in 0..300u32 {
                let value = Timeout::new(LONG).run(|| vec![round; 1000].into_iter().sum::<u32>());
                assert_eq!(value.unwrap(), round * 1000);
            }
        });
    });
}

#[test]
fn a_thread_that_holds_stdout_for_ever_costs_the_limit_not_more() {
    isolated(|| {
        let held = AtomicBool::new(false);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let lock = stdout().lock();
                held.store(true, Ordering::Release);
                while !over.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(1));
                }
                drop(lock);
            });
            eventually("the lock is held", || held.load(Ordering::Acquire));
            let started = Instant::now();
            let error = Timeout::new(0.5).run(|| 1).unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert!(started.elapsed() < LONG);
            over.store(true, Ordering::Release);
        });
        // And when it is free again, so is everything else.
        eventually("the thread that waited is gone", || {
            std::fs::read_dir("/proc/self/task").unwrap().count() == 1
        });
        assert_eq!(Timeout::new(LONG).run(|| 2).unwrap(), 2);
    });
}

#[test]
fn a_caller_that_holds_the_output_streams_itself_can_call() {
    isolated(|| {
        let idle = |_| thread::sleep(Duration::from_millis(1));
        with_others(idle, || {
            let mut lock = stdout().lock();
            let value = Timeout::new(LONG).run(|| {
                write!(stdout(), "").unwrap();
                3
            });
            write!(lock, "").unwrap();
            assert_eq!(value.unwrap(), 3);
        });
    });
}

#[test]
fn signals_may_come_in_a_storm() {
    isolated(|| {
        extern "C" fn nothing(_: i32) {}
        // SAFETY: the handler does nothing; without SA_RESTART, so that every call is interrupted.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as *const () as libc::sighandler_t;
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
        }
        // SAFETY: it has no arguments.
        let target = unsafe { libc::pthread_self() };
        let storm = |_| {
            // SAFETY: the target outlives the scope in which this runs.
            unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
            thread::sleep(Duration::from_micros(100));
        };
        with_others(storm, || (0..10).for_each(|_| mixed_ends()));
    });
}

#[test]
fn standard_streams_may_be_closed() {
    isolated(|| {
        for stream in 0..3 {
            nix::unistd::close(stream).unwrap();
        }
        let before = Traces::now();
        let value = Timeout::new(LONG).run(|| {
            println!("into nothing");
            writeln!(stdout(), "into nothing").unwrap();
            9
        });
        assert_eq!(value.unwrap(), 9);
        before.assert_unchanged();
    });
}

#[test]
fn no_descriptor_to_be_had_is_start_and_passes() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    isolated(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let open = File::open("/dev/null").unwrap();
        // At each step of a call there is one descriptor too few.
        let needed = if cfg!(timeout_portable) { 2 } else { 3 };
        for free in 0..needed {
            let used = Traces::now();
            let highest = {
                let mut copies = vec![open.try_clone().unwrap()];
                let next = std::os::fd::AsRawFd::as_raw_fd(&copies[0]);
                copies.clear();
                next as u64
            };
            setrlimit(Resource::RLIMIT_NOFILE, highest + free, hard).unwrap();
            let error = Timeout::new(LONG).run(|| 1).unwrap_err();
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            let ErrorKind::Start(cause) = error.kind() else { panic!("{error}") };
            assert_eq!(cause.raw_os_error(), Some(libc::EMFILE), "{free} free");
            assert!(error.to_string().contains("ulimit -n"), "{error}");
            assert_eq!(error.exit_code(), 125);
            used.assert_unchanged();
            assert_eq!(Timeout::new(LONG).run(|| free).unwrap(), free);
        }
        assert!(open.as_fd().try_clone_to_owned().is_ok());
    });
}
