//! Ends without a value, of both forms.

use std::future::pending;
use std::io::Read;
use std::process::exit;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use timeout_runtime::error::StoppedBy;
use timeout_runtime::{ErrorKind, Timeout, timeout};

use super::{current_thread, failure, pause, run, traceless};
use crate::support::{LONG, isolated, pipes, spin, write_to_pipes};

#[timeout(600, start = "fork")]
async fn ended(by: fn()) -> u8 {
    pause(0.001).await;
    by();
    7
}

#[test]
fn what_the_body_does_to_its_process_is_told() {
    traceless(|| async {
        for error in [run(|| exit(3)).await.map(|()| 0), ended(|| exit(3)).await].map(failure) {
            assert!(matches!(error.kind(), ErrorKind::Exited(3)), "{error:?}");
        }
        let aborts = || std::process::abort();
        for error in [run(aborts).await.map(|()| 0), ended(aborts).await].map(failure) {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Signaled { signal: libc::SIGABRT, .. }), "{error:?}");
        }
        let error = failure(ended(|| raise(Signal::SIGKILL).unwrap()).await);
        assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGKILL, .. }));
    });
}

#[test]
fn a_panic_is_told_with_its_message_and_place() {
    traceless(|| async {
        let panics = || panic!("of the body");
        for error in [run(panics).await.map(|()| 0), ended(panics).await].map(failure) {
            let ErrorKind::Panicked { message, location } = error.kind() else {
                panic!("{error:?}")
            };
            assert_eq!(message, "of the body");
            assert!(location.as_ref().unwrap().to_string().contains("ends.rs"), "{error}");
        }
    });
}

/// The hook has to know the thread whose panic this is: nothing comes after it.
#[test]
fn a_panic_that_cannot_unwind_is_told_too() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("the second");
        }
    }
    let panics = || {
        let _second = PanicsInDrop;
        panic!("the first");
    };
    traceless(|| async {
        for error in [run(panics).await.map(|()| 0), ended(panics).await].map(failure) {
            assert!(matches!(error.kind(), ErrorKind::Panicked { .. }), "{error:?}");
        }
    });
}

/// A panic of another task or thread is that one's.
#[test]
fn a_panic_in_a_task_of_the_body_is_the_tasks() {
    #[timeout(600, start = "fork")]
    async fn spawning() -> (bool, bool) {
        let task = tokio::spawn(async { panic!("of the task") });
        let blocking = tokio::task::spawn_blocking(|| panic!("of the thread"));
        (task.await.is_err(), blocking.await.is_err())
    }
    traceless(|| async { assert_eq!(spawning().await.unwrap(), (true, true)) });
}

#[timeout(0.1, start = "fork")]
async fn hangs() -> u8 {
    pending().await
}

#[timeout(2, grace = 0.3, start = "fork")]
async fn hangs_stubbornly() -> u8 {
    ignore_sigterm();
    spin()
}

fn ignore_sigterm() {
    // SAFETY: numbers.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

#[test]
fn time_runs_out() {
    traceless(|| async {
        let soon = Timeout::new(0.1);
        let error = [soon.run_async(|| -> u8 { spin() }).await, hangs().await].map(failure);
        for error in error {
            let ErrorKind::TimedOut { stopped_by } = error.kind() else { panic!("{error:?}") };
            assert_eq!(*stopped_by, StoppedBy::Sigterm, "{error}");
            assert!(error.elapsed() >= Duration::from_millis(100));
            assert!(error.to_string().contains("timed out after 0.1 s"), "{error}");
        }
        let stubborn = || -> u8 {
            ignore_sigterm();
            spin()
        };
        let soon = Timeout::new(2).grace(0.3);
        for error in [soon.run_async(stubborn).await, hangs_stubbornly().await].map(failure) {
            let ErrorKind::TimedOut { stopped_by } = error.kind() else { panic!("{error:?}") };
            assert_eq!(*stopped_by, StoppedBy::Sigkill, "{error}");
            assert!(error.elapsed() >= Duration::from_millis(2300));
        }
        let killed = Timeout::new(0.1).grace(0).run_async(|| -> u8 { spin() }).await;
        assert_eq!(failure(killed).exit_code(), 137);
    });
}

#[test]
fn a_child_that_stopped_itself_ends() {
    traceless(|| async {
        let stopped = Timeout::new(0.2).run_async(|| raise(Signal::SIGSTOP).is_ok());
        assert!(failure(stopped.await).is_timeout());
    });
}

#[cfg(not(timeout_portable))]
#[inline(never)]
fn hangs_here() -> u8 {
    spin()
}

#[cfg(not(timeout_portable))]
#[test]
fn the_trace_names_the_function_that_hangs() {
    #[timeout(2, start = "fork")]
    async fn busy(others: u8) -> u8 {
        for _ in 0..others {
            thread::spawn(|| thread::sleep(LONG));
            tokio::task::spawn_blocking(|| thread::sleep(LONG));
        }
        pause(0.001).await;
        hangs_here()
    }
    // Each look at a trace takes its time, so there are few.
    isolated(|| {
        current_thread().block_on(async {
            let closure = Timeout::new(2).run_async(|| {
                (0..3).for_each(|_| drop(thread::spawn(|| thread::sleep(LONG))));
                hangs_here()
            });
            let errors = tokio::join!(closure, busy(0), busy(3));
            for error in <[_; 3]>::from(errors).map(failure) {
                let trace = format!("{error:#}");
                assert!(trace.contains("hangs_here") && trace.contains("ends.rs:"), "{trace}");
            }
        });
    });
}

#[cfg(not(timeout_portable))]
#[test]
fn a_lock_that_another_thread_held_at_the_fork_is_named() {
    use timeout_runtime::error::Hang;
    static LOCK: std::sync::Mutex<u8> = std::sync::Mutex::new(0);
    #[timeout(2, start = "fork")]
    async fn waits() {
        drop(LOCK.lock());
    }
    traceless(|| async {
        let (held, is_held) = tokio::sync::oneshot::channel();
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let holder = thread::spawn(move || {
            let guard = LOCK.lock().unwrap();
            held.send(()).unwrap();
            let _ = is_done.recv();
            drop(guard);
        });
        is_held.await.unwrap();
        let closure = Timeout::new(2).run_async(|| drop(LOCK.lock()));
        let errors = tokio::join!(closure, waits());
        drop(done);
        holder.join().unwrap();
        for error in <[_; 2]>::from(errors).map(failure) {
            assert_eq!(error.hang(), Some(&Hang::Lock), "{error}");
        }
    });
}

#[test]
fn what_is_no_frame_ends_the_call_at_once() {
    traceless(|| async {
        for garbage in [&b"garbage!"[..], &[0; 8], &[0xF7, 0x54, 1, 0, 255, 255, 255, 255]] {
            let before = pipes();
            let error = run(|| -> u8 {
                write_to_pipes(&before, garbage);
                spin()
            });
            let error = failure(error.await);
            assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{garbage:?}: {error:?}");
        }
    });
}

#[test]
fn endless_data_ends_the_call() {
    traceless(|| async {
        let before = pipes();
        // A whole record after another, none of them the last.
        let record = [&[0xF7, 0x54, 1, 0, 0, 16, 0, 0][..], &[0; 4096]].concat();
        let limit = Timeout::new(1).grace(0);
        let error = limit.run_async(|| -> u8 {
            loop {
                write_to_pipes(&before, &record);
            }
        });
        let error = failure(error.await);
        assert!(error.is_timeout(), "{error:?}");
        let error = run(|| -> u8 {
            loop {
                write_to_pipes(&before, &[7; 4096]);
            }
        });
        assert!(matches!(failure(error.await).kind(), ErrorKind::Decode(_)));
    });
}

/// Its end of the pipe stays open, and nobody waits for that.
#[test]
fn what_a_body_leaves_running_ends_with_the_call() {
    traceless(|| async {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let value = run(move || {
            // SAFETY: the new process does nothing but wait for its end.
            unsafe {
                if libc::fork() == 0 {
                    loop {
                        libc::pause();
                    }
                }
            }
            drop(writer);
            7
        });
        assert_eq!(value.await.unwrap(), 7);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    });
}
