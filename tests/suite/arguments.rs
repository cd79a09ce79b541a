//! Arguments: seen as they were at the call; what the body does to a `&mut` one is committed when
//! the call succeeds and rolled back when it fails.

use std::io::Write;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use timeout_runtime::{Error, timeout};

use crate::support::spin;

#[derive(Clone, Copy)]
enum End {
    Return,
    Fail,
    Hang,
    Panic,
    Crash,
}

impl End {
    /// Short where it is to be over, and nowhere else.
    fn limit(self) -> f64 {
        if let End::Hang = self { 0.1 } else { 60.0 }
    }
}

fn end(end: End) -> Result<u8, String> {
    match end {
        End::Return => Ok(1),
        End::Fail => Err("own".to_owned()),
        End::Hang => spin(),
        End::Panic => panic!("over"),
        End::Crash => std::process::abort(),
    }
}

#[timeout(how.limit())]
fn fill(numbers: &mut Vec<u32>, name: &mut String, how: End) -> u8 {
    numbers.push(4);
    name.push_str(" changed");
    end(how).unwrap_or(9)
}

#[test]
fn changes_are_committed_on_success_and_rolled_back_on_failure() {
    let (mut numbers, mut name) = (vec![1, 2, 3], "name".to_owned());
    for how in [End::Hang, End::Panic, End::Crash] {
        fill(&mut numbers, &mut name, how).unwrap_err();
        assert_eq!((&numbers[..], &*name), (&[1, 2, 3][..], "name"));
    }
    assert_eq!(fill(&mut numbers, &mut name, End::Return).unwrap(), 1);
    assert_eq!((&numbers[..], &*name), (&[1, 2, 3, 4][..], "name changed"));
    // The body returned, if only an error: what it did stands.
    assert_eq!(fill(&mut numbers, &mut name, End::Fail).unwrap(), 9);
    assert_eq!((&numbers[..], &*name), (&[1, 2, 3, 4, 4][..], "name changed changed"));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counter {
    count: u32,
    log: Vec<String>,
}

impl Counter {
    #[timeout(how.limit())]
    fn add(&mut self, amount: u32, how: End) -> Result<u32, anyhow::Error> {
        self.count += amount;
        self.log.push(format!("added {amount}"));
        end(how).map_err(anyhow::Error::msg)?;
        Ok(self.count)
    }

    /// Takes `self` away from itself.
    #[timeout(60)]
    fn by_another_name(&mut self) -> u32 {
        let this = self;
        this.count += 1;
        this.count
    }
}

#[test]
fn self_is_an_argument_too() {
    let mut counter = Counter { count: 1, log: vec![] };
    for how in [End::Hang, End::Panic, End::Crash] {
        counter.add(5, how).unwrap_err();
        assert_eq!(counter, Counter { count: 1, log: vec![] });
    }
    assert_eq!(counter.add(5, End::Return).unwrap(), 6);
    assert_eq!(counter, Counter { count: 6, log: vec!["added 5".into()] });
    assert_eq!(counter.by_another_name().unwrap(), 7);
    assert_eq!(counter.count, 7);
}

#[test]
fn slices_are_carried_back_in_place() {
    #[timeout(60)]
    fn sort(numbers: &mut [u64], names: &mut [String]) -> usize {
        numbers.sort_unstable();
        names.reverse();
        // The reference itself may be moved.
        let moved = numbers;
        moved.len()
    }
    let mut numbers = [3, 1, 2, 9];
    let mut names = ["a".to_owned(), "b".to_owned()];
    assert_eq!(sort(&mut numbers[..3], &mut names).unwrap(), 3);
    assert_eq!(numbers, [1, 2, 3, 9]);
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn generic_and_opaque_arguments_are_carried_back_by_their_bounds() {
    #[timeout(60)]
    fn replace<T>(place: &mut T, value: T)
    where
        T: Serialize + serde::de::DeserializeOwned,
    {
        *place = value;
    }
    let mut place = Some(1);
    replace(&mut place, None).unwrap();
    assert_eq!(place, None);
}

#[test]
fn what_is_local_stays_in_the_child() {
    #[timeout(60, local(log, sink))]
    fn write(log: &mut Vec<u8>, sink: &mut dyn Write, total: &mut u32) -> usize {
        log.extend(b"of the child");
        sink.write_all(b"to the sink").unwrap();
        *total += 1;
        log.len()
    }
    let (mut log, mut total) = (Vec::new(), 1);
    let mut sink = Vec::new();
    assert_eq!(write(&mut log, &mut sink, &mut total).unwrap(), 12);
    assert_eq!((log.len(), sink.len(), total), (0, 0, 2));

    struct Handle {
        used: u32,
    }
    impl Handle {
        #[timeout(60, local(self))]
        fn use_once(&mut self) -> u32 {
            self.used += 1;
            self.used
        }
    }
    let mut handle = Handle { used: 0 };
    assert_eq!(handle.use_once().unwrap(), 1);
    assert_eq!(handle.used, 0);
}

/// Tells in which process it is dropped.
struct Tells<'a>(&'a Mutex<std::io::PipeWriter>);

impl Drop for Tells<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().write_all(&std::process::id().to_le_bytes()).unwrap();
    }
}

/// The processes in which an argument was dropped.
fn dropped_in(call: impl FnOnce(Tells<'_>) -> Result<(), Error>) -> Vec<u32> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let writer = Mutex::new(writer);
    call(Tells(&writer)).unwrap();
    drop(writer);
    let mut told = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut told).unwrap();
    told.chunks(4).map(|pid| u32::from_le_bytes(pid.try_into().unwrap())).collect()
}

#[test]
fn an_argument_is_dropped_by_the_caller_and_by_a_body_that_takes_it() {
    #[timeout(60)]
    fn takes(argument: Tells<'_>) {
        drop(argument);
    }
    #[timeout(60)]
    fn looks(argument: Tells<'_>) {
        let _seen = &argument.0;
    }
    let both = dropped_in(takes);
    assert_eq!(both.len(), 2);
    assert!(both[0] != std::process::id() && both[1] == std::process::id());
    assert_eq!(dropped_in(looks), [std::process::id()]);
}

#[test]
fn a_returned_value_is_dropped_by_the_caller_alone() {
    #[derive(Deserialize)]
    struct Value(u32);
    impl Serialize for Value {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.serialize(serializer)
        }
    }
    impl Drop for Value {
        fn drop(&mut self) {
            // In the child it would end as an exit, not as a value.
            if std::process::id() != self.0 {
                std::process::exit(3);
            }
        }
    }
    let caller = std::process::id();
    let value = timeout_runtime::Timeout::new(60).run(|| Value(caller));
    assert_eq!(value.unwrap().0, caller);
}
