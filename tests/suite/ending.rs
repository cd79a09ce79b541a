//! How a body that ran out of time ends: SIGTERM first, SIGKILL at the end of the grace, and with
//! it everything in its process group.

use std::io::{Read, Write, pipe};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::{ErrorKind, Timeout, error::StoppedBy, stopping, timeout};

use crate::support::{LONG, eventually, is_running, isolated, spin};

fn ignore(signal: i32) {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

#[test]
fn when_sigterm_suffices_the_return_does_not_wait_for_the_grace() {
    let error = Timeout::new(0.1).grace(10 * LONG).run(|| -> u8 { spin() }).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }));
    assert_eq!(error.exit_code(), 124);
    assert!(error.elapsed() < LONG);
}

#[test]
fn a_body_may_clean_up_and_still_return_a_value() {
    let (value, elapsed) = {
        let started = Instant::now();
        // Long enough for a busy machine to start the body in.
        let value = Timeout::new(2).grace(LONG).run(|| {
            let mut work = 0u64;
            while !stopping() {
                work += 1;
            }
            thread::sleep(Duration::from_millis(50));
            (work, "cleaned up".to_owned())
        });
        (value.unwrap(), started.elapsed())
    };
    assert!(value.0 > 0 && value.1 == "cleaned up");
    assert!(elapsed >= Duration::from_millis(2050));
}

#[test]
fn a_body_that_only_cleans_up_timed_out() {
    let error = Timeout::new(0.1)
        .run(|| -> u8 {
            while !stopping() {}
            std::process::exit(3)
        })
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }));
}

#[test]
fn stopping_outside_of_a_call_takes_nothing_over() {
    isolated(|| {
        assert!(!stopping());
        let nested = Timeout::new(0.1).run(|| -> u8 { spin() }).unwrap_err();
        assert!(matches!(nested.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }));
    });
}

#[test]
fn a_body_that_ignores_sigterm_is_killed_after_the_grace() {
    let error = Timeout::new(2)
        .grace(0.3)
        .run(|| -> u8 {
            ignore(libc::SIGTERM);
            spin()
        })
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }));
    assert_eq!(error.exit_code(), 137);
    assert!(error.elapsed() >= Duration::from_millis(2300) && error.elapsed() < LONG);
    assert!(error.to_string().contains("stopped by SIGKILL"), "{error}");
}

#[test]
fn a_grace_of_zero_kills_at_once() {
    #[timeout(1, grace = 0)]
    fn would_return_a_value() -> u8 {
        while !stopping() {}
        1
    }
    let error = would_return_a_value().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }));
}

#[test]
fn without_a_grace_there_is_no_sigterm() {
    let (mut said, mut say) = pipe().unwrap();
    let (mut ready, mut is_ready) = pipe().unwrap();
    for _ in 0..20 {
        let body = || {
            let _ = stopping();
            is_ready.write_all(b"!").unwrap();
            while !stopping() {}
            say.write_all(b"it came").unwrap();
        };
        let mut call = Timeout::new(LONG).grace(0).start(body).unwrap();
        ready.read_exact(&mut [0]).unwrap();
        call.cancel();
        assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Cancelled));
    }
    drop(say);
    assert_eq!(said.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_caller_that_blocks_or_ignores_sigterm_passes_neither_on() {
    isolated(|| {
        ignore(libc::SIGTERM);
        let all = nix::sys::signal::SigSet::all();
        all.thread_block().unwrap();
        let error = Timeout::new(0.1).grace(10 * LONG).run(|| -> u8 { spin() }).unwrap_err();
        assert!(error.elapsed() < LONG, "{error}");
        assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }));
        all.thread_unblock().unwrap();
    });
}

static SELF_PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn write_to_self_pipe(_: i32) {
    // SAFETY: the bytes live here.
    unsafe { libc::write(SELF_PIPE.load(Ordering::Relaxed), b"!".as_ptr().cast(), 1) };
}

#[test]
fn a_self_pipe_of_the_caller_does_not_see_the_childs_signal() {
    isolated(|| {
        let (mut reader, writer) = pipe().unwrap();
        SELF_PIPE.store(writer.as_raw_fd(), Ordering::Relaxed);
        for signal in [libc::SIGTERM, libc::SIGCONT, libc::SIGUSR1] {
            // SAFETY: the handler calls `write` alone.
            unsafe { libc::signal(signal, write_to_self_pipe as *const () as libc::sighandler_t) };
        }
        assert!(Timeout::new(0.1).run(|| -> u8 { spin() }).unwrap_err().is_timeout());
        // SAFETY: it takes numbers. It ends the child, which has the default of the signal.
        let error = Timeout::new(LONG).run(|| unsafe { libc::raise(libc::SIGUSR1) }).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGUSR1, .. }));
        drop(writer);
        SELF_PIPE.store(-1, Ordering::Relaxed);
        let mut seen = Vec::new();
        reader.read_to_end(&mut seen).unwrap();
        assert_eq!(seen, b"");
    });
}

/// Lets a body start grandchildren, and tells their numbers even if the body never returns.
fn with_grandchildren(
    timeout: Timeout,
    end: impl FnOnce() -> u8,
) -> (Vec<u32>, Result<u8, String>) {
    let (mut reader, mut writer) = pipe().unwrap();
    let result = timeout.run(|| {
        for script in ["sleep 600", "sleep 600 & sleep 600 & wait", "trap '' TERM; sleep 600"] {
            #[expect(clippy::zombie_processes, reason = "the library ends it")]
            let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            writer.write_all(&child.id().to_le_bytes()).unwrap();
        }
        end()
    });
    drop(writer);
    let mut numbers = Vec::new();
    // The grandchildren hold no copy of it: it is closed on exec.
    reader.read_to_end(&mut numbers).unwrap();
    let pids = numbers.chunks(4).map(|pid| u32::from_le_bytes(pid.try_into().unwrap())).collect();
    (pids, result.map_err(|error| error.to_string()))
}

#[test]
fn grandchildren_end_with_the_child() {
    type End = fn() -> u8;
    let ends: [(End, &str); 4] = [
        (|| spin(), "timed out"),
        (|| 1, ""),
        (|| panic!("over"), "panicked"),
        (|| std::process::exit(4), "exit code 4"),
    ];
    for (end, expected) in ends {
        let started = Instant::now();
        let limit = if expected == "timed out" { Duration::from_secs(5) } else { LONG };
        let (pids, result) = with_grandchildren(Timeout::new(limit).grace(0.5), end);
        assert_eq!(pids.len(), 3, "{result:?}");
        assert!(result.map_or_else(|text| text.contains(expected), |_| expected.is_empty()));
        // They are dead when the call returns: this is no wait.
        let running: Vec<_> = pids.iter().filter(|pid| is_running(**pid)).collect();
        assert!(running.is_empty(), "{running:?} of {pids:?} after {expected:?}");
        assert!(started.elapsed() < LONG);
    }
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_nothing() {
    let holds_the_pipe = || {
        // SAFETY: the grandchild sleeps and ends; it is in the child's group.
        unsafe {
            if libc::fork() == 0 {
                libc::sleep(600);
                libc::_exit(0);
            }
        }
    };
    let started = Instant::now();
    let value = Timeout::new(10 * LONG).run(|| {
        holds_the_pipe();
        7
    });
    assert_eq!(value.unwrap(), 7);
    let error = Timeout::new(10 * LONG)
        .run(|| -> u8 {
            holds_the_pipe();
            std::process::exit(3)
        })
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Exited(3)));
    assert!(started.elapsed() < LONG);
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn a_caller_that_is_killed_takes_the_child_along() {
    let (mut reader, writer) = pipe().unwrap();
    let error = Timeout::new(LONG)
        .run(|| -> u8 {
            let mut writer = &writer;
            let call = || -> u8 {
                writer.write_all(&std::process::id().to_le_bytes()).unwrap();
                let caller = nix::unistd::getppid();
                nix::sys::signal::kill(caller, nix::sys::signal::SIGKILL).unwrap();
                spin()
            };
            Timeout::new(10 * LONG).run(call).unwrap()
        })
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGKILL, .. }), "{error}");
    let mut pid = [0; 4];
    reader.read_exact(&mut pid).unwrap();
    let pid = u32::from_le_bytes(pid);
    eventually("the child of the killed caller is dead", || !is_running(pid));
}

/// Nor from the child itself, which may send it where it answers what it does.
#[test]
fn without_a_grace_nobody_hears_of_sigterm() {
    extern "C" fn write_down(_: i32) {
        // SAFETY: it may be called in a handler.
        unsafe { libc::write(libc::STDERR_FILENO, c"heard".as_ptr().cast(), 5) };
    }
    isolated(|| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let body = || -> u8 {
            nix::unistd::dup2_stderr(&writer).unwrap();
            // SAFETY: see the handler.
            unsafe { libc::signal(libc::SIGTERM, write_down as *const () as usize) };
            spin()
        };
        let error = Timeout::new(0.3).grace(0).run(body).unwrap_err();
        assert!(error.is_timeout(), "{error:#}");
        drop(writer);
        let mut heard = String::new();
        std::io::Read::read_to_string(&mut reader, &mut heard).unwrap();
        assert_eq!(heard, "");
    });
}
