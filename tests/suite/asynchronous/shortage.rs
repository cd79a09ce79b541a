//! Too few descriptors, processes or threads: `Start`, or what fits; nothing is lost by it.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use timeout_runtime::{Error, ErrorKind, Timeout, timeout};

use super::{current_thread, pause, run};
use crate::support::{LONG, Traces, bound_processes, eventually, isolated, spin};

#[timeout(600, start = "fork")]
async fn seven() -> u8 {
    pause(0.001).await;
    7
}

#[track_caller]
fn value_or_start(result: Result<u8, Error>, reason: i32) -> bool {
    match result {
        Ok(value) => value == 7,
        Err(error) => {
            let ErrorKind::Start(cause) = error.kind() else { panic!("{error:?}") };
            assert_eq!(cause.raw_os_error(), Some(reason), "{error}");
            false
        }
    }
}

#[test]
fn of_descriptors() {
    isolated(|| {
        let runtime = current_thread();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        runtime.block_on(seven()).unwrap();
        let before = Traces::now();
        let next = u64::try_from(File::open("/dev/null").unwrap().as_raw_fd()).unwrap();
        let (mut of_closures, mut of_functions) = (Vec::new(), Vec::new());
        for free in 0..12 {
            setrlimit(Resource::RLIMIT_NOFILE, next + free, hard).unwrap();
            // A body may have no descriptors for its runtime either.
            let results = runtime.block_on(async { (run(|| 7).await, seven().await) });
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            of_closures.push(value_or_start(results.0, libc::EMFILE));
            of_functions.push(value_or_start(results.1, libc::EMFILE));
            before.assert_same_but_threads();
        }
        for worked in [of_closures, of_functions] {
            assert!(!worked[0] && worked[11] && worked.is_sorted(), "{worked:?}");
        }
        assert_eq!(runtime.block_on(seven()).unwrap(), 7);
    });
}

#[test]
fn of_processes_and_of_threads_in_the_child() {
    isolated(|| {
        bound_processes(0);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        let runtime = current_thread();
        let before = Traces::now();
        let mut worked = Vec::new();
        // No process; one whose body has no thread; all there has to be.
        for more in 0..3 {
            setrlimit(Resource::RLIMIT_NPROC, (soft + more).min(hard), hard).unwrap();
            runtime.block_on(async {
                let both = (run(|| 7).await, seven().await);
                let both =
                    (value_or_start(both.0, libc::EAGAIN), value_or_start(both.1, libc::EAGAIN));
                assert_eq!(both.0, both.1);
                worked.push(both.0);
            });
            before.assert_unchanged();
        }
        assert_eq!(worked, [false, false, true]);
    });
}

/// There is no thread to stop it on: that is done by the task.
#[test]
fn of_threads_in_the_caller() {
    isolated(|| {
        bound_processes(2);
        let before = Traces::now();
        let error = current_thread().block_on(Timeout::new(0.3).run_async(|| -> u8 { spin() }));
        assert!(error.as_ref().is_err_and(Error::is_timeout), "{error:?}");
        eventually("the end of the runtime", || Traces::now() == before);
        // The same of one that is dropped.
        let runtime = current_thread();
        runtime.block_on(async {
            // The thread of the runtime before is gone, and may still be counted.
            let call = loop {
                match tokio::time::timeout(LONG / 600, run(|| -> u8 { spin() })).await {
                    Ok(Err(error)) if matches!(error.kind(), ErrorKind::Start(_)) => {}
                    call => break call,
                }
            };
            assert!(call.is_err(), "{call:?}");
            eventually("the end of the child", || Traces::now().is_childless());
        });
        let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        setrlimit(Resource::RLIMIT_NPROC, hard, hard).unwrap();
        assert_eq!(runtime.block_on(seven()).unwrap(), 7);
        // The runtime has kept the job for which there was no thread, and the job the runtime.
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        // Its last thread may still be on its way out, with what belongs to the runtime.
        drop(runtime);
        eventually("the end of the runtime", || Traces::now() == before);
    });
}
