//! How a body can die, and what the error then says.

use std::env;
use std::io::{Read, pipe};
use std::process::{Command, exit};

use serde::de::Error as _;
use serde::ser::{Error as _, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use timeout_runtime::error::Untraced;
use timeout_runtime::{Error, ErrorKind, Timeout};

use crate::support::{LONG, isolated, outside, pipes, prompt, rerun, text, write_to_pipes};

fn run<T: Serialize + for<'a> Deserialize<'a>>(body: impl FnOnce() -> T) -> Error {
    prompt(|timeout| timeout.run(body))
}

#[track_caller]
fn panicked(error: &Error) -> (&str, Option<&str>) {
    let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error:?}") };
    assert_eq!(error.exit_code(), 101);
    (message, location.as_deref())
}

#[test]
fn a_panic_says_its_message_and_place() {
    let error = run(|| -> u8 { panic!("with a str") });
    let (message, location) = panicked(&error);
    let line = line!() - 2;
    assert_eq!(message, "with a str");
    assert!(location.unwrap().starts_with(&format!("{}:{line}:", file!())), "{location:?}");
    assert_eq!(
        error.to_string(),
        format!("{} panicked at {}: with a str", error.function(), location.unwrap())
    );
    assert_eq!(panicked(&run(|| -> u8 { panic!("formatted {}", 7) })).0, "formatted 7");
    assert_eq!(panicked(&run(|| -> u8 { std::panic::panic_any(7) })).0, "Box<dyn Any>");
    let long = "é".repeat(3 << 20);
    let error = run(|| -> u8 { panic!("{long}") });
    let (message, location) = panicked(&error);
    assert!(message.starts_with("ééé") && message.ends_with("é...") && location.is_some());
}

#[test]
fn a_panic_that_the_body_caught_is_not_its_end() {
    let value = Timeout::new(LONG).run(|| {
        let caught = std::panic::catch_unwind(|| panic!("caught"));
        u8::from(caught.is_err())
    });
    assert_eq!(value.unwrap(), 1);
    let resumed = run(|| -> u8 {
        let _ = std::panic::catch_unwind(|| panic!("caught"));
        std::panic::resume_unwind(Box::new("resumed"))
    });
    assert_eq!(panicked(&resumed), ("resumed", None));
    let joined = run(|| -> u8 {
        let thread = std::thread::spawn(|| panic!("of a thread"));
        std::panic::resume_unwind(thread.join().unwrap_err())
    });
    let (message, location) = panicked(&joined);
    assert_eq!(message, "of a thread");
    assert!(location.is_some());
}

#[test]
fn a_panic_is_not_printed_by_the_child() {
    const INNER: &str = "TIMEOUT_TEST_PANICS";
    if env::var_os(INNER).is_some() {
        let error = run(|| -> u8 { panic!("said once") });
        println!("{error}");
        return;
    }
    let name = "death::a_panic_is_not_printed_by_the_child";
    let output = rerun(name, INNER, "1", &["--nocapture"]);
    let all = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{all}");
    assert_eq!(all.matches("said once").count(), 1, "{all}");
}

#[inline(never)]
fn a_function_that_panics() -> u8 {
    let nothing: Option<u8> = std::hint::black_box(None);
    nothing.expect("something")
}

#[test]
fn a_panic_has_a_trace_where_the_environment_asks() {
    const ASKED: &str = "RUST_BACKTRACE";
    let name = "death::a_panic_has_a_trace_where_the_environment_asks";
    match env::var(ASKED).as_deref() {
        Ok("1") => {
            let error = run(a_function_that_panics);
            let trace = error.trace().expect("a trace was asked for");
            let functions: Vec<_> = trace.frames().iter().map(|frame| &frame.function).collect();
            let own = functions.iter().position(|name| name.ends_with("a_function_that_panics"));
            assert!(own.is_some_and(|own| own <= 3), "{functions:#?}");
            assert!(
                functions.iter().all(|name| !name.contains("timeout_runtime")),
                "{functions:#?}"
            );
            let (file, line) = trace.frames()[own.unwrap()].place.as_ref().unwrap();
            assert!(file.ends_with("death.rs") && *line > 1);
            assert!(!error.to_string().contains('\n'));
            let text = format!("{error:#}");
            assert!(text.contains("a_function_that_panics (the body)\n"), "{text}");
            assert!(trace.threads().len() == 1 && trace.threads()[0].is_body);
        }
        Ok("0") => {
            let error = run(a_function_that_panics);
            assert!(error.trace().is_none());
            assert_eq!(error.untraced(), Some(Untraced::NotAsked));
            let text = format!("{error:#}");
            assert!(text.ends_with("\nno trace: set RUST_BACKTRACE=1 to have one of a panic"));
        }
        _ => {
            for value in ["0", "1"] {
                let output = rerun(name, ASKED, value, &[]);
                assert!(output.status.success(), "{value}: {}", text(&output.stdout));
            }
        }
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

#[test]
fn a_panic_in_a_drop_after_the_value_is_a_panic() {
    let error = run(|| {
        let _guard = PanicsInDrop;
        "value".to_owned()
    });
    assert_eq!(panicked(&error).0, "in drop");
}

#[test]
fn a_panic_that_cannot_unwind_is_still_a_panic() {
    let twice = run(|| -> u8 {
        let _guard = PanicsInDrop;
        panic!("first")
    });
    let (message, _) = panicked(&twice);
    assert!(message.starts_with("in drop; panic in a destructor"), "{message}");
    extern "C" fn must_not_unwind() {
        panic!("out of C");
    }
    let out_of_c = run(|| must_not_unwind());
    assert!(panicked(&out_of_c).0.starts_with("out of C; panic in a function"), "{out_of_c}");
}

/// Does something while it is written.
struct WhileWritten(fn() -> String);

impl Serialize for WhileWritten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // More than a pipe, so that a part of it is on its way.
        let large = "x".repeat(1 << 20);
        (large, Written(self.0)).serialize(serializer)
    }
}

struct Written(fn() -> String);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom((self.0)()))
    }
}

impl<'de> Deserialize<'de> for WhileWritten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(String, u8)>::deserialize(deserializer).map(|_| Self(String::new))
    }
}

#[test]
fn what_happens_in_serialize_is_told_apart() {
    let error = run(|| WhileWritten(|| panic!("in serialize")));
    assert_eq!(panicked(&error).0, "in serialize");

    let error = run(|| WhileWritten(|| exit(6)));
    assert!(matches!(error.kind(), ErrorKind::Exited(6)), "{error}");

    let error = run(|| WhileWritten(|| "refused".to_owned()));
    let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
    assert_eq!(cause.type_name(), "suite::death::WhileWritten");
    assert!(cause.reason().contains("refused"), "{cause}");
    assert_eq!(error.exit_code(), 125);
    assert!(error.to_string().contains("WhileWritten"), "{error}");
}

#[test]
fn a_flattened_map_cannot_be_encoded() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: std::collections::HashMap<String, u8>,
    }
    let error = run(|| Flat { id: 1, rest: [("a".to_owned(), 2)].into() });
    let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
    assert!(cause.type_name().ends_with("Flat"), "{cause}");
}

/// A list of links, which a loop can write and only a recursion can read.
struct Links(Option<Box<Links>>);

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let links: Vec<_> = std::iter::successors(Some(self), |link| link.0.as_deref()).collect();
        let mut tuple = serializer.serialize_tuple(links.len())?;
        links.iter().try_for_each(|link| tuple.serialize_element(&u8::from(link.0.is_some())))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Links {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

#[test]
fn a_value_too_deep_for_the_callers_stack_is_a_decode_error() {
    let links =
        |length| move || (0..length).fold(Links(None), |links, _| Links(Some(Box::new(links))));
    isolated(|| {
        let error = run(links(1 << 20));
        let ErrorKind::Decode(cause) = error.kind() else { panic!("{error:?}") };
        assert!(cause.reason().contains("nested too deeply"), "{cause}");
        let back = Timeout::new(LONG).run(links(500)).unwrap();
        assert_eq!(std::iter::successors(Some(&back), |link| link.0.as_deref()).count(), 501);
    });
}

#[test]
fn a_value_that_refuses_to_be_read_is_a_decode_error() {
    #[derive(Debug, Serialize)]
    struct Picky(String);
    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(D::Error::custom(format!("{} letters are too many", text.len())))
        }
    }
    for size in [3, 1 << 20] {
        let error = run(|| Picky("x".repeat(size)));
        let ErrorKind::Decode(cause) = error.kind() else { panic!("{error:?}") };
        assert!(cause.type_name().ends_with("Picky"), "{cause}");
        assert_eq!(cause.reason(), format!("{size} letters are too many"));
    }
    #[derive(Serialize)]
    struct Lies;
    impl<'de> Deserialize<'de> for Lies {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u64::deserialize(deserializer).map(|_| Self)
        }
    }
    let error = run(|| Lies);
    assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{error:?}");
    struct TooLittle;
    impl Serialize for TooLittle {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            vec![1u8; 9].serialize(serializer)
        }
    }
    impl<'de> Deserialize<'de> for TooLittle {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u64::deserialize(deserializer).map(|_| Self)
        }
    }
    let error = run(|| TooLittle);
    assert!(error.to_string().contains("9 bytes came after the value"), "{error}");
}

#[test]
fn every_end_is_its_own_kind_and_seen_at_once() {
    // SAFETY (of the blocks below): each ends the child, and with it everything.
    for code in [0, 5] {
        let error = run(|| -> u8 { exit(code) });
        assert!(matches!(error.kind(), ErrorKind::Exited(seen) if *seen == code), "{error}");
        assert_eq!(i32::from(error.exit_code()), code);
    }
    for code in [0, 255] {
        let error = run(|| -> u8 { unsafe { libc::_exit(code) } });
        assert!(matches!(error.kind(), ErrorKind::Exited(seen) if *seen == code), "{error}");
    }
    let signaled = |error: &Error, expected| {
        let ErrorKind::Signaled { signal, .. } = error.kind() else { panic!("{error}") };
        assert_eq!(*signal, expected, "{error}");
        assert_eq!(i32::from(error.exit_code()), 128 + expected);
    };
    signaled(&run(|| -> u8 { std::process::abort() }), libc::SIGABRT);
    signaled(&run(|| -> u8 { unsafe { std::ptr::null::<u8>().read_volatile() } }), libc::SIGSEGV);
    signaled(&run(|| unsafe { libc::raise(libc::SIGKILL) }), libc::SIGKILL);
    signaled(&run(|| unsafe { libc::raise(libc::SIGTERM) }), libc::SIGTERM);
    let real_time = libc::SIGRTMIN() + 4;
    let error = run(|| unsafe { libc::raise(real_time) });
    signaled(&error, real_time);
    assert!(error.to_string().contains(&format!("signal {real_time}")), "{error}");
}

#[test]
fn a_stack_overflow_is_a_signal_and_says_so() {
    #[expect(unconditional_recursion)]
    fn deeper(n: u64) -> u64 {
        std::hint::black_box(deeper(std::hint::black_box(n) + 1)) + 1
    }
    let (mut reader, writer) = pipe().unwrap();
    let error = run(|| {
        nix::unistd::dup2_stderr(&writer).unwrap();
        deeper(0)
    });
    assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGABRT, .. }), "{error}");
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert!(said.contains("has overflowed its stack"), "{said}");
}

#[test]
fn sigkill_from_outside_is_a_signal() {
    let error = prompt(|timeout| {
        let call = timeout.start(|| -> u8 { crate::support::spin() })?;
        let killed = Command::new("kill").args(["-KILL", &call.id().to_string()]).status();
        assert!(killed.unwrap().success());
        call.join()
    });
    assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGKILL, .. }), "{error}");
}

#[test]
fn a_panic_in_a_program_that_aborts_on_panic_is_a_panic() {
    let aborts =
        "[dependencies]\nlibc = \"*\"\n[profile.release]\npanic = \"abort\"\nopt-level = 0";
    let output = outside("aborting", "tests/programs/behave.rs", aborts, &["panic"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{said}");
    assert!(said.starts_with("behave panicked at "), "{said}");
    assert!(said.contains("tests/programs/behave.rs:"), "{said}");
    assert!(said.trim_end().ends_with(": as told"), "{said}");
}

#[test]
fn closed_descriptors_are_told() {
    // Where no other test's child holds a copy of the pipe: its end is seen at once.
    isolated(closed_descriptors);
}

fn closed_descriptors() {
    let close_all = || {
        for descriptor in 3..1024 {
            let _ = nix::unistd::close(descriptor);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let error = run(|| {
        close_all();
        7
    });
    let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
    assert!(cause.reason().contains("closed or replaced the descriptor"), "{cause}");
    let error = run(|| -> u8 {
        close_all();
        panic!("without descriptors")
    });
    assert_eq!(panicked(&error).0, "without descriptors");
    let error = run(|| -> u8 {
        close_all();
        exit(3)
    });
    assert!(matches!(error.kind(), ErrorKind::Exited(3)), "{error}");
}

#[test]
fn replaced_descriptors_are_told() {
    isolated(replaced_descriptors);
}

fn replaced_descriptors() {
    let before = pipes();
    let error = run(|| {
        let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
        for descriptor in pipes().into_iter().filter(|pipe| !before.contains(pipe)) {
            // SAFETY: what is closed by this is used by nobody in this test.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), descriptor) };
        }
        "x".repeat(1 << 20)
    });
    let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
    assert!(cause.reason().contains("closed or replaced the descriptor"), "{cause}");
}

#[test]
fn garbage_in_the_pipe_is_a_decode_error() {
    isolated(garbage_in_the_pipe);
}

fn garbage_in_the_pipe() {
    let before = pipes();
    for garbage in [&b"hello, pipe"[..], &[0xF7, 0x54, 1, 0, 255, 255, 255, 255], &[0; 5000]] {
        let error = run(|| {
            write_to_pipes(&before, garbage);
            7u32
        });
        let ErrorKind::Decode(cause) = error.kind() else { panic!("{error:?}") };
        assert_eq!(cause.type_name(), "u32");
    }
}

#[test]
fn half_a_frame_is_no_value() {
    isolated(half_a_frame);
}

fn half_a_frame() {
    let before = pipes();
    let data = [0xF7, 0x54, 1, 0, 4, 0, 0, 0, 7, 0, 0, 0];
    for length in [3, 8, 10, 12] {
        let error = run(|| -> u32 {
            write_to_pipes(&before, &data[..length]);
            exit(0)
        });
        assert!(matches!(error.kind(), ErrorKind::Exited(0)), "{length}: {error:?}");
        let error = Timeout::new(0.1)
            .run(|| -> u32 {
                write_to_pipes(&before, &data[..length]);
                crate::support::spin()
            })
            .unwrap_err();
        assert!(error.is_timeout(), "{length}: {error:?}");
    }
}

#[test]
fn a_body_that_forks_and_returns_twice_gives_one_value() {
    let value = Timeout::new(LONG).run(|| {
        // SAFETY: both sides return from the body; the library ends the second.
        if unsafe { libc::fork() } == 0 {
            return "of the grandchild".to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        "of the child".to_owned()
    });
    assert_eq!(value.unwrap(), "of the child");
}
