//! The deadline holds, whatever the body does, and nothing else does.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::panic::catch_unwind;
use std::process::Command;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, Serializer};
use timeout_runtime::{
    ErrorKind, Timeout,
    error::{Hang, StoppedBy},
    remaining,
};

use crate::support::{LONG, eventually, is_running, isolated, spin, traced};

/// Runs what would never end under a limit of 0.1 s.
#[track_caller]
fn ends<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) {
    let Err(error) = Timeout::new(0.1).run(body) else { panic!("it gave a value") };
    assert!(
        matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }),
        "{error:?}"
    );
    assert!(error.elapsed() >= Duration::from_millis(100) && error.elapsed() < LONG);
}

#[test]
fn a_body_that_ends_in_time_is_not_stopped() {
    let value = Timeout::new(LONG).run(|| {
        thread::sleep(Duration::from_millis(150));
        7
    });
    assert_eq!(value.unwrap(), 7);
}

#[test]
fn a_hundred_in_a_row_end_when_they_should() {
    let limit = Duration::from_millis(20);
    for _ in 0..100 {
        let started = Instant::now();
        let error = Timeout::new(limit).run(|| -> u8 { spin() }).unwrap_err();
        let outside = started.elapsed();
        assert!(error.is_timeout(), "{error}");
        assert!(error.elapsed() >= limit && outside >= error.elapsed());
        // Far less than the grace: the return comes with the end.
        assert!(outside < Duration::from_secs(5), "{outside:?}");
    }
}

#[test]
fn a_busy_loop_ends() {
    ends(|| -> u8 { spin() });
}

#[test]
fn a_blocking_sleep_in_c_ends() {
    // SAFETY: it takes a number.
    ends(|| unsafe { libc::sleep(600) });
}

#[test]
fn a_self_deadlock_ends() {
    ends(|| {
        let mutex = Mutex::new(1);
        let first = mutex.lock().unwrap();
        let second = mutex.lock().unwrap();
        *first + *second
    });
}

/// Runs a body under a limit that lets it begin, and gives what its error says of the hang.
#[cfg(not(timeout_portable))]
fn hang_of(body: impl FnOnce()) -> (Option<Hang>, String) {
    let error = Timeout::new(2).run(body).unwrap_err();
    assert!(error.is_timeout(), "{error:#}");
    (error.hang().cloned(), error.to_string())
}

/// The remedy is at the caller's side, so the error has to say that this is what it was.
#[test]
#[cfg(not(timeout_portable))]
fn a_lock_that_another_thread_held_at_the_fork_is_named() {
    static LOCK: Mutex<u8> = Mutex::new(0);
    let (held, is_held) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let guard = LOCK.lock().unwrap();
        held.send(()).unwrap();
        let _ = is_done.recv();
        drop(guard);
    });
    is_held.recv().unwrap();
    let in_one = hang_of(|| drop(LOCK.lock()));
    let in_all = hang_of(|| {
        let threads = [(); 3].map(|()| thread::spawn(|| drop(LOCK.lock())));
        drop(LOCK.lock());
        for thread in threads {
            thread.join().unwrap();
        }
    });
    drop(done);
    holder.join().unwrap();
    for (hang, text) in [in_one, in_all] {
        assert_eq!(hang, Some(Hang::Lock), "{text}");
        assert!(text.contains("a lock that was held since the fork"), "{text}");
    }
}

#[test]
#[cfg(not(timeout_portable))]
fn what_is_no_lock_is_not_called_one() {
    let busy = || spin();
    let asleep = || thread::sleep(10 * LONG);
    let limited = || thread::park_timeout(10 * LONG);
    // One waits, and the other could release it.
    let one_of_two = || {
        drop(thread::spawn(|| thread::sleep(10 * LONG)));
        thread::park();
    };
    thread::scope(|scope| {
        let calls = [
            (scope.spawn(|| hang_of(busy)), Hang::Busy),
            (scope.spawn(|| hang_of(asleep)), Hang::Sleeping),
            (scope.spawn(|| hang_of(limited)), waiting("futex", None)),
            (scope.spawn(|| hang_of(one_of_two)), Hang::Sleeping),
        ];
        for (call, hang) in calls {
            let (seen, text) = call.join().unwrap();
            assert_eq!(seen, Some(hang), "{text}");
            assert!(!text.contains("waited for"), "{text}");
        }
    });
}

#[cfg(not(timeout_portable))]
fn waiting(call: &str, file: Option<&str>) -> Hang {
    Hang::Waiting { call: call.to_owned(), file: file.map(str::to_owned) }
}

/// Two threads, each of which has what the other wants, and who waits for both.
#[test]
#[cfg(not(timeout_portable))]
fn a_deadlock_of_threads_that_are_joined_is_named() {
    let deadlocked = || {
        let locks = Arc::new([Mutex::new(0), Mutex::new(0)]);
        let barrier = Arc::new(Barrier::new(2));
        let threads = [0, 1].map(|first: usize| {
            let (locks, barrier) = (Arc::clone(&locks), Arc::clone(&barrier));
            thread::spawn(move || {
                let _first = locks[first].lock();
                barrier.wait();
                drop(locks[1 - first].lock());
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    };
    let (hang, text) = hang_of(deadlocked);
    assert_eq!(hang, Some(Hang::Lock), "{text}");
}

/// One of a ring is awake at any moment, and mostly not the one that is looked at.
#[test]
#[cfg(not(timeout_portable))]
fn threads_that_wake_each_other_do_not_wait_for_a_lock() {
    let ring = || {
        let mut next = thread::current();
        for _ in 0..8 {
            let wake = move || {
                loop {
                    thread::park();
                    next.unpark();
                }
            };
            next = thread::spawn(wake).thread().clone();
        }
        loop {
            next.unpark();
            thread::park();
        }
    };
    // Alone: where another thread is just being started at the fork, the first of these waits for ever.
    isolated(|| {
        for _ in 0..80 {
            let error = Timeout::new(0.05).run::<(), _>(ring).unwrap_err();
            assert!(error.is_timeout() && error.hang() != Some(&Hang::Lock), "{error}");
        }
    });
}

#[test]
fn a_loop_that_swallows_everything_ends() {
    ends(|| -> u8 {
        loop {
            let _ = catch_unwind(|| panic!("swallowed"));
        }
    });
}

#[test]
fn a_body_that_stopped_itself_ends() {
    // SAFETY: it takes numbers.
    ends(|| unsafe { libc::raise(libc::SIGSTOP) });
}

/// Stops its process in the middle of being written.
#[derive(Deserialize)]
struct StopsInTheMiddle;

impl Serialize for StopsInTheMiddle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let large = "x".repeat(1 << 20);
        let stop = || {
            // SAFETY: it takes numbers.
            unsafe { libc::raise(libc::SIGSTOP) };
            1u8
        };
        (large, LazyByte(stop)).serialize(serializer)
    }
}

struct LazyByte<F>(F);

impl<F: Fn() -> u8> Serialize for LazyByte<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0())
    }
}

#[test]
fn a_body_that_stops_in_mid_result_ends() {
    /// Reads what the other wrote.
    #[derive(Deserialize)]
    struct Read(#[expect(dead_code)] (String, u8));
    impl Serialize for Read {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            StopsInTheMiddle.serialize(serializer)
        }
    }
    ends(|| Read((String::new(), 0)));
}

#[test]
fn a_value_without_end_ends() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(Numbers(0))
        }
    }
    /// Claims a length, and goes on beyond it; slowly, for the caller keeps what it reads.
    struct Numbers(u64);
    impl Iterator for Numbers {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            thread::sleep(Duration::from_micros(10));
            self.0 += 1;
            Some(self.0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::MAX, Some(usize::MAX))
        }
    }
    impl<'de> Deserialize<'de> for Endless {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Vec::<u64>::deserialize(deserializer).map(|_| Self)
        }
    }
    ends(|| Endless);
}

#[test]
fn calls_come_from_any_thread() {
    let value = thread::spawn(|| Timeout::new(LONG).run(|| 1)).join().unwrap();
    assert_eq!(value.unwrap(), 1);
    let sum: i32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || Timeout::new(LONG).run(|| number).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(sum, 6);
}

#[test]
fn other_children_are_neither_confused_nor_reaped() {
    isolated(|| {
        let mut sleeper = Command::new("sleep").arg("600").spawn().unwrap();
        let mut ended = Command::new("sh").args(["-c", "exit 42"]).spawn().unwrap();
        eventually("the other child has ended", || !is_running(ended.id()));
        assert_eq!(Timeout::new(LONG).run(|| 7).unwrap(), 7);
        assert!(Timeout::new(0.1).run(|| -> u8 { spin() }).unwrap_err().is_timeout());
        assert!(is_running(sleeper.id()));
        assert_eq!(ended.wait().unwrap().code(), Some(42));
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    });
}

#[test]
fn a_call_that_timed_out_can_be_made_again_at_once() {
    let mut slow = true;
    for _ in 0..10 {
        let result =
            Timeout::new(if slow { 0.05 } else { 60.0 }).run(|| if slow { spin() } else { 5 });
        assert_eq!(result.is_ok(), !slow);
        slow = !slow;
    }
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn when_the_outer_deadline_comes_first_the_inner_child_dies() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let error = Timeout::new(3)
        .run(|| {
            Timeout::new(LONG)
                .run(|| -> u8 {
                    writer.write_all(&std::process::id().to_le_bytes()).unwrap();
                    spin()
                })
                .unwrap()
        })
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.limit(), Some(Duration::from_secs(3)));
    drop(writer);
    let inner = read_pid(reader);
    eventually("the inner child is dead", || !is_running(inner));
}

fn read_pid(mut reader: impl std::io::Read) -> u32 {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

#[test]
fn when_the_inner_deadline_comes_first_only_the_inner_times_out() {
    let (text, left) = Timeout::new(LONG)
        .run(|| {
            let error = Timeout::new(0.1).run(|| -> u8 { spin() }).unwrap_err();
            assert!(error.is_timeout());
            (error.to_string(), remaining())
        })
        .unwrap();
    assert!(text.contains("timed out after 0.1 s"), "{text}");
    assert!(left.unwrap() > Duration::from_secs(1));
}

#[test]
fn remaining_tells_the_nearest_deadline() {
    assert_eq!(remaining(), None);
    let left = Timeout::new(LONG).run(|| {
        let own = remaining();
        let inner_longer = Timeout::new(10 * LONG).run(remaining).unwrap();
        let inner_shorter = Timeout::new(LONG / 2).run(remaining).unwrap();
        let inner_endless = Timeout::new(None::<u8>).run(remaining).unwrap();
        [own, inner_longer, inner_shorter, inner_endless].map(|left| left.unwrap())
    });
    let [own, longer, shorter, endless] = left.unwrap();
    assert!(own <= LONG && own > LONG / 2);
    assert!(longer <= own && endless <= own && shorter <= LONG / 2);
    assert_eq!(Timeout::new(None::<u8>).run(remaining).unwrap(), None);
    // A process that the body starts by itself is not the body.
    let grandchild = Timeout::new(LONG).run(|| {
        let mut child = Command::new("true");
        // SAFETY: it only reads the clock.
        unsafe { child.pre_exec(|| std::process::exit(i32::from(remaining().is_some()))) };
        child.status().unwrap().code()
    });
    assert_eq!(grandchild.unwrap(), Some(0));
}

#[inline(never)]
fn a_function_that_hangs() -> u8 {
    let mut number = 0u64;
    loop {
        number = std::hint::black_box(number) + 1;
    }
}

#[inline(never)]
fn a_function_that_sleeps() -> u8 {
    thread::sleep(LONG);
    1
}

/// The functions of the trace, innermost first.
fn where_it_hung(body: fn() -> u8) -> Vec<String> {
    let error = traced(|| Timeout::new(2).run(body).unwrap_err());
    assert!(error.is_timeout());
    assert!(!error.to_string().contains('\n'), "{error}");
    let trace = error.trace().unwrap();
    assert!(format!("{error:#}").contains(&trace.to_string()));
    trace.frames().iter().map(|frame| frame.function.clone()).collect()
}

#[test]
fn a_hang_says_where() {
    let busy = where_it_hung(a_function_that_hangs);
    assert!(busy.iter().take(2).any(|name| name.ends_with("a_function_that_hangs")), "{busy:#?}");
    let asleep = where_it_hung(a_function_that_sleeps);
    assert!(asleep.iter().any(|name| name.ends_with("a_function_that_sleeps")), "{asleep:#?}");
    assert!(asleep.iter().any(|name| name.contains("sleep")), "{asleep:#?}");
    for name in busy.iter().chain(&asleep) {
        assert!(!name.contains("timeout_runtime"), "{name}");
    }
}

#[test]
fn a_hang_in_a_third_party_crate_names_its_functions() {
    let found = where_it_hung(|| {
        let regex = fancy_regex::RegexBuilder::new(r"^(a|aa)+\1c$")
            .backtrack_limit(usize::MAX)
            .build()
            .unwrap();
        u8::from(regex.is_match(&("a".repeat(60) + "b")).unwrap())
    });
    assert!(found.iter().any(|name| name.contains("fancy_regex::vm::run")), "{found:#?}");
}

#[test]
fn a_hang_that_cannot_answer_has_no_trace_and_is_no_later() {
    // SAFETY: it takes numbers.
    let stopped = Timeout::new(2).run(|| unsafe { libc::raise(libc::SIGSTOP) }).unwrap_err();
    assert!(stopped.is_timeout() && stopped.trace().is_none(), "{stopped:?}");
    assert!(stopped.elapsed() < LONG);
    let blocked = Timeout::new(2).grace(0).run(|| -> u8 {
        nix::sys::signal::SigSet::all().thread_block().unwrap();
        spin()
    });
    let blocked = blocked.unwrap_err();
    assert!(blocked.is_timeout() && blocked.trace().is_none(), "{blocked:?}");
    // Asked before it can answer, or just after.
    let too_early = Timeout::new(1e-9).run(|| -> u8 { spin() }).unwrap_err();
    assert!(too_early.is_timeout() && too_early.elapsed() < LONG, "{too_early:?}");
}
