//! # Safety
//!
//! The guards are read out of the holder's stack in a child alone, where the copy of that stack has
//! no other owner.
#![expect(unsafe_code, reason = "see the heading")]

use std::io::{self, StderrLock, StdoutLock, Write, stderr, stdout};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{Streams, is_writable};
use crate::limit::Deadline;
use crate::sys::threads::Own;

/// A thread that holds output streams while the caller forks.
///
/// It waits its turn for them, as any thread that prints does; the caller itself waits no longer
/// than its deadline. What waits for ever is then this thread, not the caller.
///
/// Dropped in the caller, it lets them go.
pub(super) struct Holder {
    shared: Arc<Shared>,
    /// `None` once it was joined.
    thread: Option<Own>,
    guards: GuardsAddress,
}

struct Shared {
    stage: Mutex<Stage>,
    changed: Condvar,
}

enum Stage {
    Waiting,
    Held(GuardsAddress),
    /// The caller has forked, or given up.
    Over,
}

/// Where the guards are, on the holder's stack.
#[derive(Clone, Copy)]
struct GuardsAddress(*const Guards);

// SAFETY: the address goes to the caller's thread, which uses it only in a child, where that
// thread is the only one.
unsafe impl Send for GuardsAddress {}

struct Guards {
    _stdout: Option<StdoutLock<'static>>,
    _stderr: Option<StderrLock<'static>>,
}

impl Holder {
    /// `None`: the streams could not be had before the deadline.
    pub(super) fn new(streams: Streams, deadline: Deadline) -> io::Result<Option<Self>> {
        let shared =
            Arc::new(Shared { stage: Mutex::new(Stage::Waiting), changed: Condvar::new() });
        let thread = Own::start(c"timeout-output", {
            let shared = Arc::clone(&shared);
            move || hold(streams, &shared)
        })?;
        let mut stage = shared.lock();
        loop {
            if let Stage::Held(guards) = *stage {
                drop(stage);
                return Ok(Some(Self { shared, thread: Some(thread), guards }));
            }
            if deadline.has_passed() {
                *stage = Stage::Over;
                return Ok(None);
            }
            stage = match deadline.remaining() {
                None => shared.changed.wait(stage).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let woken = shared.changed.wait_timeout(stage, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// In the child, where the holder is gone and its locks are still taken.
    pub(super) fn release_in_child(self) {
        // SAFETY: the holder's stack was copied with its guards in place, for the holder waits in
        // `hold` until `release`; nobody else will drop this copy. The guards only count down and
        // store, they do not ask which thread they are on.
        drop(unsafe { self.guards.0.read() });
        // There is no thread here to be told of it, or to be joined.
        std::mem::forget(self);
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        *self.shared.lock() = Stage::Over;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}

fn hold(streams: Streams, shared: &Shared) {
    let mut stdout = streams.has(Streams::STDOUT).then(|| stdout().lock());
    let stderr = streams.has(Streams::STDERR).then(|| stderr().lock());
    if let Some(stdout) = stdout.as_mut().filter(|_| is_writable(io::stdout().as_fd())) {
        let _ = stdout.flush();
    }
    let guards = Guards { _stdout: stdout, _stderr: stderr };
    let mut stage = shared.lock();
    if matches!(*stage, Stage::Waiting) {
        *stage = Stage::Held(GuardsAddress(&raw const guards));
        shared.changed.notify_all();
    }
    while !matches!(*stage, Stage::Over) {
        stage = shared.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
