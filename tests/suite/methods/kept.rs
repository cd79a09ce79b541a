//! Workers: used again, and replaced when something is left in them.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use timeout_runtime::{Error, StartMethod, Timeout, pool, stopping};

use crate::support::{LONG, eventually, is_running, isolated, spin};

fn pool_of(limit: f64) -> Timeout {
    Timeout::new(limit).grace(0).start_method(StartMethod::Pool)
}

fn worker() -> u32 {
    pool_of(600.0).call(process::id, ()).unwrap()
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Leaves {
    Nothing,
    AnErrorOfItsOwn,
    JoinedThreads,
    DeadChild,
    Thread,
    Child,
    Zombie,
    OtherRights,
    IgnoredSigterm,
    BlockedSignals,
    PendingSignal,
    Alarm,
    Panic,
    Crash,
    Hang,
}

impl Leaves {
    const USED_AGAIN: [Self; 4] =
        [Self::Nothing, Self::AnErrorOfItsOwn, Self::JoinedThreads, Self::DeadChild];
    const REPLACED: [Self; 8] = [
        Self::Thread,
        Self::Child,
        Self::Zombie,
        Self::OtherRights,
        Self::PendingSignal,
        Self::Panic,
        Self::Crash,
        Self::Hang,
    ];
    const UNDONE: [Self; 3] = [Self::IgnoredSigterm, Self::BlockedSignals, Self::Alarm];
}

fn leave(what: Leaves) -> Result<u32, String> {
    match what {
        Leaves::Nothing => {}
        Leaves::AnErrorOfItsOwn => return Err(process::id().to_string()),
        Leaves::JoinedThreads => {
            thread::scope(|scope| {
                (0..4).for_each(|_| drop(scope.spawn(|| std::hint::black_box(1))));
            });
            thread::spawn(|| 1).join().unwrap();
        }
        Leaves::DeadChild => drop(process::Command::new("true").status().unwrap()),
        Leaves::Thread => drop(thread::spawn(|| spin())),
        Leaves::Child => drop(process::Command::new("sleep").arg("600").spawn().unwrap()),
        Leaves::Zombie => {
            #[expect(clippy::zombie_processes, reason = "it is to be one")]
            let child = process::Command::new("true").spawn().unwrap();
            eventually("its end", || !is_running(child.id()));
        }
        Leaves::OtherRights => {
            nix::unistd::seteuid(Uid::from_raw(65_534)).unwrap();
        }
        Leaves::IgnoredSigterm => {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        }
        Leaves::BlockedSignals => nix::sys::signal::SigSet::all().thread_block().unwrap(),
        Leaves::PendingSignal => {
            nix::sys::signal::SigSet::all().thread_block().unwrap();
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGUSR1).unwrap();
        }
        Leaves::Alarm => {
            nix::unistd::alarm::set(1);
        }
        Leaves::Panic => panic!("over"),
        Leaves::Crash => process::abort(),
        Leaves::Hang => spin(),
    }
    Ok(process::id())
}

fn left(what: Leaves) -> Result<u32, Error> {
    let limit = if let Leaves::Hang = what { 0.2 } else { 600.0 };
    let pid = pool_of(limit).call(leave, (what,))?;
    Ok(pid.unwrap_or_else(|pid| pid.parse().unwrap()))
}

#[test]
fn a_worker_is_used_again_when_nothing_is_left_in_it() {
    isolated(|| {
        let first = worker();
        for what in Leaves::USED_AGAIN {
            for _ in 0..10 {
                assert_eq!(left(what).unwrap(), first, "{what:?}");
                assert_eq!(worker(), first, "{what:?}");
            }
        }
    });
}

#[test]
fn a_worker_is_replaced_when_something_is_left_in_it() {
    isolated(|| {
        for what in Leaves::REPLACED {
            if matches!(what, Leaves::OtherRights) && !Uid::effective().is_root() {
                println!("only the superuser can become another user");
                continue;
            }
            let before = worker();
            match left(what) {
                Ok(pid) => assert_eq!(pid, before),
                Err(_) => assert!(matches!(what, Leaves::Panic | Leaves::Crash | Leaves::Hang)),
            }
            assert!(!is_running(before), "{what:?}");
            assert_ne!(worker(), before, "{what:?}");
        }
    });
}

fn holds_none_back() -> bool {
    nix::sys::signal::SigSet::thread_get_mask().unwrap() == nix::sys::signal::SigSet::empty()
}

fn sleeps(seconds: f64) -> u8 {
    thread::sleep(Duration::from_secs_f64(seconds));
    7
}

#[test]
fn what_is_left_of_signals_does_not_meet_the_next_call() {
    isolated(|| {
        for what in Leaves::UNDONE {
            left(what).unwrap();
            let kind = "ended at once";
            let late = Timeout::new(0.3).grace(LONG).start_method(StartMethod::Pool);
            let error = late.call(sleeps, (600.0,)).unwrap_err();
            assert!(error.is_timeout() && error.elapsed() < LONG / 2, "{what:?} {kind} {error:?}");
            left(what).unwrap();
            assert_eq!(pool_of(600.0).call(sleeps, (1.5,)).unwrap(), 7, "{what:?}");
            left(what).unwrap();
            assert!(pool_of(600.0).call(holds_none_back, ()).unwrap(), "{what:?}");
        }
    });
}

#[test]
fn a_worker_that_was_killed_while_idle_is_not_used() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    fn counts() -> (u32, u32) {
        (RUNS.fetch_add(1, Ordering::Relaxed), process::id())
    }
    isolated(|| {
        for _ in 0..20 {
            let first = worker();
            // SAFETY: a worker of this process.
            unsafe { libc::kill(first as i32, libc::SIGKILL) };
            // Of all its threads, the last of which is not the one that has its number.
            eventually("its end", || {
                let threads = std::fs::read_dir(format!("/proc/{first}/task"));
                !is_running(first) && threads.map_or(0, Iterator::count) <= 1
            });
            let (runs, second) = pool_of(600.0).call(counts, ()).unwrap();
            assert_eq!(runs, 0);
            assert_ne!(second, first);
            assert_eq!(worker(), second);
        }
    });
}

fn asks_once() -> bool {
    stopping()
}

#[test]
fn what_a_call_asked_for_is_forgotten_after_it() {
    isolated(|| {
        let pid = worker();
        assert!(!pool_of(600.0).call(asks_once, ()).unwrap());
        assert_eq!(worker(), pid);
        // SIGTERM is nobody's again.
        let late = Timeout::new(0.3).grace(LONG).start_method(StartMethod::Pool);
        let error = late.call(|| -> u8 { spin() }, ()).unwrap_err();
        assert!(error.is_timeout() && error.elapsed() < LONG / 2, "{error:?}");
        // A limit that has passed since is no limit of an idle worker.
        let pid = worker();
        let short = Timeout::new(0.5).grace(0).start_method(StartMethod::Pool);
        assert_eq!(short.call(process::id, ()).unwrap(), pid);
        thread::sleep(Duration::from_secs_f64(2.0));
        assert_eq!(worker(), pid);
    });
}

#[test]
fn statics_stay() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    fn counts() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }
    isolated(|| {
        let counted: Vec<_> = (0..3).map(|_| pool_of(600.0).call(counts, ()).unwrap()).collect();
        assert_eq!(counted, [1, 2, 3]);
        pool::shut_down();
        assert_eq!(pool_of(600.0).call(counts, ()).unwrap(), 1);
        let fresh = Timeout::new(LONG).start_method(StartMethod::Spawn);
        assert_eq!(fresh.call(counts, ()).unwrap(), 1);
        assert_eq!(CALLS.load(Ordering::Relaxed), 0);
    });
}
