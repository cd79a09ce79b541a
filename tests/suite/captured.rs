//! What a body prints in a test is where the test's own output is: in the failing test's section
//! where the harness captures, and on the streams, straight through, where it does not.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, exit};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use serde::{Deserialize, Deserializer, Serialize};
use timeout_runtime::{ErrorKind, Timeout, timeout};

#[cfg(not(timeout_portable))]
use crate::methods::printed;
use crate::support::{LONG, rerun, spin, text};

const SCENARIO: &str = "TIMEOUT_TEST_PRINTS";
const NAME: &str = "captured::a_failing_test";

/// The test that the others run in a process of its own. By itself it does nothing.
#[test]
fn a_failing_test() {
    let Ok(scenario) = env::var(SCENARIO) else { return };
    match scenario.as_str() {
        "all" => print_in_all_ways(),
        "pass" => return print_in_all_ways(),
        "times out" => times_out(),
        "panics" => panics(),
        "exits" => exits(),
        "dropped" => is_dropped(),
        "elsewhere" => joined_elsewhere(),
        "much" => print_much(),
        "letters" => print_letters(),
        "nested" => nested(),
        "threads" => threads(),
        "storm" => storm(),
        "left behind" => left_behind(),
        "descriptors" => few_descriptors(),
        "streams" => return keeps_its_streams(),
        #[cfg(not(timeout_portable))]
        "every method" => printed::print_by_every_method(),
        other => unreachable!("{other}"),
    }
    panic!("so that it is shown");
}

/// What a failing test's section says before the panic of the test itself.
#[track_caller]
pub fn captured(scenario: &str, arguments: &[&str]) -> String {
    let output = rerun(NAME, SCENARIO, scenario, arguments);
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(101), "{said}{errors}");
    assert_eq!(errors, "");
    let head = format!(
        "\nrunning 1 test\ntest {NAME} ... FAILED\n\nfailures:\n\n---- {NAME} stdout ----\n"
    );
    let Some(section) = said.strip_prefix(&head) else { panic!("something else first: {said}") };
    let (printed, rest) = section.split_once("\nthread '").unwrap();
    assert!(rest.contains("so that it is shown"), "{said}");
    printed.to_owned()
}

#[timeout(60)]
fn print_everything() {
    println!("a line");
    print!("a part, ");
    println!("the rest");
    eprintln!("an error");
    dbg!(1 + 1);
    let echo = "echo from a program; echo and its error >&2";
    assert!(Command::new("sh").args(["-c", echo]).status().unwrap().success());
    print!("unflushed");
}

fn print_in_all_ways() {
    println!("before");
    print_everything().unwrap();
    println!(", after");
    // And once more, for the first call of a thread has to find out where it is.
    Timeout::new(LONG).run(|| println!("a second call")).unwrap();
}

const ALL: [&str; 10] = [
    "before\n",
    "a line\n",
    "a part, the rest\n",
    "an error\n",
    "1 + 1 = 2\n",
    "from a program\n",
    "and its error\n",
    "unflushed",
    ", after\n",
    "a second call\n",
];

/// All parts, each once and in this order.
#[track_caller]
fn assert_in_order(said: &str, parts: &[&str]) {
    let mut rest = said;
    for part in parts {
        assert_eq!(said.matches(part).count(), 1, "{part:?} in {said}");
        let Some((_, after)) = rest.split_once(part) else { panic!("{part:?} too early: {said}") };
        rest = after;
    }
}

#[test]
fn it_is_in_the_section_of_the_failing_test_in_order_and_once() {
    for arguments in [&[][..], &["--test-threads=1"]] {
        let printed = captured("all", arguments);
        assert_in_order(&printed, &ALL);
        let place = printed.lines().find(|line| line.contains("1 + 1")).unwrap();
        let rest = printed.replace(place, "");
        let expected = ALL.concat().replace("1 + 1 = 2", "");
        assert_eq!(rest, expected);
    }
}

#[test]
fn without_capture_it_goes_straight_through() {
    for arguments in [&["--nocapture"][..], &["--nocapture", "--test-threads=1"]] {
        let output = rerun(NAME, SCENARIO, "all", arguments);
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        let is_error = |part: &&str| part.contains("error") || part.contains("1 + 1");
        let (of_stderr, of_stdout): (Vec<_>, Vec<_>) = ALL.into_iter().partition(is_error);
        assert_in_order(&said, &of_stdout);
        assert_in_order(&errors, &of_stderr);
        let of_both = ALL.iter().all(|part| (said.clone() + &errors).matches(part).count() == 1);
        assert!(of_both, "{said}{errors}");
    }
}

fn keeps_its_streams() {
    let streams = || ["1", "2"].map(|number| fs::read_link(format!("/proc/self/fd/{number}")).ok());
    for _ in 0..2 {
        assert_eq!(Timeout::new(LONG).run(streams).unwrap(), streams());
    }
    // Nor does the body hold a lock that its threads need.
    Timeout::new(LONG).run(|| thread::spawn(|| println!("of a thread")).join().unwrap()).unwrap();
}

#[test]
fn without_capture_the_body_has_the_streams_of_the_test() {
    let output = rerun(NAME, SCENARIO, "streams", &["--nocapture"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_passing_test_shows_nothing() {
    for arguments in [&[][..], &["--test-threads=1"]] {
        let output = rerun(NAME, SCENARIO, "pass", arguments);
        assert_eq!(text(&output.stderr), "");
        let said = text(&output.stdout);
        let head = format!("\nrunning 1 test\ntest {NAME} ... ok\n\ntest result: ok. 1 passed;");
        assert!(said.starts_with(&head), "{said}");
    }
}

fn print_before_the_end() {
    println!("a line");
    print!("flushed");
    std::io::stdout().flush().unwrap();
}

fn times_out() {
    let body = || -> u8 {
        print_before_the_end();
        spin()
    };
    assert!(Timeout::new(1).run(body).unwrap_err().is_timeout());
    assert!(Timeout::new(1).grace(0).run(body).unwrap_err().is_timeout());
}

fn panics() {
    let error = Timeout::new(LONG).run(|| -> u8 {
        print_before_the_end();
        panic!("said by the error")
    });
    println!("|{}", error.unwrap_err());
}

fn exits() {
    for end in [|| exit(3), || std::process::abort()] {
        let error = Timeout::new(LONG).run(|| -> u8 {
            print_before_the_end();
            end()
        });
        let error = error.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Exited(3) | ErrorKind::Signaled { .. }));
    }
}

#[test]
fn whatever_the_end_what_was_printed_before_it_is_there() {
    assert_eq!(captured("times out", &[]), "a line\nflushed".repeat(2));
    assert_eq!(captured("exits", &[]), "a line\nflushed".repeat(2));
    let printed = captured("panics", &[]);
    assert!(printed.starts_with("a line\nflushed|"), "{printed}");
    assert_eq!(printed.matches("said by the error").count(), 1, "{printed}");
}

fn is_dropped() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let call = Timeout::new(LONG).start(|| -> u8 {
        println!("of a call that was dropped");
        writer.write_all(b".").unwrap();
        spin()
    });
    reader.read_exact(&mut [0]).unwrap();
    drop(call.unwrap());
    let mut call = Timeout::new(LONG)
        .start(|| {
            println!("of one that was cancelled");
            writer.write_all(b".").unwrap();
            spin()
        })
        .unwrap();
    reader.read_exact(&mut [0]).unwrap();
    call.cancel();
    let result: Result<u8, _> = call.join();
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::Cancelled));
}

fn joined_elsewhere() {
    let call = Timeout::new(LONG).start(|| println!("of a call that went elsewhere")).unwrap();
    // The standard library gives its threads the capture of those who start them.
    thread::spawn(|| call.join().unwrap()).join().unwrap();
}

#[test]
fn a_call_that_is_dropped_cancelled_or_joined_elsewhere_is_no_exception() {
    let printed = captured("dropped", &[]);
    assert_eq!(printed, "of a call that was dropped\nof one that was cancelled\n");
    assert_eq!(captured("elsewhere", &[]), "of a call that went elsewhere\n");
}

/// A value that is a while in reading.
#[derive(Serialize)]
struct Slow(String);

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        thread::sleep(Duration::from_millis(100));
        String::deserialize(deserializer).map(Self)
    }
}

fn print_much() {
    let value = Timeout::new(LONG).run(|| {
        // From both sides of the return, so that the caller is asked for both at once.
        let printer = thread::spawn(|| (0..1 << 15).for_each(|n| println!("{n:031}")));
        let value = Slow("v".repeat(1 << 20));
        printer.join().unwrap();
        value
    });
    assert_eq!(value.unwrap().0.len(), 1 << 20);
}

#[test]
fn more_than_a_pipe_holds_comes_whole_beside_a_large_value() {
    let printed = captured("much", &[]);
    assert_eq!(printed.len(), 1 << 20);
    assert!(printed.lines().enumerate().all(|(n, line)| line.parse() == Ok(n)));
}

fn print_letters() {
    let body = || {
        let mut stdout = std::io::stdout();
        for byte in "aé€😀".bytes() {
            stdout.write_all(&[byte]).unwrap();
            stdout.flush().unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        stdout.write_all(b"|\xFF|\xE2\x82").unwrap();
    };
    Timeout::new(LONG).run(body).unwrap();
    let long = || println!("|{}", "€".repeat(100_000));
    Timeout::new(LONG).run(long).unwrap();
}

#[test]
fn letters_of_many_bytes_come_whole_and_what_is_none_is_marked() {
    let expected = format!("aé€😀|\u{FFFD}|\u{FFFD}|{}\n", "€".repeat(100_000));
    assert!(captured("letters", &[]) == expected);
}

fn nested() {
    Timeout::new(LONG)
        .run(|| {
            println!("outer");
            Timeout::new(LONG).run(|| println!("inner")).unwrap();
            thread::spawn(|| Timeout::new(LONG).run(|| println!("of a thread")).unwrap())
                .join()
                .unwrap();
            println!("outer again");
        })
        .unwrap();
}

#[test]
fn calls_in_bodies_print_to_the_same_place() {
    assert_eq!(captured("nested", &[]), "outer\ninner\nof a thread\nouter again\n");
}

fn threads() {
    Timeout::new(LONG)
        .run(|| thread::spawn(|| println!("of a body's thread")).join().unwrap())
        .unwrap();
    // A thread of the test shares the capture of the test.
    let call = || Timeout::new(LONG).run(|| println!("of a test's thread")).unwrap();
    thread::spawn(call).join().unwrap();
}

#[test]
fn threads_of_bodies_and_of_tests_print_to_the_same_place() {
    assert_eq!(captured("threads", &[]), "of a body's thread\nof a test's thread\n");
}

fn storm() {
    // It takes the locks all the time and prints seldom: what is captured stays in memory, and the
    // cost of each fork grows with that.
    thread::spawn(|| {
        for n in 0u64.. {
            print!("{}", if n % 1024 == 0 { "." } else { "" });
        }
    });
    for n in 0..100 {
        Timeout::new(LONG).run(|| println!("<{n}>")).unwrap();
    }
}

#[test]
fn other_threads_of_the_test_may_print_meanwhile() {
    let printed = captured("storm", &[]);
    let numbers: String = printed.chars().filter(|letter| *letter != '.').collect();
    assert_eq!(numbers, (0..100).map(|n| format!("<{n}>\n")).collect::<String>());
}

fn left_behind() {
    let value = Timeout::new(LONG).run(|| {
        println!("a line");
        // It leaves the group of the child, and prints for as long as somebody reads.
        (0..8).for_each(|_| drop(Command::new("setsid").arg("yes").spawn().unwrap()));
        thread::sleep(Duration::from_millis(100));
        7
    });
    assert_eq!(value.unwrap(), 7);
}

#[test]
fn what_outlives_the_child_is_not_waited_for() {
    let printed = captured("left behind", &[]);
    let rest = printed.strip_prefix("a line\n").unwrap();
    assert!(rest.chars().all(|letter| "y\n".contains(letter)));
}

/// No call fails for want of descriptors that only the capture needs.
fn few_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Closed at once: the number of the next descriptor.
    let next = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
    let next = u64::try_from(next).unwrap();
    for free in 0..8 {
        setrlimit(Resource::RLIMIT_NOFILE, next + free, hard).unwrap();
        let result = Timeout::new(LONG).run(|| free);
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        let needed = if cfg!(timeout_portable) { 2 } else { 3 };
        match result {
            Ok(value) => assert!(value == free && free >= needed),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Start(_)) && free < needed),
        }
    }
    Timeout::new(LONG).run(|| println!("and again")).unwrap();
}

#[test]
fn too_few_descriptors_are_nothing_to_print_about() {
    assert_eq!(captured("descriptors", &[]), "and again\n");
}
