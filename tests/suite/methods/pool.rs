//! How many workers there are, and for how long.

use std::collections::BTreeSet;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::error::StoppedBy;
use timeout_runtime::{ErrorKind, StartMethod, Timeout, pool, timeout};

use crate::support::{LONG, eventually, is_running, isolated, isolated_for, spin};

fn by_pool(limit: impl timeout_runtime::IntoLimit) -> Timeout {
    Timeout::new(limit).start_method(StartMethod::Pool)
}

fn sleeps(seconds: f64) -> u32 {
    thread::sleep(Duration::from_secs_f64(seconds));
    process::id()
}

/// So many calls at once; their workers.
fn at_once(calls: usize, seconds: f64) -> BTreeSet<u32> {
    thread::scope(|scope| {
        let calls: Vec<_> = (0..calls)
            .map(|_| scope.spawn(move || by_pool(5 * LONG).call(sleeps, (seconds,)).unwrap()))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

fn living(workers: &BTreeSet<u32>) -> usize {
    workers.iter().filter(|pid| is_running(**pid)).count()
}

#[test]
fn there_are_as_many_workers_as_calls_at_once() {
    isolated(|| {
        pool::Settings::new().kept(8).apply();
        assert_eq!(at_once(6, 1.0).len(), 6);
        assert_eq!(at_once(1, 0.0).len(), 1);
    });
}

#[test]
fn calls_wait_for_a_worker_where_there_may_be_no_more() {
    isolated(|| {
        pool::Settings::new().workers(2).apply();
        let start = Instant::now();
        let workers = at_once(6, 0.2);
        assert!(workers.len() <= 2, "{workers:?}");
        assert!(start.elapsed() >= Duration::from_millis(600));
        // More than before, from now on.
        pool::Settings::new().workers(3).apply();
        assert!(at_once(6, 0.3).len() <= 3);
    });
}

#[test]
fn waiting_for_a_worker_counts_against_the_limit() {
    isolated(|| {
        pool::Settings::new().workers(1).apply();
        by_pool(LONG).call(process::id, ()).unwrap();
        let path = std::env::temp_dir().join(format!("timeout-never-run-{}", process::id()));
        let text = path.to_str().unwrap().to_owned();
        fn writes(path: String) -> bool {
            std::fs::write(path, "run").is_ok()
        }
        thread::scope(|scope| {
            let long = scope.spawn(|| by_pool(LONG).call(sleeps, (2.0,)));
            thread::sleep(Duration::from_millis(500));
            let error = by_pool(0.2).call(writes, (text.clone(),)).unwrap_err();
            let ErrorKind::TimedOut { stopped_by } = error.kind() else { panic!("{error:?}") };
            assert_eq!(*stopped_by, StoppedBy::Nothing);
            assert!(error.elapsed() >= Duration::from_millis(200));
            long.join().unwrap().unwrap();
        });
        assert!(!path.exists());
        // Its place is free.
        assert!(by_pool(LONG).call(writes, (text,)).unwrap());
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn a_place_is_free_after_every_end() {
    isolated(|| {
        pool::Settings::new().workers(1).apply();
        for _ in 0..3 {
            by_pool(0.1).grace(0).call(|| -> u8 { spin() }, ()).unwrap_err();
            by_pool(LONG).call(|| -> u8 { panic!("over") }, ()).unwrap_err();
            by_pool(LONG).call(|| -> u8 { process::abort() }, ()).unwrap_err();
            by_pool(0).call(|| 1, ()).unwrap_err();
            by_pool(LONG).call(|| drop(thread::spawn(|| spin())), ()).unwrap();
            by_pool(LONG).call(|| 1, ()).unwrap();
        }
    });
}

#[test]
fn a_worker_that_has_served_its_calls_is_replaced() {
    isolated(|| {
        pool::Settings::new().max_calls(3).apply();
        let pids: Vec<_> = (0..9).map(|_| by_pool(LONG).call(process::id, ()).unwrap()).collect();
        let workers: BTreeSet<_> = pids.iter().collect();
        assert_eq!(workers.len(), 3, "{pids:?}");
        assert!(pids.chunks(3).all(|three| three.iter().all(|pid| *pid == three[0])), "{pids:?}");
        assert!(pids.iter().all(|pid| !is_running(*pid)));
    });
}

#[test]
fn idle_workers_end() {
    isolated(|| {
        pool::Settings::new().kept(1).idle(1000).apply();
        let workers = at_once(5, 1.0);
        assert_eq!(workers.len(), 5);
        eventually("the end of what is not kept", || living(&workers) == 1);
        // It stays.
        thread::sleep(Duration::from_millis(300));
        assert_eq!(living(&workers), 1);
        pool::Settings::new().kept(1).idle(0.5).apply();
        let start = Instant::now();
        eventually("the end of the idle one", || living(&workers) == 0);
        assert!(start.elapsed() < LONG / 2);
        let next = by_pool(LONG).call(process::id, ()).unwrap();
        assert!(!workers.contains(&next));
        eventually("the end of this one too", || !is_running(next));
    });
}

#[test]
fn shutting_down_ends_the_idle_ones() {
    isolated(|| {
        pool::shut_down();
        let workers = at_once(3, 0.5);
        pool::shut_down();
        assert_eq!(living(&workers), 0);
        assert_eq!(at_once(1, 0.0).len(), 1);
        // One that serves a call is left alone.
        thread::scope(|scope| {
            let call = scope.spawn(|| by_pool(LONG).call(sleeps, (0.5,)));
            thread::sleep(Duration::from_millis(200));
            pool::shut_down();
            call.join().unwrap().unwrap();
        });
    });
}

static INITIALIZED: AtomicU32 = AtomicU32::new(0);

fn initialize() {
    INITIALIZED.fetch_add(1, Ordering::Relaxed);
}

fn initialized() -> (u32, u32) {
    (INITIALIZED.load(Ordering::Relaxed), process::id())
}

#[test]
fn an_initializer_runs_once_in_each_worker() {
    isolated(|| {
        pool::Settings::new().initializer(initialize).apply();
        let mut workers = BTreeSet::new();
        for round in 0..3 {
            for _ in 0..3 {
                let (times, pid) = by_pool(LONG).call(initialized, ()).unwrap();
                assert_eq!(times, 1, "{round}");
                workers.insert(pid);
            }
            pool::shut_down();
        }
        assert_eq!(workers.len(), 3);
        assert_eq!(INITIALIZED.load(Ordering::Relaxed), 0);
        // What becomes of it becomes of the call.
        pool::Settings::new().initializer(|| panic!("of the initializer")).apply();
        let error = by_pool(LONG).call(initialized, ()).unwrap_err();
        assert!(error.to_string().ends_with("of the initializer"), "{error}");
        pool::Settings::new().initializer(|| spin()).apply();
        assert!(by_pool(0.3).grace(0).call(initialized, ()).unwrap_err().is_timeout());
    });
}

#[test]
fn an_initializer_that_another_process_may_not_have_is_told() {
    isolated(|| {
        // SAFETY: it is looked up, and called by nobody.
        let of_a_library = unsafe {
            let address = libc::dlsym(libc::RTLD_DEFAULT, c"sync".as_ptr());
            std::mem::transmute::<*mut libc::c_void, fn()>(address)
        };
        pool::Settings::new().initializer(of_a_library).apply();
        for _ in 0..2 {
            let error = by_pool(LONG).call(process::id, ()).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Start(_)), "{error:?}");
            assert!(
                error.to_string().contains("the initializer is in a shared library"),
                "{error}"
            );
        }
        pool::Settings::new().apply();
        by_pool(LONG).call(process::id, ()).unwrap();
    });
}

#[test]
fn sixty_four_threads_call_at_once() {
    isolated(|| {
        thread::scope(|scope| {
            for thread in 0..64u64 {
                scope.spawn(move || {
                    for call in 0..10u64 {
                        let timeout = by_pool(5 * LONG);
                        if (thread + call) % 16 == 0 {
                            timeout.call(|| -> u8 { process::abort() }, ()).unwrap_err();
                        } else {
                            let product = timeout.call(u64::wrapping_mul, (thread, call)).unwrap();
                            assert_eq!(product, thread * call);
                        }
                    }
                });
            }
        });
    });
}

fn resident(pid: u32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[timeout(LONG, start = "pool")]
fn repeats(text: &str, all: &mut Vec<u8>) -> Result<String, anyhow::Error> {
    all.push(1);
    anyhow::ensure!(text.len() > 10, "too short: {}", text.repeat(100));
    Ok(text.repeat(10))
}

fn repeated(text: String) -> Vec<String> {
    vec![text; 10]
}

#[test]
fn memory_does_not_grow() {
    isolated_for(10 * LONG, || {
        let worker = by_pool(LONG).call(process::id, ()).unwrap();
        let (mut before, rounds) = ((0, 0), 7_000);
        for round in 0..rounds {
            let mut all = vec![0; 100];
            assert_eq!(repeats(&"x".repeat(100), &mut all).unwrap().len(), 1000);
            assert!(repeats("x", &mut all).is_err());
            assert_eq!(by_pool(LONG).call(repeated, ("x".repeat(100),)).unwrap().len(), 10);
            if round == rounds / 10 {
                before = (resident(worker), resident(process::id()));
            }
            if round % 1000 == 0 {
                assert_eq!(by_pool(LONG).call(process::id, ()).unwrap(), worker);
            }
        }
        let after = (resident(worker), resident(process::id()));
        let most = 2 << 20;
        assert!(after.0 < before.0 + most, "the worker: {before:?}, {after:?}");
        assert!(after.1 < before.1 + most, "the caller: {before:?}, {after:?}");
    });
}

#[timeout(LONG, start = "pool")]
async fn awaited(text: String) -> (u32, usize) {
    tokio::task::yield_now().await;
    drop(text);
    (process::id(), crate::support::descriptors().len())
}

#[test]
fn a_worker_of_awaited_calls_does_not_grow() {
    isolated(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (worker, open) = awaited("x".repeat(1000)).await.unwrap();
            let mut before = 0;
            for round in 0..3_000 {
                let (pid, now) = awaited("x".repeat(1000)).await.unwrap();
                assert_eq!((pid, now), (worker, open), "{round}");
                if round == 500 {
                    before = resident(worker);
                }
            }
            assert!(resident(worker) < before + (1 << 20), "{before} {}", resident(worker));
        });
    });
}
