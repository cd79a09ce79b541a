//! `#[timeout(..)] async fn`

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Display;
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use timeout_runtime::{Error, ErrorKind, remaining, timeout};
use tokio::time::sleep;

#[derive(Debug, PartialEq)]
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

/// Neither serializes nor crosses threads.
#[derive(Debug)]
struct Unserializable(Rc<u8>);

async fn pause(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn plain_returns_are_wrapped() {
    #[timeout(2)]
    async fn plain(seconds: f64) -> Unserializable {
        pause(seconds).await;
        Unserializable(Rc::new(7))
    }
    assert_eq!(*plain(1.0).await.unwrap().0, 7);
    let error = plain(3.0).await.unwrap_err();
    assert_eq!(error.to_string(), "plain timed out after 2 s (cooperative)");
    assert_eq!((error.function(), error.elapsed().as_secs()), ("plain", 2));

    #[timeout(2)]
    async fn unit() {}
    let (): () = unit().await.unwrap();

    #[timeout(2)]
    async fn r#match() {
        pending().await
    }
    assert_eq!(r#match().await.unwrap_err().function(), "match");
}

#[tokio::test(start_paused = true)]
async fn a_written_result_is_kept() {
    #[timeout(limit)]
    async fn written(limit: f64, seconds: f64) -> Result<u8, Failure> {
        let failing = || Err(Failure::Own(2));
        if seconds == 0.0 {
            failing()?;
        }
        pause(seconds).await;
        if seconds > 1.0 {
            return Ok(1);
        }
        Ok(0)
    }
    assert_eq!(written(3.0, 2.0).await, Ok(1));
    assert_eq!(written(3.0, 1.0).await, Ok(0));
    assert_eq!(written(3.0, 0.0).await, Err(Failure::Own(2)));
    assert_eq!(written(1.0, 2.0).await, Err(Failure::TimedOut));
    let Err(Failure::Other(text)) = written(-1.0, 2.0).await else { panic!("no failure") };
    assert!(text.starts_with("written was not called: its limit of -1 s"), "{text}");

    #[timeout(1)]
    async fn of_io() -> std::io::Result<u8> {
        pending().await
    }
    assert_eq!(of_io().await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    #[timeout(1)]
    async fn of_anyhow(missing: bool) -> anyhow::Result<u8> {
        anyhow::ensure!(!missing, "missing");
        pending().await
    }
    assert!(of_anyhow(false).await.unwrap_err().downcast_ref::<Error>().unwrap().is_timeout());
    assert_eq!(of_anyhow(true).await.unwrap_err().to_string(), "missing");
}

#[tokio::test(start_paused = true)]
async fn keys_say_what_is_returned() {
    #[timeout(1, wrap)]
    async fn wrapped(seconds: f64) -> Result<u8, Failure> {
        pause(seconds).await;
        Err(Failure::Own(1))
    }
    assert_eq!(wrapped(0.5).await.unwrap(), Err(Failure::Own(1)));
    assert!(wrapped(2.0).await.unwrap_err().is_timeout());

    #[timeout(1, on_timeout = fallback + text.len() as u8)]
    async fn replaced(seconds: f64, fallback: u8, text: &str) -> u8 {
        pause(seconds).await;
        fallback - text.len() as u8
    }
    assert_eq!(replaced(0.5, 9, "ab").await, 7);
    assert_eq!(replaced(2.0, 9, "ab").await, 11);

    #[timeout(limit, on_timeout = Ok(5))]
    async fn replaced_result(limit: i8) -> Result<u8, Failure> {
        pending().await
    }
    assert_eq!(replaced_result(1).await, Ok(5));
    assert!(matches!(replaced_result(-1).await, Err(Failure::Other(_))));

    #[timeout(1, panic)]
    async fn panicking() -> u8 {
        pending().await
    }
    let panic = tokio::spawn(panicking()).await.unwrap_err().into_panic();
    let text = panic.downcast::<String>().unwrap();
    assert_eq!(*text, "panicking timed out after 1 s (cooperative)");

    #[timeout(1, original = unlimited)]
    async fn limited(seconds: f64) -> u8 {
        pause(seconds).await;
        7
    }
    assert!(limited(2.0).await.is_err());
    assert_eq!(unlimited(2.0).await, 7);

    mod inner {
        pub use timeout_runtime as elsewhere;
    }
    #[inner::elsewhere::timeout(1, crate = inner::elsewhere)]
    async fn renamed() {
        pending().await
    }
    assert!(renamed().await.is_err());
}

struct Store {
    items: Vec<String>,
}

trait Fetch {
    async fn fetch(&mut self, seconds: f64) -> Result<usize, Error>;
}

impl Fetch for Store {
    #[timeout(1)]
    async fn fetch(&mut self, seconds: f64) -> Result<usize, Error> {
        self.items.push("begun".to_owned());
        pause(seconds).await;
        self.items.push("done".to_owned());
        Ok(self.items.len())
    }
}

impl Store {
    #[timeout(1)]
    async fn made(item: impl Into<String>) -> Self {
        Self { items: vec![item.into()] }
    }

    #[timeout(1)]
    async fn first(&self) -> &str {
        pause(0.5).await;
        &self.items[0]
    }

    #[timeout(self.items.len())]
    async fn last_mut(&mut self) -> Option<&mut String> {
        pause(0.5).await;
        self.items.last_mut()
    }

    #[timeout(1)]
    async fn into_items(self) -> Vec<String> {
        self.items
    }
}

#[tokio::test(start_paused = true)]
async fn methods_work_on_their_own_self() {
    let mut store = Store::made("one").await.unwrap();
    assert_eq!(store.fetch(0.5).await.unwrap(), 3);
    // What was done until then is done: there is no child, and nothing is rolled back.
    assert!(store.fetch(2.0).await.unwrap_err().is_timeout());
    assert_eq!(store.items, ["one", "begun", "done", "begun"]);
    assert_eq!(store.first().await.unwrap(), "one");
    store.last_mut().await.unwrap().unwrap().push_str(" again");
    assert_eq!(store.into_items().await.unwrap().last().unwrap(), "begun again");
}

#[tokio::test(start_paused = true)]
async fn signatures_of_every_kind() {
    #[timeout(1)]
    async fn longest<'a, T, const N: usize>(
        (first, mut rest): (&'a T, [&'a T; N]),
        _unused: Rc<()>,
    ) -> Option<&'a T>
    where
        T: AsRef<str> + Display + ?Sized,
    {
        rest.sort_by_key(|text| text.as_ref().len());
        pause(0.1).await;
        rest.last().copied().filter(|last| last.as_ref().len() > first.as_ref().len())
    }
    assert_eq!(longest(("ab", ["abc", "a"]), Rc::new(())).await.unwrap(), Some("abc"));

    #[timeout(1)]
    async fn nameless(count: u8) -> impl Iterator<Item = u8> {
        pause(0.1).await;
        0..count
    }
    assert_eq!(nameless(3).await.unwrap().sum::<u8>(), 3);

    #[timeout(1)]
    async unsafe fn unchecked(bytes: &[u8]) -> u8 {
        // SAFETY: the caller says that there is one.
        unsafe { *bytes.get_unchecked(0) }
    }
    // SAFETY: there is one.
    assert_eq!(unsafe { unchecked(&[7]) }.await.unwrap(), 7);

    #[timeout(9)]
    async fn depth(left: u8) -> u8 {
        if left == 0 { 0 } else { 1 + Box::pin(depth(left - 1)).await.unwrap() }
    }
    assert_eq!(depth(4).await.unwrap(), 4);

    #[timeout(2)]
    async fn collected(into: &mut HashMap<String, Cell<u8>>) {
        into.entry("seven".into()).or_default().set(7);
        pending().await
    }
    let mut into = HashMap::new();
    assert!(collected(&mut into).await.is_err());
    assert_eq!(into["seven"].get(), 7);
}

/// `Send` but not `Sync`: a future that held a borrow of it could not cross threads.
#[timeout(1)]
async fn sent(cell: Cell<u8>) -> u8 {
    pause(0.1).await;
    cell.get()
}

#[tokio::test(start_paused = true)]
async fn futures_cross_threads_where_they_did() {
    fn crosses<F: Future + Send>(future: F) -> F {
        future
    }
    assert_eq!(tokio::spawn(crosses(sent(Cell::new(7)))).await.unwrap().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_async_fn_happens_before_it_is_polled() {
    #[timeout(1)]
    async fn quick() -> Option<Duration> {
        remaining()
    }
    let call = quick();
    pause(5.0).await;
    assert!(call.await.unwrap().is_some_and(|left| left <= Duration::from_secs(1)));
}

#[timeout(2)]
#[tokio::test(start_paused = true)]
async fn a_test_with_its_own_attribute_below() {
    pause(1.0).await;
    assert!(remaining().is_some_and(|left| left <= Duration::from_secs(1)));
}

#[timeout(2)]
#[tokio::test(start_paused = true)]
#[should_panic(expected = "a_test_that_hangs timed out after 2 s (cooperative)")]
async fn a_test_that_hangs() {
    pending().await
}

#[test]
fn invalid_limits_are_errors_without_a_runtime() {
    #[timeout(limit)]
    async fn limited(limit: f64) -> u8 {
        7
    }
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let mut polled = |limit| std::pin::pin!(limited(limit)).poll(&mut context);
    let std::task::Poll::Ready(Err(error)) = polled(f64::NAN) else { panic!("no error") };
    assert!(matches!(error.kind(), ErrorKind::InvalidLimit));
    assert!(matches!(polled(2.0), std::task::Poll::Ready(Ok(7))));
}
