//! Timeouts for async code, on tokio's timers: the body is stopped at an `.await`.
//!
//! Nothing is forked and nothing crosses a pipe, so this is for bodies that keep awaiting; one that
//! may get stuck in a computation or a blocking call needs the hard kind, [`crate::Timeout`], which can
//! be awaited too: see [below](self#hard-calls-that-are-awaited). Limits and [`Error`] are the same for
//! both.
//!
//! ```
//! use std::time::Duration;
//! use timeout_runtime::{cooperative, timeout};
//!
//! #[timeout(0.05)]
//! async fn fetch(pause: Duration) -> &'static str {
//!     tokio::time::sleep(pause).await;
//!     "fetched"
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! assert_eq!(fetch(Duration::ZERO).await.unwrap(), "fetched");
//! let error = fetch(Duration::from_secs(60)).await.unwrap_err();
//! assert_eq!(error.to_string(), "fetch timed out after 50 ms (cooperative)");
//!
//! // The same, for a future of any kind.
//! let never = std::future::pending::<()>();
//! let error = cooperative::with_timeout(0.05, never).await.unwrap_err();
//! assert!(error.is_timeout());
//! # }
//! ```
//!
//! # After `gevent.Timeout`
//!
//! | gevent | here |
//! |---|---|
//! | `Timeout(seconds)`; `None` never expires, and makes no timer | [`Timeout::new`] |
//! | `Timeout(seconds, exception)` | [`Timeout::error`]: that error is what the run fails with |
//! | `Timeout(seconds, False)` | [`Timeout::silent`]: the run yields an `Option` |
//! | `with Timeout(seconds) as t:` | [`Timeout::run`] for one future, [`Timeout::guard`] for several under one deadline |
//! | `start`, `start_new`, `cancel`, `close`, `pending` | [`start`](Timeout::start), [`start_new`](Timeout::start_new), [`cancel`](Timeout::cancel), [`close`](Timeout::close), [`pending`](Timeout::pending); misuse is an error, never a panic |
//! | `if t is not timeout: raise` | [`Error::is_from`] |
//! | `seconds=0` | the future is polled once, and then time is up |
//! | negative seconds, which gevent leaves undefined | [`ErrorKind::InvalidLimit`](crate::ErrorKind::InvalidLimit) |
//! | `with_timeout(seconds, function)` | [`with_timeout`] |
//! | `with_timeout(seconds, function, timeout_value=v)` | [`with_timeout_or`] |
//!
//! A timeout of gevent is raised in whatever its greenlet does. Here it stops what is run *by* it:
//! one that is started and runs nothing does nothing.
//!
//! # What to know
//!
//! - **Time is up at an `.await`.** A body that computes or blocks is stopped at its next `.await`
//!   that has to wait, however late that is; what it does until then is done. A value or an error
//!   that it returns before that counts, and is what the run gives. In such a section, ask
//!   [`checkpoint`] or [`remaining`], or run it by the hard kind.
//! - **The body is dropped where it stands.** Nothing after that `.await` happens, destructors
//!   apart: what must not be left half done belongs outside, or into a task of its own. Tasks that
//!   the body has spawned go on.
//! - **A body cannot swallow its timeout**, as one of gevent's can by catching everything: it is not
//!   told, but dropped. What can be swallowed is the error of a [`checkpoint`], and of a timeout
//!   inside another: ask [`Error::is_from`] before you silence one that may not be yours.
//! - **Who closes.** [`Timeout::run`] and the guard close their timeout when they are dropped, so
//!   there is nothing to forget. A timer exists only while a run waits, and goes with the run.
//! - **What it costs**: less than `tokio::time::timeout` where the future is ready at once, up to a
//!   tenth more where it waits: a look at the clock. `None` is a branch.
//! - **The clock starts at the call**: of `start`, `run`, `guard` or `with_timeout`, before the first
//!   poll. A decorated `async fn` is called by its first poll, as every `async fn` is.
//!
//! # One inside another
//!
//! Each failure belongs to exactly one timeout. When an inner and an outer one are both due, the
//! outer reports.
//!
//! ```
//! use timeout_runtime::cooperative::Timeout;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), timeout_runtime::Error> {
//! let mut page = Timeout::new(60);
//! let mut image = Timeout::new(0.05);
//! let of_image = page.run(image.run(std::future::pending::<()>())).await?.unwrap_err();
//! assert!(of_image.is_from(&image) && !of_image.is_from(&page));
//! # Ok(())
//! # }
//! ```
//!
//! # Hard calls that are awaited
//!
//! `#[timeout(2, start = "fork")] async fn` runs in a child process, as any other decorated function
//! does, and [`Timeout::run_async`](crate::Timeout::run_async) does the same for a blocking closure.
//! All keys of the attribute hold.
//!
//! ```
//! use timeout_runtime::timeout;
//!
//! #[timeout(2, start = "fork")]
//! async fn collatz(mut n: u64) -> u64 {
//!     let mut steps = 0;
//!     while n != 1 {
//!         n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
//!         steps += 1;
//!     }
//!     steps
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Zero never gets to one, and holds up nobody but itself.
//! let (number, never) = tokio::join!(collatz(27), collatz(0));
//! assert_eq!(number.unwrap(), 111);
//! assert!(never.unwrap_err().is_timeout());
//! # }
//! ```
//!
//! - **The executor is free meanwhile**, and thousands of calls may be in flight, each with four
//!   descriptors. What it does itself is to fork, whose cost grows with the caller's memory, to gather
//!   what the child sends, and to decode it: a large value is twice in memory for a moment, and its
//!   decoding is one step of the task. Calls take turns for that, so that timers and other tasks
//!   have theirs in between; the wait for a turn counts against the limit.
//! - **The body runs on a new thread of the child**, an async one on a fresh current-thread runtime, to
//!   its end. It knows nothing of the runtime around the call, and may use timers, sockets, tasks and
//!   threads, or start a runtime itself. Therefore its arguments, or what the closure captures, must be
//!   `Send`; what it returns need not be.
//! - **Dropping the future stops the child**, as [`Call::cancel`](crate::Call::cancel) does: SIGTERM, and
//!   SIGKILL at the end of the grace. Nobody waits for that but threads for blocking work, and the
//!   runtime when it shuts down. Where there is no runtime around, it is done on the spot, which may
//!   take the grace.
//! - **Limits are of real time**: a clock that is paused or advanced, as in a test, changes nothing.
//!   Other timers of such a clock run out at once while a call is waited for, as with all I/O.
//! - **The runtime has I/O and time enabled**; else the first poll that needs them panics, as tokio's
//!   own sockets and timers do.
//!
//! # Panics
//!
//! As tokio's timers do, a run that has to wait panics outside of a runtime, and in one that was
//! built without `enable_time`. One that never expires needs no runtime.

mod enclosing;
mod guard;
mod outcome;
mod refusal;
mod run;
mod scope;
mod span;
mod timeout;

use std::any::type_name;
use std::future::Future;

pub use self::guard::Guard;
pub use self::outcome::{Own, Silent};
pub use self::scope::{checkpoint, scope};
pub use self::timeout::{IntoTimeout, Timeout};
pub use crate::body::remaining;
use crate::error::Error;
use crate::limit::IntoLimit;

pub(crate) use self::enclosing::{around, remaining as remaining_of_enclosing, within_all};
use self::outcome::Mapped;
use self::run::{Run, Term};

/// Runs `future` under a limit of its own, which counts from this call.
///
/// # Errors
///
/// [`TimedOut`](crate::ErrorKind::TimedOut) and [`InvalidLimit`](crate::ErrorKind::InvalidLimit).
///
/// # Panics
///
/// See [the module](self#panics).
#[inline]
pub fn with_timeout<F: Future>(
    limit: impl IntoLimit,
    future: F,
) -> impl Future<Output = Result<F::Output, Error>> {
    Run::new(Term::begin(limit.into_limit(), type_name::<F>(), None), (), future)
}

/// As [`with_timeout`], with `value` when time runs out.
///
/// ```
/// use timeout_runtime::cooperative::with_timeout_or;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), timeout_runtime::Error> {
/// assert_eq!(with_timeout_or(0.05, "none", std::future::pending()).await?, "none");
/// assert_eq!(with_timeout_or(60, "none", async { "some" }).await?, "some");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`InvalidLimit`](crate::ErrorKind::InvalidLimit).
///
/// # Panics
///
/// See [the module](self#panics).
pub fn with_timeout_or<F: Future>(
    limit: impl IntoLimit,
    value: F::Output,
    future: F,
) -> impl Future<Output = Result<F::Output, Error>> {
    Mapped::new(with_timeout(limit, future), |result| match result {
        Err::<_, Error>(error) if error.is_timeout() => Ok(value),
        result => result,
    })
}

/// A decorated function's body.
#[inline]
pub(crate) fn decorated<F: Future>(
    limit: impl IntoLimit,
    function: &'static str,
    future: F,
) -> impl Future<Output = Result<F::Output, Error>> {
    Run::new(Term::begin(limit.into_limit(), function, None), (), future)
}
