//! Children that are kept from one call to the next.

pub(crate) mod lease;
pub(crate) mod settings;

use std::io;
use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::settings::Settings;
use super::fresh::worker::{Parent, Worker};
use super::keeper::Keeper;
use crate::limit::Deadline;
use crate::sys::cell::Published;
use crate::sys::threads::Own;

/// The workers of this process.
#[derive(Debug)]
pub(crate) struct Workers {
    process: u32,
    state: Mutex<State>,
    /// A worker came back, or ended.
    freed: Condvar,
    /// There is something for the keeper.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    settings: Settings,
    /// With the time since when; the one that came back last is taken first.
    idle: Vec<(Worker, Instant)>,
    /// All that there are.
    count: usize,
    /// Calls that wait for one.
    waiting: usize,
    /// It is there while there are any.
    keeper: Keeper,
}

/// How long one is kept that is more than the settings keep: it may be wanted again at once.
const SPARE: Duration = Duration::from_millis(100);

impl Workers {
    /// Those of this very process: a child that was forked has none of its caller's.
    pub(crate) fn own() -> Option<&'static Self> {
        static OWN: Published<Workers> = Published::new();

        let process = process::id();
        let known = OWN.get();
        if known.is_some_and(|workers| workers.process == process) {
            return known;
        }
        let state = State {
            settings: known.map_or_else(Settings::new, Self::settings_at_fork),
            idle: Vec::new(),
            count: 0,
            waiting: 0,
            keeper: Keeper::none(),
        };
        let own = Self {
            process,
            state: Mutex::new(state),
            freed: Condvar::new(),
            changed: Condvar::new(),
        };
        OWN.publish_after(known, own)
    }

    /// Of the process that this one is a copy of, where no thread changed them at that moment.
    fn settings_at_fork(&self) -> Settings {
        self.state.try_lock().map_or_else(|_| Settings::new(), |state| state.settings)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn apply(&self, settings: Settings) {
        self.lock().settings = settings;
        self.freed.notify_all();
        self.changed.notify_all();
    }

    /// How long what is idle stays.
    pub(crate) fn kept_for(&self) -> Option<Duration> {
        self.lock().settings.idle
    }

    pub(crate) fn initializer(&self) -> Option<fn()> {
        self.lock().settings.initializer
    }

    #[cfg(feature = "tokio")]
    fn take_idle(&self) -> Option<Worker> {
        let (mut worker, since) = self.lock().idle.pop()?;
        // Nobody waits here, but for some microseconds.
        if worker.is_usable(Deadline::after(Instant::now(), Some(Duration::ZERO))) {
            return Some(worker);
        }
        // To wait for it, or to end it, takes time: that is for who may.
        self.lock().idle.insert(0, (worker, since));
        None
    }

    /// An idle worker, or a new one. `None`: there is none before the deadline.
    fn take(&self, deadline: Deadline) -> io::Result<Option<Worker>> {
        let mut state = self.lock();
        loop {
            if let Some((mut worker, _)) = state.idle.pop() {
                drop(state);
                if worker.is_usable(deadline) {
                    return Ok(Some(worker));
                }
                // It was ended by somebody else, has something to say that nobody asked for, or was
                // started when this process had other rights.
                worker.end();
                self.forget_one();
                state = self.lock();
            } else if deadline.has_passed() {
                return Ok(None);
            } else if state.count < state.settings.workers {
                state.count += 1;
                drop(state);
                let worker = Worker::start(Parent::Stays);
                if worker.is_err() {
                    self.forget_one();
                }
                return worker.map(Some);
            } else {
                state.waiting += 1;
                state = wait(&self.freed, state, deadline);
                state.waiting -= 1;
            }
        }
    }

    fn give_back(&'static self, worker: Worker) {
        let mut state = self.lock();
        let is_used_up = worker.calls() >= state.settings.max_calls;
        if is_used_up || !state.keeper.is_there_or(c"timeout-pool", || self.keep()) {
            drop(state);
            worker.end();
            return self.forget_one();
        }
        state.idle.push((worker, Instant::now()));
        if state.idle.len() > state.settings.kept {
            self.changed.notify_one();
        }
        self.wake_one(&state);
    }

    fn forget_one(&self) {
        let mut state = self.lock();
        state.count -= 1;
        if state.count == 0 {
            self.changed.notify_one();
        }
        self.wake_one(&state);
    }

    fn wake_one(&self, state: &State) {
        if state.waiting > 0 {
            self.freed.notify_one();
        }
    }

    /// Ends those that are idle now.
    pub(crate) fn end_idle(&self) {
        let idle = std::mem::take(&mut self.lock().idle);
        for (worker, _) in idle {
            worker.end();
            self.forget_one();
        }
        let mut state = self.lock();
        self.changed.notify_all();
        while state.count == 0 && state.keeper.is_there() {
            state = wait(&self.freed, state, Deadline::NEVER);
        }
        let gone = state.keeper.gone();
        drop(state);
        gone.into_iter().for_each(Own::join);
    }

    fn keep(&self) {
        let mut state = self.lock();
        loop {
            let State { settings, idle, .. } = &*state;
            let spare = idle.len().saturating_sub(settings.kept);
            let expiry = |index: usize, since: Instant| {
                let kept = if index < spare { Some(SPARE) } else { settings.idle };
                Deadline::after(since, kept)
            };
            let next = idle.iter().enumerate().map(|(index, (_, since))| expiry(index, *since));
            let next = next.fold(Deadline::NEVER, Deadline::min);
            let due = idle
                .iter()
                .enumerate()
                .position(|(index, (_, since))| expiry(index, *since).has_passed());
            if let Some(index) = due {
                let (worker, _) = state.idle.remove(index);
                drop(state);
                worker.end();
                self.forget_one();
                state = self.lock();
            } else if state.count == 0 {
                state.keeper.leaves();
                self.freed.notify_all();
                return;
            } else {
                // One that comes back meanwhile is not due before that.
                let all_busy = Deadline::after(Instant::now(), settings.idle);
                let until = if idle.is_empty() { all_busy } else { next };
                state = wait(&self.changed, state, until);
            }
        }
    }
}

/// Until somebody notifies, or that.
pub(super) fn wait<'a, T>(
    condition: &Condvar,
    state: MutexGuard<'a, T>,
    until: Deadline,
) -> MutexGuard<'a, T> {
    match until.remaining() {
        None => condition.wait(state).unwrap_or_else(PoisonError::into_inner),
        Some(left) => {
            let woken = condition.wait_timeout(state, left);
            woken.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}
