//! Calls in bodies, by every pair of methods.

use std::process;

use timeout_runtime::{ErrorKind, StartMethod, Timeout};

use super::METHODS;
use crate::support::{LONG, eventually, is_running, isolated, spin};

/// As an argument: a method does not serialize.
fn method(number: usize) -> StartMethod {
    METHODS[number]
}

fn deeper(methods: Vec<usize>) -> Vec<u32> {
    let mut pids = match methods.split_first() {
        Some((first, rest)) => {
            let timeout = Timeout::new(LONG).start_method(method(*first));
            timeout.call(deeper, (rest.to_vec(),)).unwrap()
        }
        None => Vec::new(),
    };
    pids.push(process::id());
    pids
}

#[test]
fn calls_nest_by_every_pair_of_methods_and_leave_nothing() {
    isolated(|| {
        for outer in 0..3 {
            for inner in 0..3 {
                let mut pids = deeper(vec![outer, inner, outer]);
                let own = pids.pop();
                assert_eq!(own, Some(process::id()));
                assert_eq!(pids.len(), 3);
                let workers = usize::from(method(outer) == StartMethod::Pool);
                // Its own worker may be kept, but nothing below it.
                eventually("the end of all but workers", || {
                    pids.iter().filter(|pid| is_running(**pid)).count() <= workers
                });
                pids.sort_unstable();
                pids.dedup();
                assert_eq!(pids.len(), 3, "{outer} {inner}");
            }
        }
        timeout_runtime::pool::shut_down();
    });
}

fn hangs_in(path: String, inner: usize) -> u8 {
    let timeout = Timeout::new(100 * LONG).start_method(method(inner));
    timeout.call(hangs, (path,)).unwrap()
}

fn hangs(path: String) -> u8 {
    std::fs::write(path, process::id().to_string()).unwrap();
    spin()
}

#[test]
fn an_outer_deadline_ends_what_is_inside() {
    isolated(|| {
        for outer in METHODS {
            for inner in 0..3 {
                let path = std::env::temp_dir().join(format!("timeout-nested-{}", process::id()));
                let text = path.to_str().unwrap().to_owned();
                let timeout = Timeout::new(1).start_method(outer);
                let error = timeout.call(hangs_in, (text, inner)).unwrap_err();
                assert!(error.is_timeout(), "{outer:?} {error:?}");
                let pid = std::fs::read_to_string(&path).unwrap().parse().unwrap();
                assert!(!is_running(pid), "{outer:?} {inner}");
                std::fs::remove_file(path).unwrap();
            }
        }
    });
}

fn times_out_in(inner: usize) -> bool {
    let timeout = Timeout::new(0.2).start_method(method(inner));
    timeout.call(|| -> u8 { spin() }, ()).unwrap_err().is_timeout()
}

#[test]
fn an_inner_deadline_ends_the_inner_call_alone() {
    for outer in METHODS {
        for inner in 0..3 {
            let timeout = Timeout::new(LONG).start_method(outer);
            assert!(timeout.call(times_out_in, (inner,)).unwrap(), "{outer:?} {inner}");
        }
    }
}

fn own_worker() -> (u32, u32) {
    let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
    let worker = || timeout.call(process::id, ()).unwrap();
    (worker(), worker())
}

#[test]
fn a_forked_child_has_workers_of_its_own() {
    isolated(|| {
        let pool = Timeout::new(LONG).start_method(StartMethod::Pool);
        let ours = pool.call(process::id, ()).unwrap();
        let (first, second) = Timeout::new(LONG).run(own_worker).unwrap();
        assert_eq!(first, second);
        assert_ne!(first, ours);
        assert!(!is_running(first));
        // One that the library did not fork.
        // SAFETY: the child makes a call, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let (first, second) = own_worker();
            let is_own = first == second && first != ours;
            // SAFETY: it ends the process.
            unsafe { libc::_exit(if is_own { 7 } else { 1 }) };
        }
        let child = nix::unistd::Pid::from_raw(child);
        let status = nix::sys::wait::waitpid(child, None).unwrap();
        assert_eq!(status, nix::sys::wait::WaitStatus::Exited(child, 7));
        assert_eq!(pool.call(process::id, ()).unwrap(), ours);
    });
}

fn captures() -> String {
    let number = process::id();
    let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
    match timeout.run(move || number).unwrap_err().kind() {
        ErrorKind::Start(why) => why.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_closure_is_refused_with_the_remedy() {
    assert!(captures().contains("use `Timeout::call`"), "{}", captures());
}
