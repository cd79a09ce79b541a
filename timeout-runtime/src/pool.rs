//! Workers: processes of this program that are kept warm for calls with the start method `pool`.
//!
//! A call takes an idle worker, or starts one; one call at a time owns it. After the call it is idle
//! again, unless something is left that the next call would meet: after a timeout, a crash, a panic,
//! or with a thread or a process that the body left behind, it is replaced. What a body leaves in the
//! statics of its worker stays there for the bodies that come later; its current folder, its environment
//! and what it did to SIGTERM do not. Values that bodies return are dropped in the worker too.
//!
//! Workers end when they have been idle for a while, and with the caller, however that ends.
//!
//! ```
//! use timeout_runtime::{StartMethod, Timeout, pool};
//!
//! fn double(n: u64) -> u64 {
//!     2 * n
//! }
//!
//! pool::Settings::new().workers(8).idle(30).apply();
//! let timeout = Timeout::new(5).start_method(StartMethod::Pool);
//! assert_eq!(timeout.call(double, (21,))?, 42);
//! # Ok::<(), timeout_runtime::Error>(())
//! ```
//!
//! After `ProcessPool` of Python's pebble, and its `multiprocessing.Pool`.

use std::time::Duration;

use crate::limit::IntoLimit;
use crate::start::workers::Workers;

/// How many workers there are, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(crate) workers: usize,
    pub(crate) kept: usize,
    pub(crate) idle: Option<Duration>,
    pub(crate) max_calls: u64,
    pub(crate) initializer: Option<fn()>,
}

/// So long a worker is idle before it ends, in seconds.
const IDLE: u64 = 60;

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            workers: usize::MAX,
            kept: cores,
            idle: Some(Duration::from_secs(IDLE)),
            max_calls: u64::MAX,
            initializer: None,
        }
    }
}

impl Settings {
    /// As many workers as calls are under way at once; as many as there are cores stay when they are
    /// idle, for 60 s.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No more than that many workers at once, at least one: a call for which there is none waits,
    /// which counts against its limit.
    #[must_use]
    pub fn workers(mut self, most: usize) -> Self {
        self.workers = most.max(1);
        self
    }

    /// How many workers stay when they are idle.
    #[must_use]
    pub fn kept(mut self, kept: usize) -> Self {
        self.kept = kept;
        self
    }

    /// For how long. The same forms as a limit; what is no duration is zero.
    #[must_use]
    pub fn idle(mut self, idle: impl IntoLimit) -> Self {
        self.idle = idle.into_limit().duration().unwrap_or(Some(Duration::ZERO));
        self
    }

    /// A worker that has served that many calls is replaced.
    #[must_use]
    pub fn max_calls(mut self, calls: u64) -> Self {
        self.max_calls = calls.max(1);
        self
    }

    /// A function that each new worker runs before its first body, within the limit of that call.
    /// What becomes of it is what becomes of the call. One in a shared library is
    /// [`Start`](crate::ErrorKind::Start): another process may not have it.
    #[must_use]
    pub fn initializer(mut self, initializer: fn()) -> Self {
        self.initializer = Some(initializer);
        self
    }

    /// From now on these are the settings of this process.
    pub fn apply(self) {
        if let Some(workers) = Workers::own() {
            workers.apply(self);
        }
    }
}

/// Ends the workers that are idle, and waits for that. The next call starts a new one.
pub fn shut_down() {
    if let Some(workers) = Workers::own() {
        workers.end_idle();
    }
}
