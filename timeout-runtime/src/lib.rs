//! Hard timeouts for any function.
//!
//! [`#[timeout(2)]`](macro@timeout) rewrites a function so that calling it runs the body in a child
//! process. By the deadline the caller holds the value, or one [`Error`] that says what happened;
//! and the child is gone, with all that it has started.
//!
//! ```
//! use timeout_runtime::{ErrorKind, timeout};
//!
//! #[timeout(2)]
//! fn collatz(mut n: u64) -> u64 {
//!     let mut steps = 0;
//!     while n != 1 {
//!         n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
//!         steps += 1;
//!     }
//!     steps
//! }
//!
//! assert_eq!(collatz(27).unwrap(), 111);
//! // Zero never gets to one.
//! let error = collatz(0).unwrap_err();
//! assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }));
//! assert!(error.to_string().starts_with("collatz timed out after 2 s (stopped by SIGTERM"));
//! ```
//!
//! Without the attribute: [`Timeout::run`] for a closure, [`Timeout::start`] for a [`Call`] that
//! goes on meanwhile. In a body, [`remaining`] and [`stopping`] tell of its deadline.
//!
//! # What holds
//!
//! - A call returns by its limit plus its grace, whatever the body does.
//! - `Ok` only if the body returned and all of the value arrived; every other end is its own
//!   [`ErrorKind`].
//! - Whatever the body starts ends with the call: its children and theirs, daemons included. After a
//!   crash of the child it is its process group.
//! - Nothing of the body gets back into the caller: no panic, no exit handler, no change of memory.
//! - The caller keeps its signal handlers, its other children and its buffered output, and may call
//!   from any thread, any number at once.
//!
//! # What to know of fork
//!
//! The child is a copy of the caller with one thread, the one that called. Locks that other threads
//! held at that moment stay held in it: a body that needs one waits until its deadline. This
//! library's own part needs none, and sees to it that the body can print; but a mutex of yours, a
//! thread pool or runtime that was already started, or C code in the middle of `setenv` are the
//! body's own affair. By-value arguments exist twice, and their destructors run on both sides if the
//! body drops them: a temporary folder that the body drops is gone for the caller too. The cost of a
//! call grows with the caller's memory.
//!
//! # Features
//!
//! - `backtrace` (default): the error of a body that ran out of time or crashed has a
//!   [`trace`](Error::trace) of where it was, and that of a panic too when `RUST_BACKTRACE` asks for
//!   one. The child is asked by a SIGURG, at the deadline; for crashes it has handlers of SIGSEGV,
//!   SIGBUS, SIGFPE, SIGILL and SIGABRT, where the program has none.
//!
//! - `pool`: the start methods `spawn` and `pool`, whose child is no copy of the caller; the module
//!   `pool` has the settings of the workers.
//!
//! - `tokio`: the module `cooperative`, timeouts for async code at whose end the body is dropped at
//!   an `.await`, with the same limits and errors; and `#[timeout(2)] async fn`, which is one. Hard
//!   calls that are awaited: `Timeout::run_async`, and `#[timeout(2, start = "fork")] async fn`.
//!
//! - `tracing`: a span `timeout` for each call (`function`, `limit`, `start`, `child`), and in it events
//!   for the deadline, each signal, and the end with its usage (`cpu` in seconds, `peak` in bytes). A
//!   child tells nothing.
//!
//! # The variable `TIMEOUT_RUNTIME`
//!
//! For people who debug; read at the first call, and not in a program that runs with other rights than
//! its caller's (set-uid). It costs that one look at the environment.
//!
//! | value | |
//! |---|---|
//! | `scale=10` | every limit is ten times as long, graces and CPU limits too: for slow machines, valgrind, sanitizers |
//! | `off` | no limit expires |
//! | `inline` | bodies run in the caller, where a debugger sees them, and no limit expires |
//!
//! Anything else is told on stderr, once, and ignored. Under `inline` a panic of the body is still an
//! error, but whatever else ends or hangs a body does so to the caller; `&mut` arguments are not rolled
//! back, and memory is not limited.
//!
//! # Platforms
//!
//! Linux 5.4 and later; `pool` is for Linux alone. Elsewhere on Unix the same code runs on what is
//! portable: the end of a child is seen up to 5 ms late, descendants that leave the process group of
//! the child outlive it, a caller that is killed leaves its children to their own end, a call that
//! nobody joins has no end of its own, no error says that the body waited for a lock, `exit` in a
//! body runs the exit handlers that it inherited, a body that closes every descriptor looks as if it
//! had exited, a child that not even SIGKILL ends is waited for, and where other code reaps all
//! children, statuses are lost; a trace of a hang is of the body's thread alone, and there is none of a
//! crash.

#[cfg(all(feature = "pool", not(target_os = "linux")))]
compile_error!("the feature `pool` of `timeout-runtime` is for Linux alone");

#[cfg(feature = "tokio")]
pub mod cooperative;
pub mod error;
pub mod limit;
#[cfg(feature = "pool")]
pub mod pool;

#[doc(hidden)]
#[path = "attribute.rs"]
pub mod __private;
mod body;
mod budget;
mod call;
mod callable;
mod child;
mod codec;
mod current;
mod echo;
mod events;
mod frame;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(all(test, not(fuzzing)))]
mod fuzzing;
mod inline;
mod mode;
mod panic;
#[cfg(feature = "pool")]
mod remote;
mod report;
mod start;
mod sys;
mod timeout;
mod trace;
mod watch;
#[cfg(feature = "pool")]
mod worker;

pub use timeout_macro::timeout;

pub use crate::body::{remaining, stopping};
pub use crate::call::Call;
#[doc(hidden)]
pub use crate::callable::Callable;
pub use crate::error::{Error, ErrorKind};
pub use crate::limit::IntoLimit;
pub use crate::start::StartMethod;
pub use crate::timeout::Timeout;

/// The README's code runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
