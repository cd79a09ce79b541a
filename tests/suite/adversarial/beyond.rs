//! Children that are out of reach, for ever or for a moment.

use std::io::{Read, Write, pipe};
use std::sync::mpsc;
use std::thread;

use nix::unistd::{Uid, seteuid, setresuid};
use timeout_runtime::{Error, ErrorKind, Timeout};

use super::signals::state;
use crate::support::{LONG, Traces, eventually, isolated, isolated_for, spin};

/// It is traced, and its tracer lets it go no further than to the door.
#[cfg(not(timeout_portable))]
#[test]
fn a_child_that_not_even_sigkill_ends_delays_the_call_no_further() {
    isolated_for(LONG, || {
        let before = Traces::now();
        let mut call = Timeout::new(LONG).grace(0).start(|| -> u8 { spin() }).unwrap();
        let id = call.id();
        let (seized, is_seized) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        let tracer = thread::spawn(move || {
            // SAFETY: numbers.
            let result =
                unsafe { libc::ptrace(libc::PTRACE_SEIZE, id, 0, libc::PTRACE_O_TRACEEXIT) };
            seized.send(result == 0).unwrap();
            let _ = is_done.recv();
        });
        // A sandbox may forbid it.
        if is_seized.recv().unwrap() {
            call.cancel();
            assert_kind!(call.join().unwrap_err(), ErrorKind::Cancelled);
        }
        // It ends with its thread.
        drop(done);
        tracer.join().unwrap();
        eventually("it is reaped all the same", || Traces::now() == before);
    });
}

#[test]
fn a_child_that_was_another_users_for_a_moment_is_killed_in_the_next() {
    /// The superuser's rights are given up, and can be taken back.
    fn become_user(user: u32) {
        seteuid(Uid::from_raw(0)).unwrap();
        setresuid(Uid::from_raw(user), Uid::from_raw(user), Uid::from_raw(0)).unwrap();
    }
    if !Uid::effective().is_root() {
        return;
    }
    isolated(|| {
        let (mut is_away, mut away) = pipe().unwrap();
        let (mut until, mut come_back) = pipe().unwrap();
        become_user(200_001);
        // Without a limit there is no timer of the kernel, whose signal nobody can refuse.
        let body = || -> u8 {
            become_user(200_002);
            away.write_all(b"!").unwrap();
            until.read_exact(&mut [0]).unwrap();
            become_user(200_001);
            spin()
        };
        let mut call = Timeout::new(None::<u8>).grace(0).start(body).unwrap();
        is_away.read_exact(&mut [0]).unwrap();
        call.cancel();
        let id = call.id();
        assert_ne!(state(id), '-');
        come_back.write_all(b"!").unwrap();
        assert_kind!(call.join().unwrap_err(), ErrorKind::Cancelled);
        assert_eq!(state(id), '-');
    });
}
