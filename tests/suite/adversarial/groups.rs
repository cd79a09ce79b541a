//! Bodies that leave their process group, or end it.

use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::unistd::{Pid, getpgid, getpgrp, getpid, getppid, setpgid, setsid};
use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy};

use super::{ran_out, run, start, start_stubborn, traceless};
use crate::support::{LONG, spin};

/// Leaves the group that the library has made for it.
fn join_the_callers_group() {
    setpgid(Pid::from_raw(0), getpgid(Some(getppid())).unwrap()).unwrap();
    assert_ne!(getpgrp(), getpid());
}

#[test]
fn a_body_that_changes_its_group_is_no_safer() {
    fn start_a_session() {
        // The leader of a group may not.
        assert!(setsid().is_err());
        join_the_callers_group();
        setsid().unwrap();
    }
    fn stay() {
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
    }
    traceless(|| {
        let all = [join_the_callers_group, start_a_session, stay];
        let calls = all.map(|change| {
            let yields = start(move || -> u8 {
                change();
                spin()
            });
            let ignores = start_stubborn(move || -> u8 {
                change();
                // SAFETY: no handler is installed.
                unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                spin()
            });
            (yields, ignores)
        });
        for (yields, ignores) in calls {
            let error = ran_out(yields);
            assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
            let error = ran_out(ignores);
            assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill });
        }
        for change in all {
            let value = Timeout::new(LONG).run(|| {
                change();
                7
            });
            assert_eq!(value.unwrap(), 7);
            let mut call = Timeout::new(10 * LONG)
                .start(|| -> u8 {
                    change();
                    spin()
                })
                .unwrap();
            thread::sleep(Duration::from_millis(50));
            call.cancel();
            assert_kind!(call.join().unwrap_err(), ErrorKind::Cancelled);
        }
    });
}

#[test]
fn a_body_may_end_its_own_group() {
    traceless(|| {
        for signal in [libc::SIGKILL, libc::SIGTERM] {
            let error = run(|| -> u8 {
                #[expect(clippy::zombie_processes, reason = "the library ends it")]
                let _sleeper = Command::new("sleep").arg("600").spawn().unwrap();
                // SAFETY: numbers.
                unsafe { libc::kill(0, signal) };
                spin()
            });
            assert_kind!(error, ErrorKind::Signaled { signal: seen, .. } if *seen == signal);
        }
    });
}
