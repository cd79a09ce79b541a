//! `#[timeout(.., start = "fork")] async fn`: what is decorated, and what becomes of its arguments.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::pending;
use std::io::Write;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use timeout_runtime::{Error, timeout};

use super::pause;
use crate::support::{LONG, spin};

#[derive(Clone, Copy, Debug)]
enum End {
    Value,
    Hang,
    Panic,
    Crash,
}

impl End {
    fn limit(self) -> f64 {
        if let Self::Hang = self { 0.1 } else { 60.0 }
    }

    async fn reach(self) {
        match self {
            Self::Value => pause(0.001).await,
            Self::Hang => pending().await,
            Self::Panic => panic!("as it should"),
            Self::Crash => std::process::abort(),
        }
    }
}

const FAILURES: [End; 3] = [End::Hang, End::Panic, End::Crash];

#[timeout(how.limit(), start = "fork")]
async fn fill(numbers: &mut Vec<u32>, name: &mut String, how: End) -> usize {
    numbers.push(7);
    name.clear();
    how.reach().await;
    name.push_str("filled");
    numbers.len()
}

#[tokio::test]
async fn changes_are_committed_on_success_and_rolled_back_on_failure() {
    let (mut numbers, mut name) = (vec![1], String::from("empty"));
    for how in FAILURES {
        fill(&mut numbers, &mut name, how).await.unwrap_err();
        assert_eq!((&numbers[..], name.as_str()), (&[1][..], "empty"), "{how:?}");
    }
    assert_eq!(fill(&mut numbers, &mut name, End::Value).await.unwrap(), 2);
    assert_eq!((&numbers[..], name.as_str()), (&[1, 7][..], "filled"));
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counter {
    count: u32,
}

trait Counts {
    async fn count(&mut self, how: End) -> Result<u32, Error>;
}

impl Counts for Counter {
    #[timeout(how.limit(), start = "fork")]
    async fn count(&mut self, how: End) -> Result<u32, Error> {
        self.count += 1;
        how.reach().await;
        Ok(self.count)
    }
}

impl Counter {
    #[timeout(60, start = "fork")]
    async fn made(count: impl Into<u32> + Send) -> Self {
        Self { count: count.into() }
    }

    #[timeout(60, start = "fork")]
    async fn looked_at(&self) -> u32 {
        pause(0.001).await;
        self.count
    }

    #[timeout(60, start = "fork")]
    async fn consumed(mut self) -> u32 {
        self.count += 1;
        self.count
    }

    #[timeout(60, start = "fork", local(self))]
    async fn left_behind(&mut self) -> u32 {
        self.count += 1;
        self.count
    }
}

#[tokio::test]
async fn self_is_an_argument_too() {
    let mut counter = Counter::made(1u8).await.unwrap();
    for how in FAILURES {
        counter.count(how).await.unwrap_err();
        assert_eq!(counter.count, 1, "{how:?}");
    }
    assert_eq!(counter.count(End::Value).await.unwrap(), 2);
    assert_eq!(counter.looked_at().await.unwrap(), 2);
    assert_eq!((counter.left_behind().await.unwrap(), counter.count), (3, 2));
    assert_eq!(counter.consumed().await.unwrap(), 3);
}

#[tokio::test]
async fn arguments_of_every_kind() {
    #[timeout(60, start = "fork")]
    async fn longest<'a, T, const N: usize>(
        (first, mut rest): (&'a T, [&'a T; N]),
        into: &mut [u8],
    ) -> usize
    where
        T: AsRef<str> + Sync + ?Sized,
    {
        rest.sort_by_key(|text| text.as_ref().len());
        pause(0.001).await;
        into[1..].fill(9);
        rest.last().map_or(0, |last| last.as_ref().len().max(first.as_ref().len()))
    }
    let mut bytes = [1, 2, 3];
    assert_eq!(longest(("ab", ["abc", "a"]), &mut bytes).await.unwrap(), 3);
    assert_eq!(bytes, [1, 9, 9]);

    #[timeout(60, start = "fork", local(log))]
    async fn logged(log: &mut (dyn Write + Send)) -> bool {
        writeln!(log, "a line").is_ok()
    }
    let mut log = Vec::new();
    assert!(logged(&mut log).await.unwrap() && log.is_empty());

    #[timeout(60, start = "fork")]
    async unsafe fn unchecked(bytes: &[u8]) -> u8 {
        // SAFETY: the caller says that there is one.
        unsafe { *bytes.get_unchecked(0) }
    }
    // SAFETY: there is one.
    assert_eq!(unsafe { unchecked(&[7]) }.await.unwrap(), 7);

    #[timeout(60, start = "fork")]
    async fn collected<K>(into: &mut HashMap<K, Vec<K>>, key: K)
    where
        K: Serialize + DeserializeOwned + Clone + Eq + std::hash::Hash + Send,
    {
        into.entry(key.clone()).or_default().push(key);
    }
    let mut into = HashMap::new();
    collected(&mut into, 7).await.unwrap();
    assert_eq!(into[&7], [7]);
}

#[tokio::test]
async fn keys_say_what_is_returned() {
    #[timeout(limit, start = "fork", wrap)]
    async fn wrapped(limit: f64) -> Result<u8, String> {
        pause(0.2).await;
        Err("own".into())
    }
    assert_eq!(wrapped(60.0).await.unwrap(), Err("own".into()));
    assert!(wrapped(0.01).await.unwrap_err().is_timeout());

    #[timeout(limit, start = "fork", on_timeout = text.len())]
    async fn replaced(limit: f64, text: String) -> usize {
        pause(0.2).await;
        // It is moved here, and still the caller's.
        drop(text);
        0
    }
    assert_eq!(replaced(60.0, "ab".into()).await, 0);
    assert_eq!(replaced(0.01, "ab".into()).await, 2);

    #[timeout(0.05, start = "fork", panic, grace = 0)]
    async fn panicking() -> u8 {
        spin()
    }
    let panic = tokio::spawn(panicking()).await.unwrap_err().into_panic();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.starts_with("panicking timed out after 50 ms (stopped by SIGKILL"), "{text}");

    #[timeout(0.05, start = "fork", original = unlimited)]
    async fn limited(seconds: f64) -> u32 {
        pause(seconds).await;
        std::process::id()
    }
    assert!(limited(5.0).await.unwrap_err().is_timeout());
    assert_eq!(unlimited(0.1).await, std::process::id());
}

#[tokio::test]
async fn calls_nest_and_recur() {
    #[timeout(60, start = "fork")]
    async fn depth(left: u8) -> u8 {
        if left == 0 { 0 } else { 1 + Box::pin(depth(left - 1)).await.unwrap() }
    }
    assert_eq!(depth(4).await.unwrap(), 4);

    /// The inner limit is the farther one: the outer ends both (on Linux).
    #[timeout(0.5, start = "fork")]
    async fn outer() {
        super::run(|| std::thread::sleep(LONG)).await.unwrap();
    }
    let error = outer().await.unwrap_err();
    assert!(error.is_timeout() && error.function() == "outer", "{error}");
}

/// `Send` but not `Sync`, moved into the body.
#[timeout(60, start = "fork")]
async fn sent(cell: Cell<u8>) -> u8 {
    pause(0.001).await;
    cell.get()
}

#[tokio::test(flavor = "multi_thread")]
async fn futures_cross_threads_where_their_arguments_do() {
    fn crosses<F: Future + Send>(future: F) -> F {
        future
    }
    assert_eq!(tokio::spawn(crosses(sent(Cell::new(7)))).await.unwrap().unwrap(), 7);
    let text = String::from("moved");
    let owned = crosses(timeout_runtime::Timeout::new(60).run_async(move || text.len()));
    assert_eq!(tokio::spawn(owned).await.unwrap().unwrap(), 5);
    let (mut numbers, mut name) = (vec![], String::new());
    assert_eq!(crosses(fill(&mut numbers, &mut name, End::Value)).await.unwrap(), 1);
    assert_eq!(crosses(Counter::default().count(End::Value)).await.unwrap(), 1);
}

#[tokio::test]
async fn nothing_of_it_happens_before_it_is_polled() {
    #[timeout(60, start = "fork")]
    async fn quick() -> bool {
        timeout_runtime::remaining().is_some_and(|left| left.as_secs_f64() > 50.0)
    }
    let calls = (quick(), timeout_runtime::Timeout::new(60).run_async(timeout_runtime::remaining));
    pause(10.0).await;
    assert!(calls.0.await.unwrap());
    assert!(calls.1.await.unwrap().unwrap().as_secs_f64() > 50.0);
}

#[timeout(60, start = "fork")]
#[tokio::test]
async fn a_test_below() {
    pause(0.001).await;
    assert!(timeout_runtime::remaining().is_some());
}

#[tokio::test]
#[timeout(60, start = "fork")]
async fn a_test_above() {
    pause(0.001).await;
    assert!(timeout_runtime::remaining().is_some());
}

#[timeout(0.1, start = "fork")]
#[tokio::test]
#[should_panic(expected = "a_test_that_hangs timed out after 0.1 s (stopped by")]
async fn a_test_that_hangs() {
    pending().await
}
