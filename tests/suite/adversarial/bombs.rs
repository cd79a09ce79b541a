//! Bodies that fork all the time.

use std::fs;
use std::io::{Read, Write, pipe};
use std::process::exit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use timeout_runtime::{Error, ErrorKind, Timeout};

use super::run_out_of_grace;
#[cfg(not(timeout_portable))]
use crate::family::fork_into_a_session;
use crate::support::{LONG, Traces, bound_processes, eventually, isolated, spin};

/// No process of the group runs.
fn group_is_gone(group: u32) -> bool {
    let of_group = |stat: &str| {
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let state = fields.next().unwrap_or_default();
        state != "Z" && fields.nth(1) == Some(group.to_string().as_str())
    };
    !fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .any(|stat| of_group(&stat))
}

/// A counter that all processes of a bomb share.
fn shared_counter() -> &'static AtomicU32 {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new page of zeros, which stays for as long as the process.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        &*page.cast::<AtomicU32>()
    }
}

/// So many processes at once, and in all: the second bound holds should the first not.
const AT_ONCE: u64 = 64;
const IN_ALL: u32 = 20_000;

/// Forks while it may; each process does, for as long as it lives.
fn fork_without_end(forks: &AtomicU32) -> ! {
    while forks.fetch_add(1, Ordering::Relaxed) < IN_ALL {
        // SAFETY: both sides go on in this function, which allocates nothing.
        if unsafe { libc::fork() } < 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    thread::sleep(10 * LONG);
    exit(0)
}

/// Goes on in a child of its own again and again: whoever looks for it finds the one before.
fn flee_without_end(forks: &AtomicU32) -> ! {
    while forks.fetch_add(1, Ordering::Relaxed) < IN_ALL {
        // SAFETY: as above.
        if unsafe { libc::fork() } > 0 {
            // SAFETY: the other side goes on.
            unsafe { libc::_exit(0) };
        }
    }
    thread::sleep(10 * LONG);
    exit(0)
}

#[test]
fn a_fork_bomb_ends() {
    isolated(|| {
        bound_processes(AT_ONCE);
        let before = Traces::now();
        let forks = shared_counter();
        let (mut reader, mut writer) = pipe().unwrap();
        let error = run_out_of_grace(|| -> u8 {
            writer.write_all(&std::process::id().to_le_bytes()).unwrap();
            fork_without_end(forks)
        });
        assert_kind!(error, ErrorKind::TimedOut { .. });
        assert!(forks.load(Ordering::Relaxed) > 8, "it was no bomb");
        let mut group = [0; 4];
        reader.read_exact(&mut group).unwrap();
        assert!(group_is_gone(u32::from_le_bytes(group)));
        drop((reader, writer));
        assert_eq!(Timeout::new(LONG).run(|| 7).unwrap(), 7);
        before.assert_unchanged();
    });
}

#[test]
fn processes_that_flee_from_one_to_the_next_end_with_the_body() {
    type End = fn() -> u8;
    let ends: [End; 3] = [|| 7, || exit(3), || spin()];
    isolated(|| {
        bound_processes(AT_ONCE);
        let before = Traces::now();
        let forks = shared_counter();
        for end in ends {
            forks.store(0, Ordering::Relaxed);
            let (mut reader, mut writer) = pipe().unwrap();
            let result = Timeout::new(3).grace(0.3).run(|| {
                writer.write_all(&std::process::id().to_le_bytes()).unwrap();
                for _ in 0..4 {
                    // SAFETY: the child stays in `flee_without_end`, which allocates nothing.
                    if unsafe { libc::fork() } == 0 {
                        flee_without_end(forks);
                    }
                }
                thread::sleep(Duration::from_millis(20));
                end()
            });
            match result {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => {
                    assert_kind!(error, ErrorKind::Exited(3) | ErrorKind::TimedOut { .. });
                }
            }
            let mut group = [0; 4];
            reader.read_exact(&mut group).unwrap();
            assert!(group_is_gone(u32::from_le_bytes(group)));
        }
        before.assert_unchanged();
    });
}

/// Nobody has to reap, nor anybody to wait for it: there is always room for one more.
#[cfg(not(timeout_portable))]
fn reap_nobody() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Beyond the group it takes a look to find them, and what a look has found is gone when it is
/// signalled, unless it was stopped.
#[cfg(not(timeout_portable))]
#[test]
fn processes_that_flee_beyond_the_group_end_with_the_body() {
    isolated(|| {
        bound_processes(AT_ONCE);
        let before = Traces::now();
        let forks = shared_counter();
        let second = Duration::from_secs(1);
        for (is_stubborn, grace) in [(false, LONG), (true, second), (true, Duration::ZERO)] {
            forks.store(0, Ordering::Relaxed);
            let body = || -> u8 {
                reap_nobody();
                for _ in 0..4 {
                    fork_into_a_session(|| {
                        if is_stubborn {
                            // SAFETY: no handler is installed.
                            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                        }
                        flee_without_end(forks)
                    });
                }
                spin()
            };
            let mut call = Timeout::new(LONG).grace(grace).start(body).unwrap();
            eventually("a flight", || forks.load(Ordering::Relaxed) > 100);
            call.cancel();
            let error = call.join().unwrap_err();
            assert_kind!(error, ErrorKind::Cancelled);
            assert!(error.elapsed() < LONG, "{error:?}");
            before.assert_unchanged();
        }
    });
}

#[cfg(not(timeout_portable))]
#[test]
fn a_body_that_starts_sessions_without_end_leaves_none() {
    isolated(|| {
        bound_processes(AT_ONCE);
        let before = Traces::now();
        let forks = shared_counter();
        for grace in [0.3, 0.0] {
            forks.store(0, Ordering::Relaxed);
            let body = || -> u8 {
                reap_nobody();
                // SAFETY: no handler is installed.
                unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                while forks.fetch_add(1, Ordering::Relaxed) < IN_ALL {
                    fork_into_a_session(|| thread::sleep(10 * LONG));
                }
                spin()
            };
            let mut call = Timeout::new(LONG).grace(grace).start(body).unwrap();
            eventually("sessions", || forks.load(Ordering::Relaxed) > 100);
            call.cancel();
            assert_kind!(call.join().unwrap_err(), ErrorKind::Cancelled);
            before.assert_unchanged();
        }
    });
}
