//! What a child that is no copy is given of its caller, and what it is not.

use std::path::PathBuf;
use std::process::{self, Command};
use std::{env, fs, thread};

use timeout_runtime::{StartMethod, Timeout};

use super::{AFRESH, METHODS};
use crate::support::{LONG, Traces, eventually, isolated};

fn folder() -> Option<PathBuf> {
    fs::read_link("/proc/self/cwd").ok()
}

fn variables() -> Vec<(String, String)> {
    let mut all: Vec<_> = env::vars().collect();
    all.sort();
    all
}

#[test]
fn the_current_folder_is_that_of_the_caller_at_the_call() {
    isolated(|| {
        let base = env::temp_dir().join(format!("timeout-folder-{}", process::id()));
        fs::create_dir_all(base.join("in it")).unwrap();
        for method in METHODS {
            let timeout = Timeout::new(LONG).start_method(method);
            for place in [&base, &base.join("in it"), &base] {
                env::set_current_dir(place).unwrap();
                assert_eq!(timeout.call(folder, ()).unwrap(), folder(), "{method:?}");
            }
        }
        env::set_current_dir(base.join("in it")).unwrap();
        fs::remove_dir_all(&base).unwrap();
        for method in METHODS {
            let timeout = Timeout::new(LONG).start_method(method);
            let gone = timeout.call(folder, ()).unwrap().unwrap();
            assert!(gone.to_str().unwrap().ends_with("in it (deleted)"), "{method:?} {gone:?}");
        }
    });
}

/// A call beside a change may have what was there before it or after it; the next has what is there.
#[test]
fn a_change_beside_a_call_is_seen_by_the_next() {
    const NAME: &str = "TIMEOUT_TEST_TOGGLED";

    isolated(|| {
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        let there = || timeout.call(|| env::var(NAME).ok(), ()).unwrap();
        for _ in 0..300 {
            thread::scope(|scope| {
                let toggles = scope.spawn(|| {
                    for _ in 0..20 {
                        // SAFETY: all others look at it by the standard library.
                        unsafe { env::set_var(NAME, "one") };
                        // SAFETY: as above.
                        unsafe { env::set_var(NAME, "two") };
                    }
                    // SAFETY: as above.
                    unsafe { env::set_var(NAME, "one") };
                });
                while !toggles.is_finished() {
                    there();
                }
            });
            assert_eq!(there().as_deref(), Some("one"));
        }
    });
}

#[test]
fn the_environment_is_that_of_the_caller_at_the_call() {
    isolated(|| {
        for method in METHODS {
            let timeout = Timeout::new(LONG).start_method(method);
            for step in 0..5 {
                // SAFETY: no other thread looks at the environment now.
                match step {
                    1 => unsafe { env::set_var("TIMEOUT_TEST_ONE", "1") },
                    2 => unsafe { env::set_var("TIMEOUT_TEST_ONE", "two = 2\nand") },
                    3 => unsafe { env::set_var("TIMEOUT_TEST_OTHER", "") },
                    4 => unsafe { env::remove_var("TIMEOUT_TEST_ONE") },
                    _ => {}
                }
                assert_eq!(timeout.call(variables, ()).unwrap(), variables(), "{method:?} {step}");
            }
            // SAFETY: as above.
            unsafe { env::remove_var("TIMEOUT_TEST_OTHER") };
        }
    });
}

fn goes_away() -> u32 {
    // SAFETY: no other thread looks at the environment.
    unsafe {
        env::set_var("TIMEOUT_TEST_OF_BODY", "1");
        env::remove_var("PATH");
    }
    env::set_current_dir("/").unwrap();
    process::id()
}

#[test]
fn what_a_body_changes_of_them_does_not_meet_the_next_one() {
    isolated(|| {
        env::set_current_dir(env::temp_dir()).unwrap();
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        for _ in 0..3 {
            let worker = timeout.call(goes_away, ()).unwrap();
            assert_eq!(timeout.call(variables, ()).unwrap(), variables());
            assert_eq!(timeout.call(folder, ()).unwrap(), folder());
            // That is no reason for another worker.
            assert_eq!(timeout.call(process::id, ()).unwrap(), worker);
        }
    });
}

fn of_the_program_it_starts() -> String {
    let output = Command::new("env").output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_trigger_is_in_no_environment_of_a_body() {
    for method in AFRESH {
        let timeout = Timeout::new(LONG).start_method(method);
        let names: Vec<_> = timeout.call(variables, ()).unwrap();
        assert!(names.iter().all(|(name, _)| !name.starts_with("TIMEOUT_RUNTIME")), "{names:?}");
        let said = timeout.call(of_the_program_it_starts, ()).unwrap();
        assert!(said.contains("PATH=") && !said.contains("TIMEOUT_RUNTIME"), "{said}");
    }
}

type State = (Option<String>, Vec<String>, String, Vec<usize>);

/// What a program begins with.
fn state() -> State {
    let name = thread::current().name().map(str::to_owned);
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let blocked = status.lines().find(|line| line.starts_with("SigBlk:")).unwrap();
    let ignored: Vec<_> = (1..32).filter(|signal| disposition(*signal) == libc::SIG_IGN).collect();
    let ignored = ignored.into_iter().map(|signal| signal as usize).collect();
    (name, env::args().collect(), blocked.to_owned(), ignored)
}

fn disposition(signal: i32) -> usize {
    // SAFETY: zero is a valid `sigaction`, which lives through the call; nothing is changed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action);
        action.sa_sigaction
    }
}

#[test]
fn a_body_begins_as_a_program_does() {
    isolated(|| {
        // What a program ignores for all that it starts.
        let kept = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE];
        let kept = kept.into_iter().filter(|signal| disposition(*signal) == libc::SIG_IGN);
        let kept: Vec<_> = kept.map(|signal| signal as usize).collect();
        // Of the caller, and not of its children.
        nix::sys::signal::SigSet::all().thread_block().unwrap();
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        for method in AFRESH {
            let timeout = Timeout::new(LONG).start_method(method);
            let (name, arguments, blocked, ignored) = timeout.call(state, ()).unwrap();
            assert_eq!(name.as_deref(), Some("main"), "{method:?}");
            assert_eq!(arguments, env::args().collect::<Vec<_>>(), "{method:?}");
            assert!(
                blocked.ends_with(" 0000000000000000") || blocked.ends_with("\t0000000000000000"),
                "{blocked}"
            );
            assert_eq!(ignored, kept, "{method:?}");
        }
    });
}

#[test]
fn the_caller_stays_as_it_was() {
    isolated(|| {
        let (variables_before, arguments) = (variables(), env::args().collect::<Vec<_>>());
        let before = Traces::now();
        for method in METHODS {
            let timeout = Timeout::new(LONG).start_method(method);
            timeout.call(goes_away, ()).unwrap();
            timeout.call(|| -> u8 { panic!("over") }, ()).unwrap_err();
            timeout_runtime::pool::shut_down();
            before.assert_unchanged();
        }
        assert_eq!(variables(), variables_before);
        assert_eq!(env::args().collect::<Vec<_>>(), arguments);
    });
}

/// Of the thread that asks.
fn niceness() -> i32 {
    // SAFETY: two numbers.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

fn waits_for(path: String) {
    fs::write(format!("{path}.begun"), "").unwrap();
    eventually("the other call", || fs::exists(&path).unwrap());
}

// Elsewhere it is the process that is nice.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_has_what_the_thread_has_that_starts_it() {
    isolated(|| {
        let path = env::temp_dir().join(format!("timeout-niceness-{}", std::process::id()));
        let path = path.to_str().unwrap().to_owned();
        let begun = format!("{path}.begun");
        let pool = Timeout::new(LONG).start_method(StartMethod::Pool);
        thread::scope(|scope| {
            let nice = scope.spawn(|| {
                // SAFETY: numbers.
                unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
                let nice = pool.call(niceness, ()).unwrap();
                pool.call(waits_for, (path.clone(),)).unwrap();
                nice
            });
            eventually("its second call", || fs::exists(&begun).unwrap());
            assert_eq!(pool.call(niceness, ()).unwrap(), niceness());
            fs::write(&path, "").unwrap();
            assert_eq!(nice.join().unwrap(), 5);
        });
        [path, begun].into_iter().for_each(|path| fs::remove_file(path).unwrap());
    });
}
