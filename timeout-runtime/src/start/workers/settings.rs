//! How many workers, and for how long.

use std::time::Duration;

use crate::limit::IntoLimit;

/// How many workers there are, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(super) workers: usize,
    pub(super) kept: usize,
    pub(super) idle: Option<Duration>,
    pub(super) max_calls: u64,
    pub(super) initializer: Option<fn()>,
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

    /// For how long; a nursery of `spawn` too, but 5 s at the most, and none where this is zero. The same
    /// forms as a limit; what is no duration is zero.
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
}
