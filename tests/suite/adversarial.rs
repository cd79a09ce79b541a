//! Bodies that work against the call, by accident or by intent. Each has its own kind of error, in
//! time, and leaves nothing behind.

use std::fs::{self, File};
use std::io::{Read, Write, pipe, stdout};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, Uid, getpgid, getpgrp, getpid, getppid, setpgid, setsid, setuid};
use serde::{Deserialize, Serialize};
use timeout_runtime::{Call, Error, ErrorKind, Timeout, error::StoppedBy};

use crate::support::{
    LONG, Traces, address_space, bound_processes, eventually, isolated, pipes, prompt, rerun, spin,
    text, write_to_pipes,
};

/// What an error must be.
macro_rules! assert_kind {
    ($error:expr, $kind:pat $(if $guard:expr)?) => {
        let error: &Error = &$error;
        assert!(matches!(error.kind(), $kind $(if $guard)?), "{error:?}");
    };
}

/// As [`isolated`], for calls that leave nothing behind.
#[track_caller]
fn traceless(scenario: impl FnOnce()) {
    isolated(|| {
        Timeout::new(LONG).run(|| 1).unwrap();
        let before = Traces::now();
        scenario();
        before.assert_unchanged();
    });
}

fn run<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    prompt(|timeout| timeout.run(body))
}

/// Starts what never ends; it must have begun long before its limit.
fn start<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Call<T> {
    Timeout::new(2).grace(LONG).start(body).unwrap()
}

/// The same, of what SIGTERM does not end.
fn start_stubborn<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Call<T> {
    Timeout::new(2).grace(0.3).start(body).unwrap()
}

/// The error of what never ends.
#[track_caller]
fn ran_out<T: Serialize + for<'a> Deserialize<'a>>(call: Call<T>) -> Error {
    let Err(error) = call.join() else { panic!("it gave a value") };
    assert!(error.elapsed() >= Duration::from_secs(2), "{error:?}");
    assert!(error.elapsed() < LONG, "{error:?}");
    error
}

#[track_caller]
fn run_out<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    ran_out(start(body))
}

fn run_out_of_grace<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    ran_out(start_stubborn(body))
}

fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: the handlers of this file touch atomics, `raise` and `_exit` alone.
    unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
}

fn raise(signal: i32) {
    // SAFETY: it takes a number.
    unsafe { libc::raise(signal) };
}

/// More numbers than there are descriptors open.
const DESCRIPTORS: i32 = 256;

#[derive(Clone, Copy, Debug)]
enum Replacement {
    Null,
    FullPipe,
    Socket,
}

/// Puts one thing in the place of every descriptor.
fn replace_all(replacement: Replacement) {
    let (file, _kept) = match replacement {
        Replacement::Null => {
            (OwnedFd::from(File::options().write(true).open("/dev/null").unwrap()), None)
        }
        Replacement::FullPipe => {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all(&[0; 64 << 10]).unwrap();
            (OwnedFd::from(writer), Some(OwnedFd::from(reader)))
        }
        Replacement::Socket => {
            let (one, other) = UnixStream::pair().unwrap();
            (OwnedFd::from(one), Some(OwnedFd::from(other)))
        }
    };
    let file = file.into_raw_fd();
    let kept = _kept.map(IntoRawFd::into_raw_fd);
    for descriptor in 0..DESCRIPTORS {
        if Some(descriptor) != kept {
            // SAFETY: in a child of this test, where nobody uses what is closed by it.
            unsafe { libc::dup2(file, descriptor) };
        }
    }
}

#[test]
fn a_body_that_replaces_every_descriptor_is_told() {
    traceless(|| {
        let all = [Replacement::Null, Replacement::FullPipe, Replacement::Socket];
        let calls = all.map(|replacement| {
            start(move || -> u8 {
                replace_all(replacement);
                spin()
            })
        });
        for replacement in all {
            for size in [1, 1 << 20] {
                let error = run(|| {
                    replace_all(replacement);
                    "x".repeat(size)
                });
                let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
                assert!(cause.reason().contains("closed or replaced the descriptor"), "{cause}");
            }
            let error = run(|| -> u8 {
                replace_all(replacement);
                panic!("without descriptors")
            });
            assert_kind!(error, ErrorKind::Panicked { message, .. } if message == "without descriptors");
            let error = run(|| -> u8 {
                replace_all(replacement);
                exit(3)
            });
            assert_kind!(error, ErrorKind::Exited(3));
        }
        for call in calls {
            let error = ran_out(call);
            assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
        }
    });
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn a_body_that_closes_the_standard_streams_too_is_told() {
    fn close_all() {
        for descriptor in 0..DESCRIPTORS {
            let _ = nix::unistd::close(descriptor);
        }
    }
    traceless(|| {
        let error = run(|| {
            close_all();
            println!("to nobody");
            7
        });
        assert_kind!(error, ErrorKind::Encode(_));
        let error = run(|| -> u8 {
            close_all();
            eprintln!("to nobody");
            panic!("without descriptors")
        });
        assert_kind!(error, ErrorKind::Panicked { message, .. } if message == "without descriptors");
        let error = run_out(|| -> u8 {
            close_all();
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
    });
}

/// Every descriptor, the streams that the harness watches included: in a process of its own.
#[test]
fn garbage_in_every_descriptor_is_a_decode_error() {
    const INNER: &str = "TIMEOUT_TEST_GARBAGE";
    if std::env::var_os(INNER).is_none() {
        let name = "adversarial::garbage_in_every_descriptor_is_a_decode_error";
        let output = rerun(name, INNER, "1", &["--nocapture"]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        return;
    }
    let write_to_all = |bytes: &[u8]| {
        for descriptor in 0..DESCRIPTORS {
            // SAFETY: the bytes live through the call.
            unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
        }
    };
    for garbage in [&b"garbage"[..], b"\xF7", &[0xFF; 4096]] {
        let error = run(|| {
            write_to_all(garbage);
            7u32
        });
        assert_kind!(error, ErrorKind::Decode(_));
        // What is no frame is the end of it: the limit is not waited for.
        if garbage.len() > 8 {
            let error = run(|| -> u32 {
                write_to_all(garbage);
                spin()
            });
            assert_kind!(error, ErrorKind::Decode(_));
        }
    }
}

#[test]
fn garbage_without_end_is_a_decode_error_at_once() {
    traceless(|| {
        let before = pipes();
        let error = run(|| -> u32 {
            loop {
                write_to_pipes(&before, &[0; 4096]);
            }
        });
        assert_kind!(error, ErrorKind::Decode(_));
    });
}

/// A record as it crosses the pipe.
fn record(tag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[0xF7, 0x54, tag, 0][..], &length, payload].concat()
}

const DATA: u8 = 1;
const COMPLETE: u8 = 2;
const PANICKED: u8 = 3;
const ENCODE_FAILED: u8 = 4;
const READY: u8 = 5;
const CONTENDED: u8 = 6;

fn whole_frame(value: u32) -> Vec<u8> {
    [record(DATA, &value.to_le_bytes()), record(COMPLETE, &4u64.to_le_bytes())].concat()
}

#[test]
fn what_a_body_forges_before_it_returns_is_no_value() {
    traceless(|| {
        let before = pipes();
        let frame = whole_frame(7);
        // The beginning of a frame: what follows is taken for its rest.
        let mut forgeries: Vec<Vec<u8>> = (1..=frame.len()).map(|n| frame[..n].to_vec()).collect();
        forgeries.extend([
            [frame.as_slice(), b"and more"].concat(),
            [frame.as_slice(), &frame].concat(),
            record(COMPLETE, &(1u64 << 60).to_le_bytes()),
            record(COMPLETE, b""),
            record(DATA, &[7; 5]),
            record(READY, &[1]),
            record(CONTENDED, &[3]),
            record(9, b"of no kind"),
        ]);
        for forged in forgeries {
            let error = run(|| {
                write_to_pipes(&before, &forged);
                8u32
            });
            // Where the rest of the frame is taken for a part of a record, the end is missing.
            let is_told = matches!(error.kind(), ErrorKind::Decode(_) | ErrorKind::Exited(0));
            assert!(is_told, "{forged:?}: {error:?}");
        }
    });
}

#[test]
fn a_body_that_forges_the_end_of_a_call_gets_that_end() {
    traceless(|| {
        let before = pipes();
        let forged = |bytes: &[u8]| {
            Timeout::new(10 * LONG).run(|| -> u32 {
                write_to_pipes(&before, bytes);
                exit(0)
            })
        };
        // It might as well have returned it.
        assert_eq!(forged(&whole_frame(7)).unwrap(), 7);
        assert_kind!(forged(&record(PANICKED, b"?")).unwrap_err(), ErrorKind::Panicked { .. });
        assert_kind!(forged(&record(ENCODE_FAILED, b"?")).unwrap_err(), ErrorKind::Encode(_));
    });
}

#[test]
fn a_forged_length_costs_nothing() {
    traceless(|| {
        let before = pipes();
        let length = record(DATA, &(1u64 << 60).to_le_bytes());
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        // Far less than the length says, and than an allocation in good faith would take.
        let room = address_space() + (256 << 20);
        setrlimit(Resource::RLIMIT_AS, room.min(hard), hard).unwrap();
        let error = run(|| {
            write_to_pipes(&before, &length);
            "value".to_owned()
        });
        assert_kind!(error, ErrorKind::Decode(_));
        let error = run(|| -> Vec<u64> {
            write_to_pipes(&before, &length);
            exit(0)
        });
        assert_kind!(error, ErrorKind::Exited(0));
        let error = run_out(|| -> Vec<String> {
            write_to_pipes(&before, &length);
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { .. });
        setrlimit(Resource::RLIMIT_AS, soft, hard).unwrap();
    });
}

/// What takes no bytes does not run out of them.
#[test]
fn a_forged_length_of_nothing_ends_soon() {
    traceless(|| {
        let before = pipes();
        let error = run(|| -> Vec<()> {
            write_to_pipes(&before, &record(DATA, &u64::MAX.to_le_bytes()));
            spin()
        });
        assert_kind!(error, ErrorKind::Decode(_));
        let value = Timeout::new(LONG).run(|| vec![(); 1_000_000]);
        assert_eq!(value.unwrap().len(), 1_000_000);
    });
}

/// A descriptor that does not wait for room is no reason to lose a value.
#[test]
fn a_result_pipe_that_was_made_nonblocking_carries_the_whole_value() {
    traceless(|| {
        let before = pipes();
        let value = Timeout::new(LONG).run(|| {
            for descriptor in pipes().into_iter().filter(|pipe| !before.contains(pipe)) {
                // SAFETY: numbers.
                unsafe { libc::fcntl(descriptor, libc::F_SETFL, libc::O_NONBLOCK) };
            }
            "x".repeat(8 << 20)
        });
        assert_eq!(value.unwrap().len(), 8 << 20);
    });
}

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
fn state(process: u32) -> char {
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

/// No process of the group runs.
fn group_is_gone(group: u32) -> bool {
    let of_group = |stat: &str| {
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let state = fields.next().unwrap_or_default();
        state != "Z" && fields.nth(1) == Some(group.to_string().as_str())
    };
    !fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .any(|stat| of_group(&stat))
}

/// A counter that all processes of a bomb share.
fn shared_counter() -> &'static AtomicU32 {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new page of zeros, which stays for as long as the process.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        &*page.cast::<AtomicU32>()
    }
}

/// So many processes at once, and in all: the second bound holds should the first not.
const AT_ONCE: u64 = 64;
const IN_ALL: u32 = 20_000;

/// Forks while it may; each process does, for as long as it lives.
fn fork_without_end(forks: &AtomicU32) -> ! {
    while forks.fetch_add(1, Ordering::Relaxed) < IN_ALL {
        // SAFETY: both sides go on in this function, which allocates nothing.
        if unsafe { libc::fork() } < 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    thread::sleep(10 * LONG);
    exit(0)
}

/// Goes on in a child of its own again and again: whoever looks for it finds the one before.
fn flee_without_end(forks: &AtomicU32) -> ! {
    while forks.fetch_add(1, Ordering::Relaxed) < IN_ALL {
        // SAFETY: as above.
        if unsafe { libc::fork() } > 0 {
            // SAFETY: the other side goes on.
            unsafe { libc::_exit(0) };
        }
    }
    thread::sleep(10 * LONG);
    exit(0)
}

#[test]
fn a_fork_bomb_ends() {
    isolated(|| {
        bound_processes(AT_ONCE);
        let before = Traces::now();
        let forks = shared_counter();
        let (mut reader, mut writer) = pipe().unwrap();
        let error = run_out_of_grace(|| -> u8 {
            writer.write_all(&std::process::id().to_le_bytes()).unwrap();
            fork_without_end(forks)
        });
        assert_kind!(error, ErrorKind::TimedOut { .. });
        assert!(forks.load(Ordering::Relaxed) > 8, "it was no bomb");
        let mut group = [0; 4];
        reader.read_exact(&mut group).unwrap();
        assert!(group_is_gone(u32::from_le_bytes(group)));
        drop((reader, writer));
        assert_eq!(Timeout::new(LONG).run(|| 7).unwrap(), 7);
        before.assert_unchanged();
    });
}

#[test]
fn processes_that_flee_from_one_to_the_next_end_with_the_body() {
    type End = fn() -> u8;
    let ends: [End; 3] = [|| 7, || exit(3), || spin()];
    isolated(|| {
        bound_processes(AT_ONCE);
        let before = Traces::now();
        let forks = shared_counter();
        for end in ends {
            forks.store(0, Ordering::Relaxed);
            let (mut reader, mut writer) = pipe().unwrap();
            let result = Timeout::new(3).grace(0.3).run(|| {
                writer.write_all(&std::process::id().to_le_bytes()).unwrap();
                for _ in 0..4 {
                    // SAFETY: the child stays in `flee_without_end`, which allocates nothing.
                    if unsafe { libc::fork() } == 0 {
                        flee_without_end(forks);
                    }
                }
                thread::sleep(Duration::from_millis(20));
                end()
            });
            match result {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => {
                    assert_kind!(error, ErrorKind::Exited(3) | ErrorKind::TimedOut { .. });
                }
            }
            let mut group = [0; 4];
            reader.read_exact(&mut group).unwrap();
            assert!(group_is_gone(u32::from_le_bytes(group)));
        }
        before.assert_unchanged();
    });
}

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

#[test]
fn a_body_that_becomes_another_program_ends_as_that_does() {
    fn become_program(program: &str, arguments: &[&str]) -> String {
        Command::new(program).args(arguments).exec().to_string()
    }
    traceless(|| {
        let error = run(|| become_program("sh", &["-c", "exit 3"]));
        assert_kind!(error, ErrorKind::Exited(3));
        let error = run(|| become_program("true", &[]));
        assert_kind!(error, ErrorKind::Exited(0));
        let error = run(|| become_program("sh", &["-c", "kill -SEGV $$"]));
        assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGSEGV, .. });
        let error = run_out(|| become_program("sleep", &["600"]));
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
        assert!(error.trace().is_none());
        let error = run_out_of_grace(|| become_program("sh", &["-c", "trap '' TERM; sleep 600"]));
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill });
        // What could not be started is for the body to say.
        let said = Timeout::new(LONG).run(|| become_program("/nonexistent", &[]));
        assert!(said.unwrap().contains("No such file"));
    });
}

#[test]
fn a_program_that_writes_to_an_inherited_result_pipe_gives_no_value() {
    traceless(|| {
        let before = pipes();
        let error = run(|| {
            let mut program = Command::new("bash");
            let script =
                "for number; do echo 'garbage out of a program' >&$number; done; sleep 600";
            program.args(["-c", script, "bash"]);
            for descriptor in pipes().into_iter().filter(|pipe| !before.contains(pipe)) {
                // SAFETY: numbers. From now on it stays open in other programs.
                unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
                program.arg(descriptor.to_string());
            }
            program.stderr(null()).exec().to_string()
        });
        assert_kind!(error, ErrorKind::Decode(_));
    });
}

fn null() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

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

#[test]
fn a_body_without_memory_aborts_or_says_so() {
    fn limit_memory() {
        let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, (address_space() + (32 << 20)).min(hard), hard).unwrap();
        nix::unistd::dup2_stderr(null()).unwrap();
    }
    traceless(|| {
        let error = run(|| {
            limit_memory();
            vec![1u8; 1 << 30].len()
        });
        assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGABRT, .. });
        let error = run(|| {
            limit_memory();
            let mut held = Vec::new();
            loop {
                held.push("x".repeat(1000));
            }
            #[expect(unreachable_code)]
            0u8
        });
        assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGABRT, .. });
        let said = Timeout::new(LONG).run(|| {
            limit_memory();
            let refused = Vec::<u8>::new().try_reserve(1 << 30);
            refused.unwrap_err().to_string()
        });
        assert!(said.unwrap().contains("memory allocation failed"));
        // A panic needs a little itself.
        let error = run(|| -> u8 {
            limit_memory();
            let mut held: Vec<Vec<u8>> = Vec::with_capacity(1 << 16);
            loop {
                let mut more = Vec::new();
                if more.try_reserve_exact(64 << 10).is_err() {
                    panic!("{} pieces are all", held.len());
                }
                held.push(more);
            }
        });
        assert_kind!(error, ErrorKind::Panicked { message, .. } if message.ends_with("are all"));
    });
}

#[test]
fn a_body_that_used_up_its_processor_time_was_ended_by_a_signal() {
    let error = run(|| -> u8 {
        let (_, hard) = getrlimit(Resource::RLIMIT_CPU).unwrap();
        setrlimit(Resource::RLIMIT_CPU, 1, hard).unwrap();
        spin()
    });
    assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGXCPU, .. });
    assert!(error.to_string().contains("SIGXCPU"), "{error}");
}

#[test]
fn what_the_library_uses_itself_is_not_needed_to_end() {
    extern "C" fn leave(_: i32) {
        // SAFETY: it ends the process.
        unsafe { libc::_exit(9) };
    }
    fn prctl(option: i32, argument: libc::c_ulong) {
        // SAFETY: the options used here take one number.
        assert_eq!(unsafe { libc::prctl(option, argument, 0, 0, 0) }, 0);
    }
    fn as_superuser(action: impl FnOnce()) {
        if Uid::effective().is_root() {
            action();
        }
    }
    let meddle: [(&str, fn()); 15] = [
        ("asks for the trace: default", || {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGURG, libc::SIG_DFL) };
        }),
        ("asks for the trace: ignored", || {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGURG, libc::SIG_IGN) };
        }),
        ("asks for the trace: the body's", || handle(libc::SIGURG, leave)),
        ("the alarm: masked", || {
            let mut alarm = SigSet::empty();
            alarm.add(Signal::SIGALRM);
            alarm.thread_block().unwrap();
        }),
        ("the alarm: ignored", || {
            // SAFETY: no handler is installed.
            unsafe { libc::signal(libc::SIGALRM, libc::SIG_IGN) };
        }),
        ("the alarm: set for later", || {
            // SAFETY: a number.
            unsafe { libc::alarm(600) };
        }),
        ("ties: none", || prctl(libc::PR_SET_PDEATHSIG, 0)),
        ("ties: no look from outside", || prctl(libc::PR_SET_DUMPABLE, 0)),
        ("rights: none by exec", || prctl(libc::PR_SET_NO_NEW_PRIVS, 1)),
        ("descriptors: none more", || {
            setrlimit(Resource::RLIMIT_NOFILE, 0, 0).unwrap();
        }),
        ("files: of no size", || {
            setrlimit(Resource::RLIMIT_FSIZE, 0, 0).unwrap();
        }),
        ("folder: deleted", || {
            let name = std::env::temp_dir().join(format!("timeout-gone-{}", std::process::id()));
            fs::create_dir(&name).unwrap();
            std::env::set_current_dir(&name).unwrap();
            fs::remove_dir(&name).unwrap();
        }),
        ("root: elsewhere", || as_superuser(|| nix::unistd::chroot("/proc/self/fdinfo").unwrap())),
        ("user: nobody", || as_superuser(|| setuid(Uid::from_raw(65534)).unwrap())),
        ("turn: last", || {
            // SAFETY: a number.
            unsafe { libc::nice(19) };
        }),
    ];
    traceless(|| {
        let mut calls = Vec::new();
        for (name, meddle) in meddle {
            let value = Timeout::new(LONG).run(|| {
                meddle();
                "x".repeat(100_000)
            });
            assert_eq!(value.unwrap().len(), 100_000, "{name}");
            let error = run(|| -> u8 {
                meddle();
                panic!("after that")
            });
            assert!(matches!(error.kind(), ErrorKind::Panicked { .. }), "{name}: {error:?}");
            let call = Timeout::new(4).start(move || -> u8 {
                meddle();
                spin()
            });
            calls.push((name, call.unwrap()));
        }
        for (name, call) in calls {
            let error = call.join().unwrap_err();
            assert!(error.is_timeout(), "{name}: {error:?}");
            assert!(error.elapsed() < LONG, "{name}: {error:?}");
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

#[cfg(target_os = "linux")]
#[test]
fn a_body_that_forbade_itself_all_system_calls_is_killed_for_the_next() {
    // SAFETY: numbers. From there on it may read, write and little else.
    let error = run(|| unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) });
    assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGKILL, .. });
}
