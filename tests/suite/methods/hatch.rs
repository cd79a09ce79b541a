//! Short requests and values, which go through memory that caller and worker share; and what a worker
//! does between two of them.

use std::process;
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use timeout_runtime::{StartMethod, Timeout};

use crate::support::{LONG, isolated};

fn pool(limit: f64) -> Timeout {
    Timeout::new(limit).grace(0.1).start_method(StartMethod::Pool)
}

fn doubled(text: String) -> (String, u32) {
    (text.repeat(2), process::id())
}

/// Short ones and long ones go different ways, and so may the two of one call.
#[test]
fn arguments_and_values_of_every_length_cross() {
    isolated(|| {
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        let (_, worker) = timeout.call(doubled, (String::new(),)).unwrap();
        for length in (0..40).chain(1480..1580).chain(1950..2100).chain(3700..4150) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let (twice, by) = timeout.call(doubled, (text.clone(),)).unwrap();
            assert_eq!(twice, text.repeat(2), "{length}");
            assert_eq!(by, worker, "{length}");
        }
    });
}

fn sleeps(seconds: f64) -> u32 {
    thread::sleep(Duration::from_secs_f64(seconds));
    process::id()
}

/// The last resort of a call with little time burns on for a while.
#[test]
fn a_later_call_is_not_ended_by_what_would_have_ended_an_earlier_one() {
    isolated(|| {
        let worker = pool(1.0).call(sleeps, (0.0,)).unwrap();
        assert_eq!(pool(60.0).call(sleeps, (4.0,)).unwrap(), worker);
        // And none at all, of one for ever.
        assert_eq!(pool(1.0).call(sleeps, (0.0,)).unwrap(), worker);
        let for_ever = Timeout::new(None::<f64>).start_method(StartMethod::Pool);
        assert_eq!(for_ever.call(sleeps, (4.0,)).unwrap(), worker);
    });
}

#[test]
fn a_worker_without_a_call_is_not_ended_by_what_would_have_ended_the_last() {
    isolated(|| {
        let worker = pool(1.0).call(sleeps, (0.0,)).unwrap();
        thread::sleep(Duration::from_secs_f64(4.0));
        assert_eq!(pool(60.0).call(sleeps, (0.0,)).unwrap(), worker);
    });
}

/// Where the thread may run that asks.
fn processors() -> Vec<bool> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).map(|index| set.is_set(index).unwrap()).collect()
}

/// One that finds itself on the processor of who calls it goes to another, and may come back.
#[test]
fn a_worker_may_run_where_its_caller_may() {
    isolated(|| {
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        for _ in 0..3_000 {
            assert_eq!(timeout.call(processors, ()).unwrap(), processors());
        }
    });
}

/// The two take turns on it.
#[test]
fn they_may_have_one_processor() {
    isolated(|| {
        let mut one = CpuSet::new();
        let first = processors().iter().position(|is_allowed| *is_allowed).unwrap();
        one.set(first).unwrap();
        nix::sched::sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        let worker = timeout.call(sleeps, (0.0,)).unwrap();
        for _ in 0..3_000 {
            assert_eq!(timeout.call(sleeps, (0.0,)).unwrap(), worker);
        }
        assert_eq!(timeout.call(processors, ()).unwrap(), processors());
    });
}

/// Who waits here for a moment, and then where the end of a worker is seen, is answered in either place.
#[test]
fn bodies_of_every_duration_are_heard() {
    isolated(|| {
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        let worker = timeout.call(sleeps, (0.0,)).unwrap();
        for micros in (0..60).map(|step| step * 40) {
            for _ in 0..5 {
                let seconds = f64::from(micros) * 1e-6;
                assert_eq!(timeout.call(sleeps, (seconds,)).unwrap(), worker, "{micros}");
            }
        }
    });
}
