//! Decorated functions of every kind.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::path::Path;
use std::process;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timeout_runtime::ErrorKind;

use super::{each, three_times};
use crate::support::{LONG, spin};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum End {
    Return,
    Hang,
    Panic,
    Crash,
}

impl End {
    /// Short where it is to be over, and nowhere else.
    pub fn limit(self) -> f64 {
        if let End::Hang = self { 0.2 } else { 60.0 }
    }

    pub fn meet(self) {
        match self {
            End::Return => {}
            End::Hang => spin(),
            End::Panic => panic!("as told"),
            End::Crash => process::abort(),
        }
    }
}

pub const FAILURES: [End; 3] = [End::Hang, End::Panic, End::Crash];

macro_rules! borrowing {
    ($start:tt) => {
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn text(text: &str, mut owned: String) -> String {
            owned.push_str(text);
            owned
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn sum(numbers: &[u64], more: &Vec<u64>, one: &u64) -> u64 {
            numbers.iter().chain(more).sum::<u64>() + *one
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn names<'a>(path: &'a Path, os: &OsStr, c: &CStr, words: &[String]) -> usize
        where
            'static: 'a,
        {
            path.as_os_str().len() + os.len() + c.count_bytes() + words.len()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn map(map: &BTreeMap<String, Option<u8>>) -> Option<u8> {
            map["b"]
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn nothing() {}
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn child(arguments: u8, sink: u8, call: u8, value: u8, crossing: u8, result: u8) -> u8 {
            arguments + sink + call + value + crossing + result
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn r#match(r#type: u8) -> u8 {
            r#type
        }
    };
}

three_times!(borrowed, borrowing);

#[test]
fn what_is_borrowed_is_sent_and_borrowed_there() {
    each!(borrowed, {
        assert_eq!(text("end", "begin".to_owned()).unwrap(), "beginend");
        assert_eq!(sum(&[1, 2], &vec![3], &4).unwrap(), 10);
        assert_eq!(sum(&[], &vec![], &0).unwrap(), 0);
        nothing().unwrap();
        assert_eq!(child(1, 2, 3, 4, 5, 6).unwrap(), 21);
        assert_eq!(r#match(3).unwrap(), 3);
        let words = ["a".to_owned(), "b".to_owned()];
        assert_eq!(names(Path::new("/x"), OsStr::new("yz"), c"w", &words).unwrap(), 7);
        let sent = [("a".to_owned(), None), ("b".to_owned(), Some(1))].into();
        assert_eq!(map(&sent).unwrap(), Some(1));
    });
}

macro_rules! changing {
    ($start:tt) => {
        #[timeout_runtime::timeout(how.limit(), start = $start)]
        pub fn fill(numbers: &mut Vec<u32>, name: &mut String, how: End) -> usize {
            numbers.push(4);
            name.push_str(" changed");
            how.meet();
            numbers.len()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn sort(numbers: &mut [u64], names: &mut [String]) -> usize {
            numbers.sort_unstable();
            names.reverse();
            let moved = numbers;
            moved.len()
        }
        #[timeout_runtime::timeout(LONG, start = $start, local(log))]
        pub fn write(log: &mut Vec<u8>, total: &mut u32) -> usize {
            log.extend(b"of the child");
            *total += 1;
            log.len()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn replace<T: Serialize + DeserializeOwned>(place: &mut T, value: T) {
            *place = value;
        }
    };
}

three_times!(changed, changing);

#[test]
fn changes_are_committed_on_success_and_rolled_back_on_failure() {
    each!(changed, {
        let (mut numbers, mut name) = (vec![1, 2, 3], "name".to_owned());
        for how in FAILURES {
            fill(&mut numbers, &mut name, how).unwrap_err();
            assert_eq!((&numbers[..], &*name), (&[1, 2, 3][..], "name"));
        }
        assert_eq!(fill(&mut numbers, &mut name, End::Return).unwrap(), 4);
        assert_eq!((&numbers[..], &*name), (&[1, 2, 3, 4][..], "name changed"));
        let mut numbers = [3, 1, 2, 9];
        let mut names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(sort(&mut numbers[..3], &mut names).unwrap(), 3);
        assert_eq!((numbers, &*names[0]), ([1, 2, 3, 9], "b"));
        let (mut log, mut total) = (Vec::new(), 1);
        assert_eq!(write(&mut log, &mut total).unwrap(), 12);
        assert_eq!((log.len(), total), (0, 2));
        let mut place = Some(1);
        replace(&mut place, None).unwrap();
        assert_eq!(place, None);
    });
}

macro_rules! returning {
    ($start:tt) => {
        #[timeout_runtime::timeout(how.limit(), start = $start, wrap)]
        pub fn wrapped(how: End, fails: bool) -> Result<u8, String> {
            how.meet();
            if fails { Err("own".to_owned()) } else { Ok(1) }
        }
        #[timeout_runtime::timeout(how.limit(), start = $start, panic)]
        pub fn panics(how: End) -> u8 {
            how.meet();
            1
        }
        #[timeout_runtime::timeout(how.limit(), start = $start, on_timeout = name.len() as u8)]
        pub fn instead(how: End, name: String) -> u8 {
            drop(name);
            how.meet();
            1
        }
        #[timeout_runtime::timeout(LONG, start = $start, original = pid_here)]
        pub fn pid() -> u32 {
            process::id()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn recurses(left: u32) -> Vec<u32> {
            let mut pids = if left == 0 { Vec::new() } else { recurses(left - 1).unwrap() };
            pids.push(process::id());
            pids
        }
    };
}

three_times!(returned, returning);

fn caught<T>(call: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    match std::panic::catch_unwind(call) {
        Ok(_) => "no panic".to_owned(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

#[test]
fn what_is_returned_is_as_the_keys_say() {
    each!(returned, {
        assert_eq!(wrapped(End::Return, false).unwrap(), Ok(1));
        assert_eq!(wrapped(End::Return, true).unwrap(), Err("own".to_owned()));
        assert!(wrapped(End::Hang, true).unwrap_err().is_timeout());
        assert_eq!(panics(End::Return), 1);
        assert!(caught(|| panics(End::Hang)).starts_with("panics timed out after 0.2 s"));
        assert!(caught(|| panics(End::Panic)).ends_with(": as told"));
        assert_eq!(instead(End::Return, "xy".into()), 1);
        assert_eq!(instead(End::Hang, "xy".into()), 2);
        assert!(caught(|| instead(End::Panic, "xy".into())).ends_with(": as told"));
        assert_ne!(pid().unwrap(), process::id());
        assert_eq!(pid_here(), process::id());
        let error = wrapped(End::Crash, false).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Signaled { signal: libc::SIGABRT, .. }));
        assert_eq!(error.function(), "wrapped");
    });
}

#[test]
fn recursion_goes_through_the_decorated_name() {
    each!(returned, {
        let mut pids = recurses(3).unwrap();
        pids.push(process::id());
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), 5);
    });
}
