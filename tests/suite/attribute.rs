//! The attribute: its arguments, what decorated functions return, whose body runs.

use std::process;

use timeout_runtime::{Error, ErrorKind, timeout};

use crate::support::spin;

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Failure {
    Own(u8),
    TimedOut,
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_timeout() { Self::TimedOut } else { Self::Other(error.to_string()) }
    }
}

/// What a body does when told.
#[derive(Clone, Copy)]
enum Act {
    Return,
    Fail,
    Hang,
    Panic,
}

impl Act {
    /// Short where it is to be over, and nowhere else.
    fn limit(self) -> f64 {
        if let Act::Hang = self { 0.1 } else { 60.0 }
    }
}

fn act(act: Act) -> Result<u8, Failure> {
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err(Failure::Own(2)),
        Act::Hang => spin(),
        Act::Panic => panic!("as told"),
    }
}

mod same_name {
    pub mod one {
        #[timeout_runtime::timeout(60)]
        pub fn which() -> u8 {
            1
        }
    }
    pub mod two {
        #[timeout_runtime::timeout(60)]
        pub fn which() -> u8 {
            #[timeout_runtime::timeout(60)]
            fn which() -> u8 {
                20
            }
            2 + which().unwrap()
        }
    }
}

#[test]
fn functions_of_one_name_each_run_their_own_body() {
    #[timeout(60)]
    fn which() -> u8 {
        3
    }
    assert_eq!(same_name::one::which().unwrap(), 1);
    assert_eq!(same_name::two::which().unwrap(), 22);
    assert_eq!(which().unwrap(), 3);
}

#[test]
fn the_body_runs_in_a_child_and_the_original_here() {
    #[timeout(60, original = pid_here)]
    fn pid() -> u32 {
        process::id()
    }
    assert_ne!(pid().unwrap(), process::id());
    assert_eq!(pid_here(), process::id());
}

#[test]
fn plain_returns_are_wrapped() {
    #[timeout(how.limit())]
    fn plain(how: Act) -> u8 {
        act(how).unwrap_or(9)
    }
    assert_eq!(plain(Act::Return).unwrap(), 1);
    assert!(plain(Act::Hang).unwrap_err().is_timeout());
    let error = plain(Act::Panic).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Panicked { .. }));
    assert_eq!(error.function(), "plain");

    #[timeout(60)]
    fn unit() {}
    let (): () = unit().unwrap();
}

#[test]
fn a_written_result_is_kept() {
    #[timeout(how.limit())]
    fn written(how: Act) -> Result<u8, Failure> {
        let value = act(how)?;
        Ok(value)
    }
    assert_eq!(written(Act::Return), Ok(1));
    assert_eq!(written(Act::Fail), Err(Failure::Own(2)));
    assert_eq!(written(Act::Hang), Err(Failure::TimedOut));
    let Err(Failure::Other(text)) = written(Act::Panic) else { panic!("no failure") };
    assert!(text.starts_with("written panicked at ") && text.ends_with(": as told"), "{text}");
}

#[test]
fn wrap_wraps_a_result_too() {
    #[timeout(how.limit(), wrap)]
    fn wrapped(how: Act) -> Result<u8, Failure> {
        act(how)
    }
    assert_eq!(wrapped(Act::Return).unwrap(), Ok(1));
    assert_eq!(wrapped(Act::Fail).unwrap(), Err(Failure::Own(2)));
    assert!(wrapped(Act::Hang).unwrap_err().is_timeout());
    #[timeout(60, wrap)]
    fn plain() -> u8 {
        1
    }
    assert_eq!(plain().unwrap(), 1);
}

/// The message of a panic in the caller.
fn caught<T>(call: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    match std::panic::catch_unwind(call) {
        Ok(_) => "no panic".to_owned(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

#[test]
fn panic_returns_what_is_written() {
    #[timeout(how.limit(), panic)]
    fn plain(how: Act) -> u8 {
        act(how).unwrap_or(9)
    }
    #[timeout(how.limit(), panic)]
    fn result(how: Act) -> Result<u8, Failure> {
        act(how)
    }
    #[timeout(how.limit(), panic)]
    fn hangs(how: Act) {
        let _ = act(how);
    }
    assert_eq!(plain(Act::Return), 1);
    assert!(caught(|| plain(Act::Hang)).starts_with("plain timed out after 0.1 s"));
    assert!(caught(|| plain(Act::Panic)).ends_with(": as told"));
    assert_eq!(result(Act::Fail), Err(Failure::Own(2)));
    assert!(caught(|| result(Act::Hang)).starts_with("result timed out after 0.1 s"));
    assert!(caught(|| hangs(Act::Hang)).starts_with("hangs timed out"));
}

#[test]
fn on_timeout_gives_the_value_when_time_runs_out() {
    #[timeout(how.limit(), on_timeout = name.len() as u8 + 40)]
    fn plain(how: Act, name: String) -> u8 {
        drop(name);
        act(how).unwrap_or(9)
    }
    #[timeout(how.limit(), on_timeout = Ok(50))]
    fn result(how: Act) -> Result<u8, Failure> {
        act(how)
    }
    #[timeout(how.limit(), on_timeout = Err(Failure::Own(60)), panic)]
    fn panicking(how: Act) -> Result<u8, Failure> {
        act(how)
    }
    assert_eq!(plain(Act::Return, "xy".into()), 1);
    assert_eq!(plain(Act::Hang, "xy".into()), 42);
    assert!(caught(|| plain(Act::Panic, "xy".into())).ends_with(": as told"));
    assert_eq!(result(Act::Hang), Ok(50));
    assert!(matches!(result(Act::Panic), Err(Failure::Other(_))));
    assert_eq!(panicking(Act::Hang), Err(Failure::Own(60)));
    assert!(caught(|| panicking(Act::Panic)).ends_with(": as told"));
}

#[test]
fn methods_run_with_their_self() {
    struct Parser {
        base: u32,
    }
    impl Parser {
        #[timeout(60)]
        fn add(&self, number: u32) -> u32 {
            self.base + number
        }
        #[timeout(60, panic)]
        fn into_base(self) -> u32 {
            self.base
        }
    }
    assert_eq!(Parser { base: 40 }.add(2).unwrap(), 42);
    assert_eq!(Parser { base: 40 }.into_base(), 40);
}

#[test]
fn the_runtime_may_have_another_name() {
    use timeout_runtime as renamed;
    mod inner {
        pub use timeout_runtime as elsewhere;
    }
    #[renamed::timeout(60, crate = inner::elsewhere)]
    fn value() -> u8 {
        5
    }
    assert_eq!(value().unwrap(), 5);
}

#[test]
fn recursion_goes_through_the_decorated_name() {
    #[timeout(60)]
    fn depth(left: u32) -> Vec<u32> {
        let mut pids = if left == 0 { Vec::new() } else { depth(left - 1).unwrap() };
        pids.push(process::id());
        pids
    }
    let mut pids = depth(3).unwrap();
    pids.push(process::id());
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 5);
}
