//! Bodies that stop, take no signal, or send some.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getppid};
use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy};

use super::{
    handle, raise, ran_out, run, run_out, run_out_of_grace, start, start_stubborn, traceless,
};
use crate::support::{LONG, eventually, isolated, spin};

#[test]
fn a_body_that_stops_itself_ends() {
    traceless(|| {
        let signals = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
        let calls = signals.map(|signal| start(move || raise(signal)));
        for call in calls {
            let error = ran_out(call);
            assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
        }
    });
}

#[test]
fn a_body_that_stops_again_and_again_is_killed() {
    extern "C" fn stop(_: i32) {
        raise(libc::SIGSTOP);
    }
    traceless(|| {
        let error = run_out_of_grace(|| -> u8 {
            for signal in [libc::SIGTERM, libc::SIGCONT, libc::SIGURG] {
                handle(signal, stop);
            }
            raise(libc::SIGSTOP);
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill });
    });
}

/// The state of a process, as `ps` shows it.
pub(super) fn state(process: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map_or('-', |(_, rest)| rest.chars().next().unwrap())
}

#[test]
fn a_body_that_stops_its_caller_delays_it_until_it_goes_on() {
    for (limit, expected) in [(600, "7"), (2, "timed out")] {
        let caller = Timeout::new(5 * LONG)
            .start(move || {
                let result = Timeout::new(limit).run(|| {
                    kill(getppid(), Signal::SIGSTOP).unwrap();
                    if limit == 2 { spin() } else { 7 }
                });
                result.map_or_else(|error| error.to_string(), |value: u8| value.to_string())
            })
            .unwrap();
        eventually("the caller is stopped", || state(caller.id()) == 'T');
        if limit == 2 {
            // The deadline comes while it is stopped.
            thread::sleep(Duration::from_millis(2100));
        }
        let id = Pid::from_raw(caller.id().cast_signed());
        kill(id, Signal::SIGCONT).unwrap();
        let said = caller.join().unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn signals_that_a_body_sends_its_caller_are_the_callers_affair() {
    static CAME: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        CAME.fetch_add(1, Ordering::Relaxed);
    }
    const SIGNALS: [Signal; 6] = [
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGCHLD,
        Signal::SIGURG,
        Signal::SIGALRM,
        Signal::SIGCONT,
    ];
    isolated(|| {
        for signal in SIGNALS {
            handle(signal as i32, count);
        }
        let body = || {
            for signal in SIGNALS {
                kill(getppid(), signal).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            7
        };
        assert_eq!(Timeout::new(LONG).run(body).unwrap(), 7);
        assert!(CAME.load(Ordering::Relaxed) >= 6);
        let error = run_out(|| -> u8 {
            body();
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
    });
}

#[test]
fn a_body_that_takes_no_signal_is_killed() {
    fn block_all() {
        SigSet::all().thread_block().unwrap();
    }
    fn ignore_all() {
        for signal in 1..=64 {
            // SAFETY: no handler is installed; it fails for those that cannot be ignored.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
    extern "C" fn swallow(_: i32) {}
    fn handle_all() {
        (1..=64).for_each(|signal| handle(signal, swallow));
    }
    traceless(|| {
        let calls = [block_all, ignore_all, handle_all].map(|refuse| {
            // It is no worse for those that end.
            let value = Timeout::new(LONG).run(|| {
                refuse();
                7
            });
            assert_eq!(value.unwrap(), 7);
            start_stubborn(move || -> u8 {
                refuse();
                spin()
            })
        });
        for call in calls {
            let error = ran_out(call);
            assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill });
        }
    });
}

#[test]
fn every_signal_that_ends_a_process_is_told_by_its_number() {
    let harmless = [
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGURG,
        libc::SIGWINCH,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ];
    traceless(|| {
        let real_time = [libc::SIGRTMIN(), libc::SIGRTMAX()];
        for expected in (1..32).filter(|signal| !harmless.contains(signal)).chain(real_time) {
            let result = Timeout::new(10 * LONG).run(|| {
                // SAFETY: no handler is installed. The disposition may be one that the test was
                // started with.
                unsafe { libc::signal(expected, libc::SIG_DFL) };
                raise(expected);
                thread::sleep(Duration::from_secs(5));
            });
            let Err(error) = result else { panic!("signal {expected} did nothing") };
            assert_kind!(error, ErrorKind::Signaled { signal, .. } if *signal == expected);
        }
    });
}

#[test]
fn an_alarm_of_the_body_is_its_own_end() {
    let error = run(|| -> u8 {
        // SAFETY: a number.
        unsafe { libc::alarm(1) };
        spin()
    });
    assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGALRM, .. });
}
