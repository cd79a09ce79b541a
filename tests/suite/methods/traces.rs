//! Where a body hung or crashed, and why that is not known where it is not.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use timeout_runtime::error::{Frame, Trace, Untraced};
use timeout_runtime::{Error, ErrorKind, StartMethod, Timeout, timeout};

use super::METHODS;
use crate::support::{self, LONG, spin, traced};

/// Under which a body gets to run on a busy machine.
const LIMIT: u64 = 2;

type Call = fn(Timeout) -> Result<u8, Error>;

/// Each call by each method, all at once. What is said of an error fails the test.
fn each<T: Copy + Send + Sync>(calls: &[(Call, T)], look: impl Fn(StartMethod, Error, T) + Sync) {
    thread::scope(|scope| {
        for method in METHODS {
            for &(call, expected) in calls {
                let look = &look;
                scope.spawn(move || {
                    let timeout = Timeout::new(LIMIT).grace(LONG).start_method(method);
                    let error = call(timeout).unwrap_err();
                    look(method, error, expected);
                });
            }
        }
    });
}

fn names(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.function.as_str()).collect()
}

/// In this order, innermost first; the last one is the body.
#[track_caller]
fn assert_names(trace: &Trace, expected: &[&str], context: &str) {
    let frames = trace.frames();
    let mut rest = frames.iter();
    for name in expected {
        let is_there = rest.any(|frame| frame.function.ends_with(name));
        assert!(is_there, "{context}: no {name} in {:#?}", names(frames));
    }
    assert!(rest.next().is_none(), "{context}: there is more: {:#?}", names(frames));
    let (body, others) = frames.split_last().unwrap();
    assert!(body.is_body && others.iter().all(|frame| !frame.is_body), "{context}: {frames:#?}");
    let own = frames.iter().find(|frame| frame.function.contains("timeout_runtime"));
    assert_eq!(own, None, "{context}");
}

#[inline(never)]
fn busy() -> u8 {
    spin()
}

#[inline(never)]
fn sleeps() -> u8 {
    loop {
        thread::sleep(LONG);
    }
}

fn is_busy() -> u8 {
    busy()
}

fn locks() -> u8 {
    let lock = Mutex::new(7);
    let first = lock.lock();
    let second = lock.lock();
    u8::from(first.is_ok() && second.is_ok())
}

fn reads() -> u8 {
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut byte = [0];
    std::io::Read::read_exact(&mut &reader, &mut byte).unwrap();
    byte[0]
}

extern "C" fn compares(_: *const libc::c_void, _: *const libc::c_void) -> i32 {
    busy().into()
}

fn sorts() -> u8 {
    let mut bytes = [3u8, 2, 1];
    // SAFETY: three elements of one byte.
    unsafe {
        libc::qsort(
            bytes.as_mut_ptr().cast(),
            3,
            1,
            Some(compares as unsafe extern "C" fn(_, _) -> _),
        )
    };
    bytes[0]
}

fn matches() -> u8 {
    let mut pattern = fancy_regex::RegexBuilder::new(r"^(a|aa)+\1c$");
    pattern.backtrack_limit(usize::MAX);
    pattern.build().unwrap().is_match(&"a".repeat(200)).unwrap().into()
}

#[test]
fn a_hang_of_each_kind_is_traced_to_its_function() {
    let calls: [(Call, &[&str]); 6] = [
        (|timeout| timeout.call(is_busy, ()), &["::busy", "::is_busy"]),
        (|timeout| timeout.call(sleeps, ()), &["thread::functions::sleep", "::sleeps"]),
        (|timeout| timeout.call(locks, ()), &["::lock", "::locks"]),
        (|timeout| timeout.call(reads, ()), &["::read", "::reads"]),
        (|timeout| timeout.call(sorts, ()), &["::busy", "::compares", "::sorts"]),
        (|timeout| timeout.call(matches, ()), &["fancy_regex::vm::run", "::matches"]),
    ];
    let calls: Vec<_> = calls.iter().map(|&(call, names)| (call, (call, names))).collect();
    each(&calls, |method, first, (call, expected)| {
        let first = Mutex::new(Some(first));
        let error = traced(|| {
            let again = || call(Timeout::new(LIMIT).start_method(method)).unwrap_err();
            first.lock().unwrap().take().unwrap_or_else(again)
        });
        let trace = error.trace().unwrap();
        let context = format!("{method:?}");
        let names: Vec<_> = names(trace.frames());
        // What is between them differs between versions.
        let kept: Vec<_> = expected
            .iter()
            .filter(|name| names.iter().any(|frame| frame.contains(*name)))
            .collect();
        assert_eq!(kept.len(), expected.len(), "{context} {names:#?}");
        assert_names(trace, &expected[expected.len() - 1..], &context);
        assert_eq!(error.untraced(), None);
        let text = format!("{error:#}");
        assert!(text.contains(" (the body)\n"), "{text}");
        // One thread needs no name.
        assert!(!text.contains("thread `"), "{text}");
    });
}

fn block_all() {
    nix::sys::signal::SigSet::all().thread_block().unwrap();
}

fn starts_threads() -> u8 {
    let start = |name: &str, run: fn() -> u8| {
        thread::Builder::new().name(name.to_owned()).spawn(run).unwrap()
    };
    start("blocker", || {
        block_all();
        sleeps()
    });
    start("searcher", busy);
    start("sleeper", sleeps).join().unwrap()
}

/// In a copy of a process with other tests in it, the lock of who names a trace may be held for ever.
fn alone(test: &str, scenario: impl FnOnce()) {
    support::alone(&format!("methods::traces::{test}"), scenario);
}

// Nothing portable lists them.
#[cfg(not(timeout_portable))]
#[test]
fn each_thread_of_a_body_is_named_and_traced() {
    // One that has no processor for a tenth of a second does not answer.
    let is_whole = |error: &Error| {
        let threads = error.trace().map_or(&[][..], Trace::threads);
        let is_told = |thread: &&timeout_runtime::error::Thread| !thread.frames.is_empty();
        let is_blocked = |thread: &timeout_runtime::error::Thread| {
            thread.name.as_deref() == Some("blocker") && thread.untraced == Some(Untraced::Blocked)
        };
        threads.first().is_some_and(|body| is_told(&body))
            && threads.iter().filter(is_told).count() == 3
            && threads.iter().any(is_blocked)
    };
    let call: Call = |timeout| timeout.call(starts_threads, ());
    each(&[(call, ())], |method, first, ()| {
        let again = || call(Timeout::new(LIMIT).start_method(method)).unwrap_err();
        let mut errors = std::iter::once(first).chain(std::iter::repeat_with(again)).take(10);
        let error = errors.find(is_whole).expect("three stacks, of ten calls");
        let (trace, text) = (error.trace().unwrap(), format!("{error:#}"));
        let [body, others @ ..] = trace.threads() else { panic!("{method:?}") };
        assert!(body.is_body && !others.iter().any(|thread| thread.is_body), "{text}");
        assert_names(trace, &["::starts_threads"], &text);
        assert_eq!(body.frames, trace.frames());
        let threads = ["blocker", "searcher", "sleeper"].map(|name| {
            let is_it = |thread: &&_| -> bool {
                let thread: &timeout_runtime::error::Thread = thread;
                thread.name.as_deref() == Some(name)
            };
            others.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {text}"))
        });
        assert_eq!(others.len(), 3, "{text}");
        assert_eq!(
            (&threads[0].frames[..], threads[0].untraced),
            (&[][..], Some(Untraced::Blocked))
        );
        for (thread, function) in [(threads[1], "::busy"), (threads[2], "::sleeps")] {
            assert!(thread.frames.last().unwrap().function.ends_with(function), "{text}");
            assert!(thread.frames.iter().all(|frame| !frame.is_body), "{text}");
        }
        for line in [", of the body:\n", "\nthread `blocker`:\n      (no trace: it blocked "] {
            assert!(text.contains(line), "{text}");
        }
    });
}

fn stops() -> u8 {
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).unwrap();
    7
}

fn blocks() -> u8 {
    block_all();
    spin()
}

fn ignores() -> u8 {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGURG, libc::SIG_IGN) };
    spin()
}

fn becomes_another() -> u8 {
    let failed = nix::unistd::execv(c"/bin/sleep", &[c"sleep", c"600"]);
    panic!("{failed:?}")
}

// Nothing portable tells.
#[cfg(not(timeout_portable))]
#[test]
fn where_there_is_no_trace_the_error_says_why() {
    let calls: [(Call, _); 4] = [
        (|timeout| timeout.grace(0.1).call(stops, ()), (Untraced::Stopped, "it was stopped")),
        (
            |timeout| timeout.grace(0.1).call(blocks, ()),
            (Untraced::Blocked, "it blocked the signal that asks for one (SIGURG)"),
        ),
        (
            |timeout| timeout.call(ignores, ()),
            (Untraced::Handled, "the signal came to no handler that takes one"),
        ),
        (
            |timeout| timeout.call(becomes_another, ()),
            (Untraced::AnotherProgram, "it had become another program"),
        ),
    ];
    let calls: Vec<_> = calls.iter().map(|&(call, says)| (call, (call, says))).collect();
    each(&calls, |method, error, (call, (why, said))| {
        assert!(error.is_timeout() && error.trace().is_none(), "{method:?} {error:#}");
        // A second look may be too late on a busy machine.
        let again = || call(Timeout::new(LIMIT).grace(LONG).start_method(method)).unwrap_err();
        let mut errors = std::iter::once(error).chain(std::iter::repeat_with(again)).take(10);
        let error = errors.find(|error| error.untraced() != Some(Untraced::Silent));
        let error = error.expect("a reason, of ten calls");
        assert_eq!(error.untraced(), Some(why), "{method:?} {error:#}");
        assert_eq!(format!("{error:#}"), format!("{error}\nno trace: {said}"));
        assert_eq!(format!("{error:?}"), format!("{error:#}"));
    });
    for method in METHODS {
        let error = Timeout::new(0).start_method(method).call(busy, ()).unwrap_err();
        assert_eq!(error.untraced(), Some(Untraced::NotBegun), "{method:?}");
        assert!(format!("{error:#}").ends_with("\nno trace: the body had not begun"), "{error:#}");
    }
}

fn method(number: usize) -> StartMethod {
    METHODS[number]
}

fn waits_in(number: usize) -> u8 {
    Timeout::new(LONG).start_method(method(number)).call(is_busy, ()).unwrap()
}

#[timeout(LONG)]
fn decorated() -> u8 {
    busy()
}

fn waits_in_decorated(_: usize) -> u8 {
    decorated().unwrap()
}

#[test]
fn a_call_that_hangs_in_another_says_in_which() {
    type Outer = fn(usize) -> u8;
    let calls: [(&str, Outer, &[&str], usize); 4] = [
        ("is_busy", waits_in, &["::waits_in"], 0),
        ("is_busy", waits_in, &["::waits_in"], 1),
        ("is_busy", waits_in, &["::waits_in"], 2),
        ("decorated", waits_in_decorated, &["::decorated", "::waits_in_decorated"], 0),
    ];
    thread::scope(|scope| {
        for outer in METHODS {
            for (inner, _, expected, number) in calls {
                scope.spawn(move || {
                    let timeout = Timeout::new(LIMIT).start_method(outer);
                    let error = traced(|| match inner {
                        "decorated" => timeout.call(waits_in_decorated, (number,)).unwrap_err(),
                        _ => timeout.call(waits_in, (number,)).unwrap_err(),
                    });
                    let (trace, text) = (error.trace().unwrap(), format!("{error:#}"));
                    assert_names(trace, expected, &format!("{outer:?} {number} {text}"));
                    // All of them: no wait of the runtime's own is among them.
                    assert_eq!(trace.frames().len(), expected.len(), "{outer:?} {number} {text}");
                    let waits = trace.threads()[0].waits_in.as_deref();
                    assert!(waits.is_some_and(|name| name.ends_with(inner)), "{waits:?} {text}");
                    assert!(text.contains("(waits in a call of `"), "{text}");
                });
            }
        }
    });
}

fn has_a_call_that_hangs(number: usize) -> (Vec<String>, Option<String>) {
    let timeout = Timeout::new(LIMIT).start_method(method(number));
    let error = traced(|| timeout.call(is_busy, ()).unwrap_err());
    let thread = &error.trace().unwrap().threads()[0];
    let names = names(&thread.frames).into_iter().map(str::to_owned).collect();
    (names, thread.waits_in.clone())
}

#[test]
fn a_hang_in_an_inner_call_has_a_trace_of_its_own() {
    // The bodies name what they were told.
    alone("a_hang_in_an_inner_call_has_a_trace_of_its_own", || {
        thread::scope(|scope| {
            for outer in METHODS {
                for number in 0..3 {
                    scope.spawn(move || names_its_inner_call(outer, number));
                }
            }
        });
    });
}

fn names_its_inner_call(outer: StartMethod, number: usize) {
    let timeout = Timeout::new(LONG).start_method(outer);
    let (names, waits) = timeout.call(has_a_call_that_hangs, (number,)).unwrap();
    assert_eq!(waits, None, "{outer:?} {number}");
    let last = names.last().unwrap();
    assert!(last.ends_with("::is_busy"), "{outer:?} {number} {names:#?}");
    assert!(names.iter().any(|name| name.ends_with("::busy")), "{names:#?}");
}

#[inline(never)]
fn writes_to_nothing() -> u8 {
    // SAFETY: none: it is to crash.
    unsafe { std::ptr::without_provenance_mut::<u8>(std::hint::black_box(16)).write_volatile(7) };
    7
}

fn crashes() -> u8 {
    writes_to_nothing()
}

fn aborts() -> u8 {
    std::process::abort()
}

fn aborts_in_c() -> u8 {
    // SAFETY: it ends the process.
    unsafe { libc::abort() }
}

fn is_killed_by_abort() -> u8 {
    // It does not come back from there.
    nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGABRT).unwrap();
    7
}

fn calls_nothing() -> u8 {
    // SAFETY: none: it is to crash.
    let function: fn() -> u8 = unsafe { std::mem::transmute(std::hint::black_box(16usize)) };
    function() / 2
}

#[cfg(target_arch = "x86_64")]
fn is_no_instruction() -> u8 {
    // SAFETY: it raises SIGILL.
    unsafe { std::arch::asm!("ud2") };
    7
}

fn raises(signal: i32) -> u8 {
    // SAFETY: a number.
    unsafe { libc::raise(signal) };
    7
}

fn raises_fpe() -> u8 {
    raises(libc::SIGFPE)
}

#[expect(unconditional_recursion, reason = "it is to crash")]
#[inline(never)]
fn calls_itself(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 16]);
    calls_itself(room[3] + 1) + room[2]
}

fn overflows() -> u8 {
    nix::unistd::dup2_stderr(std::fs::File::options().write(true).open("/dev/null").unwrap())
        .unwrap();
    u8::from(calls_itself(1) > 7)
}

fn crashes_in_a_thread() -> u8 {
    let crasher = thread::Builder::new().name("crasher".to_owned()).spawn(crashes);
    crasher.unwrap().join().unwrap()
}

// The unwinder is known to take no lock with the C library of Linux alone.
#[cfg(all(target_os = "linux", target_env = "gnu", not(timeout_portable)))]
#[test]
fn a_crash_is_traced_to_its_function() {
    alone("a_crash_is_traced_to_its_function", || {
        let (segv, abort) = ((libc::SIGSEGV, "SIGSEGV"), (libc::SIGABRT, "SIGABRT"));
        let calls: [(Call, _); 9] = [
            (|timeout| timeout.call(crashes, ()), (segv, "::writes_to_nothing")),
            (|timeout| timeout.call(calls_nothing, ()), (segv, "::calls_nothing")),
            (|timeout| timeout.call(aborts, ()), (abort, "::aborts")),
            (|timeout| timeout.call(aborts_in_c, ()), (abort, "::aborts_in_c")),
            (|timeout| timeout.call(is_killed_by_abort, ()), (abort, "::is_killed_by_abort")),
            (|timeout| timeout.call(overflows, ()), (abort, "::calls_itself")),
            (|timeout| timeout.call(raises_fpe, ()), ((libc::SIGFPE, "SIGFPE"), "::raises_fpe")),
            (|timeout| timeout.call(crashes_in_a_thread, ()), (segv, "::crashes")),
            #[cfg(target_arch = "x86_64")]
            (
                |timeout| timeout.call(is_no_instruction, ()),
                ((libc::SIGILL, "SIGILL"), "::is_no_instruction"),
            ),
        ];
        let most = nix::sys::resource::Resource::RLIMIT_CORE;
        nix::sys::resource::setrlimit(most, 0, 0).unwrap();
        // A name takes a while to find where nothing is optimized: each of them by two methods.
        for (number, (call, ((signal, name), function))) in calls.into_iter().enumerate() {
            for method in [METHODS[0], METHODS[1 + number % 2]] {
                let error = call(Timeout::new(LONG).start_method(method)).unwrap_err();
                let (context, text) = (format!("{method:?} {function}"), format!("{error:#}"));
                let ErrorKind::Signaled { signal: was, .. } = error.kind() else {
                    panic!("{context}: {text}")
                };
                assert_eq!(*was, signal, "{context}: {text}");
                assert!(error.to_string().contains(name), "{text}");
                let trace = error.trace().unwrap_or_else(|| panic!("{context}: {text}"));
                assert_eq!(trace.threads().len(), 1);
                assert!(text.contains(function), "{context}: {text}");
                assert!(!text.contains("timeout_runtime::"), "{context}: {text}");
                let thread = &trace.threads()[0];
                if function == "::calls_itself" {
                    assert!(thread.is_cut && text.contains(" times)"), "{text}");
                } else if function == "::crashes" {
                    assert_eq!((thread.name.as_deref(), thread.is_body), (Some("crasher"), false));
                    assert!(text.contains("\nthread `crasher`:\n"), "{text}");
                } else {
                    assert!(thread.frames.last().unwrap().is_body, "{text}");
                }
            }
        }
    });
}

extern "C" fn leave(_: i32) {
    // SAFETY: it ends the process.
    unsafe { libc::_exit(9) };
}

fn handle(signal: i32) {
    // SAFETY: the handler makes one system call.
    unsafe { libc::signal(signal, leave as *const () as libc::sighandler_t) };
}

fn handles_its_crash() -> u8 {
    handle(libc::SIGSEGV);
    handle(libc::SIGABRT);
    crashes()
}

fn handles_its_abort() -> u8 {
    handle(libc::SIGABRT);
    aborts()
}

fn blocks_its_crash() -> u8 {
    block_all();
    crashes()
}

fn has_a_child_that_crashes() -> u8 {
    // SAFETY: the child crashes at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        return crashes();
    }
    nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None).unwrap();
    aborts_in_c()
}

#[test]
fn a_handler_of_the_bodys_replaces_the_librarys() {
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        for error in [timeout.call(handles_its_crash, ()), timeout.call(handles_its_abort, ())] {
            let error = error.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Exited(9)), "{method:?} {error:#}");
            assert_eq!((error.trace().is_none(), error.untraced()), (true, None));
        }
    }
}

// As above.
#[cfg(all(target_os = "linux", target_env = "gnu", not(timeout_portable)))]
#[test]
fn a_crash_of_which_nothing_is_told_says_why() {
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        let error = timeout.call(blocks_its_crash, ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGSEGV, .. }));
        assert_eq!(error.untraced(), Some(Untraced::Handled), "{method:?} {error:#}");
        // That of another process is not its own.
        let error = timeout.call(has_a_child_that_crashes, ()).unwrap_err();
        let text = format!("{error:#}");
        assert!(!text.contains("writes_to_nothing"), "{method:?} {text}");
        assert!(text.contains("aborts_in_c"), "{method:?} {text}");
    }
    let error = Timeout::new(LONG).call(|| raises(libc::SIGKILL), ()).unwrap_err();
    assert_eq!((error.trace().is_none(), error.untraced()), (true, None));
}

#[test]
fn a_handler_of_the_callers_stays_in_force() {
    alone("a_handler_of_the_callers_stays_in_force", || {
        handle(libc::SIGSEGV);
        let error = Timeout::new(LONG).run(crashes).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Exited(9)), "{error:#}");
    });
}

/// Its page, which the handler makes writable.
static PAGE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

extern "C" fn mend(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let page = PAGE.load(std::sync::atomic::Ordering::Relaxed);
    let page = std::ptr::with_exposed_provenance_mut(page);
    // SAFETY: it was mapped below.
    unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE) };
}

fn writes_what_is_mended() -> u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new mapping; the first write to it is mended by the handler.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_NONE, flags, -1, 0);
        PAGE.store(page.expose_provenance(), std::sync::atomic::Ordering::Relaxed);
        page.cast::<u8>().write_volatile(7);
        page.cast::<u8>().read_volatile()
    }
}

/// One that has the flags of the standard library's, so that it is taken for that, and called.
#[test]
fn a_handler_of_the_callers_that_mends_a_fault_does_so() {
    alone("a_handler_of_the_callers_that_mends_a_fault_does_so", || {
        // SAFETY: zero is valid, and is completed here.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = mend as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut());
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
        assert_eq!(Timeout::new(LONG).run(writes_what_is_mended).unwrap(), 7);
        // What comes after it is told, and not it.
        let error = Timeout::new(LONG).run(|| {
            writes_what_is_mended();
            aborts_in_c()
        });
        let text = format!("{:#}", error.unwrap_err());
        assert!(text.contains("SIGABRT") && !text.contains("mended"), "{text}");
    });
}

/// So long the caller waits for a trace, and a little.
#[test]
fn a_question_that_nobody_answers_does_not_hold_the_call_up() {
    let late = |error: &Error| error.elapsed().saturating_sub(Duration::from_secs(LIMIT));
    let error = Timeout::new(LIMIT).grace(0).run(blocks).unwrap_err();
    assert!(late(&error) < LONG / 10, "{:?}", error.elapsed());
}
