//! Bodies with threads that never end.

use std::io::{Write, stdout};
use std::process::exit;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy};

use super::{run, run_out, traceless};
use crate::support::{LONG, spin};

/// Starts threads that go on for ever: one sleeps, one works, one allocates, and one holds the
/// standard output.
fn start_endless_threads() {
    let (held, is_held) = mpsc::channel();
    thread::spawn(|| thread::sleep(10 * LONG));
    thread::spawn(|| spin());
    thread::spawn(|| {
        loop {
            std::hint::black_box(vec![0u8; 1000]);
        }
    });
    thread::spawn(move || {
        let mut stdout = stdout().lock();
        let _ = write!(stdout, "a part of a line");
        held.send(()).unwrap();
        thread::sleep(10 * LONG);
    });
    is_held.recv().unwrap();
}

#[test]
fn threads_of_a_body_that_never_end_delay_nothing() {
    traceless(|| {
        let started = Instant::now();
        let value = Timeout::new(10 * LONG).run(|| {
            start_endless_threads();
            7
        });
        assert_eq!(value.unwrap(), 7);
        assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
        let error = run(|| -> u8 {
            start_endless_threads();
            exit(3)
        });
        assert_kind!(error, ErrorKind::Exited(3));
        let error = run(|| -> u8 {
            start_endless_threads();
            panic!("beside threads")
        });
        assert_kind!(error, ErrorKind::Panicked { message, .. } if message == "beside threads");
        // A thread may end the process while the body goes on.
        let error = run(|| -> u8 {
            thread::spawn(|| exit(4));
            spin()
        });
        assert_kind!(error, ErrorKind::Exited(4));
        let error = run_out(|| -> u8 {
            start_endless_threads();
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
    });
}
