//! Calls that go on while the caller does something else.

use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::{Call, ErrorKind, Timeout, error::StoppedBy, stopping};

use crate::support::{LONG, Traces, eventually, is_running, isolated, spin};

#[test]
fn a_call_is_pending_until_it_has_ended() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut call = Timeout::new(LONG)
        .start(move || {
            let mut reader = reader;
            std::io::Read::read(&mut reader, &mut [0]).unwrap()
        })
        .unwrap();
    assert!(call.pending());
    assert!(is_running(call.id()));
    std::io::Write::write_all(&mut &writer, b"!").unwrap();
    eventually("the call has ended", || !call.pending());
    assert!(!call.pending());
    assert_eq!(call.join().unwrap(), 1);
}

#[test]
fn a_cancelled_call_is_cancelled() {
    let mut call = Timeout::new(LONG).start(|| -> u8 { spin() }).unwrap();
    call.cancel();
    call.cancel();
    let error = call.join().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error:?}");
    assert!(!error.is_timeout());
    assert_eq!(error.exit_code(), 125);
}

#[test]
fn a_call_that_ended_cannot_be_cancelled() {
    let mut call = Timeout::new(LONG).start(|| 7).unwrap();
    eventually("the call has ended", || !call.pending());
    call.cancel();
    assert_eq!(call.join().unwrap(), 7);
}

#[test]
fn a_cancelled_body_that_ignores_it_is_killed_after_the_grace() {
    let mut call = Timeout::new(LONG)
        .grace(0.2)
        .start(|| -> u8 {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            spin()
        })
        .unwrap();
    call.cancel();
    assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Cancelled));
}

#[test]
fn a_cancelled_body_may_still_give_its_value() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let mut call = Timeout::new(LONG)
        .start(|| {
            let was_stopping = stopping();
            std::io::Write::write_all(&mut writer, b"!").unwrap();
            while !stopping() {}
            was_stopping
        })
        .unwrap();
    std::io::Read::read_exact(&mut reader, &mut [0]).unwrap();
    call.cancel();
    assert!(!call.join().unwrap());
}

#[test]
fn a_cancel_that_races_the_end_loses_neither() {
    let (mut values, mut cancelled) = (0, 0);
    for round in 0..200u64 {
        let mut call = Timeout::new(LONG).start(move || round).unwrap();
        thread::sleep(Duration::from_micros(round * 5));
        call.cancel();
        match call.join() {
            Ok(value) => {
                assert_eq!(value, round);
                values += 1;
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error:?}");
                cancelled += 1;
            }
        }
    }
    assert_eq!(values + cancelled, 200);
}

#[test]
fn a_dropped_call_is_stopped_and_reaped() {
    isolated(|| {
        let before = Traces::now();
        let started = Instant::now();
        let call = Timeout::new(LONG).start(|| -> u8 { spin() }).unwrap();
        let id = call.id();
        assert!(is_running(id));
        drop(call);
        assert!(!is_running(id));
        assert!(started.elapsed() < LONG, "it was waited for");
        before.assert_unchanged();
    });
}

#[test]
fn the_deadline_counts_from_the_start() {
    // Long enough for a busy machine to start the child in.
    let limit = Duration::from_secs(2);
    let call = Timeout::new(limit).start(|| -> u8 { spin() }).unwrap();
    thread::sleep(limit + Duration::from_millis(100));
    let started = Instant::now();
    let error = call.join().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }));
    assert!(error.elapsed() > limit && started.elapsed() < LONG);

    let mut asked = Timeout::new(limit).start(|| -> u8 { spin() }).unwrap();
    eventually("asking keeps the deadline too", || !asked.pending());
    assert!(asked.join().unwrap_err().is_timeout());
}

#[test]
fn a_call_that_ended_in_time_is_not_late_when_it_is_joined_late() {
    let limit = Duration::from_millis(200);
    let ended = |ask: bool| {
        let mut call = Timeout::new(limit).start(|| -> u8 { std::process::exit(3) }).unwrap();
        eventually("its end", || !is_running(call.id()));
        thread::sleep(limit);
        assert!(!ask || !call.pending());
        call.join().unwrap_err()
    };
    for error in [ended(false), ended(true)] {
        assert!(matches!(error.kind(), ErrorKind::Exited(3)), "{error:?}");
    }
}

/// The kernel keeps the deadline of a call at which nobody looks, whatever its body blocks.
#[test]
#[cfg(not(timeout_portable))]
fn a_call_that_nobody_joins_ends_too() {
    let call = Timeout::new(1).grace(0.1).start(|| -> u8 {
        nix::sys::signal::SigSet::all().thread_block().unwrap();
        spin()
    });
    let call = call.unwrap();
    eventually("its end", || !is_running(call.id()));
    let error = call.join().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }));
    // Not before the grace was over.
    assert!(error.elapsed() > Duration::from_millis(1100));
}

/// The timer of the call around it is not its own.
#[test]
#[cfg(not(timeout_portable))]
fn a_call_in_a_body_that_nobody_joins_ends_too() {
    isolated(a_call_that_nobody_joins_ends_too);
}

/// A killing that comes from elsewhere is told as what it is.
#[test]
fn a_child_that_is_killed_in_time_did_not_time_out() {
    let call = Timeout::new(LONG).start(|| -> u8 { spin() }).unwrap();
    let child = nix::unistd::Pid::from_raw(call.id().cast_signed());
    nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(matches!(call.join().unwrap_err().kind(), ErrorKind::Signaled { signal: 9, .. }));
}

#[test]
fn a_call_may_be_joined_on_another_thread_than_the_one_that_started_it() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Call<std::rc::Rc<u8>>>();
    let call = thread::spawn(|| {
        Timeout::new(LONG).start(|| {
            thread::sleep(Duration::from_millis(200));
            7
        })
    });
    assert_eq!(call.join().unwrap().unwrap().join().unwrap(), 7);
}

#[test]
fn a_thousand_calls_are_started_by_one_thread_and_joined_in_any_order() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    isolated(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let before = Traces::now();
        let mut calls: Vec<_> = (0..1000u32)
            .map(|number| Some(Timeout::new(10 * LONG).start(move || number * 3).unwrap()))
            .collect();
        for step in 0..1000 {
            let index = step * 617 % 1000;
            let call = calls[index].take().unwrap();
            assert_eq!(call.join().unwrap() as usize, index * 3);
        }
        before.assert_unchanged();
    });
}
