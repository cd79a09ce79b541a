//! Whether a child of `spawn` is born or started: a nursery is kept for programs that make one such call
//! after another.
//!
//! The first call starts its child; so does each that finds something changed of what its child is to
//! inherit. The next that finds the same starts a nursery, which serves those that follow, until one
//! finds a change, or none comes for some seconds.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::keeper::Keeper;
use super::workers::{Workers, wait};
use crate::limit::Deadline;
use crate::sys::cell::Published;
use crate::sys::inheritance::Inheritance;
use crate::sys::nursery::{Barren, Ends, Nursery};
use crate::sys::process::Process;
use crate::sys::surroundings::{Environment, Mark};
use crate::sys::threads::{Own, ParentThread};
use crate::worker::TRIGGER;
use crate::worker::nursery::Told;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Birth {
    Child(Born),
    /// It is to be started.
    None,
    /// The same, and what was meant for the child may have come to another that is about to end.
    Failed,
    /// There was none before the deadline.
    Late,
}

#[derive(Debug)]
pub(crate) struct Born {
    pub(crate) process: Process,
    /// Its parent: it has to stay.
    pub(crate) parent: Option<Arc<ParentThread>>,
    /// What it has of the caller's surroundings.
    pub(crate) has: Mark,
    /// What the caller has of them now.
    pub(crate) wants: Mark,
}

/// A child for a call, if there is a nursery or is to be one.
pub(crate) fn child(ends: &Ends<'_>, deadline: Deadline) -> Birth {
    let may_be = Nursery::is_possible() && !IS_SERVANT.load(Ordering::Relaxed);
    let own = may_be.then(Nurseries::own).flatten();
    own.map_or(Birth::None, |own| own.child(ends, deadline))
}

/// Ends the one that is there, and waits for that.
pub(crate) fn shut_down() {
    if let Some(own) = Nurseries::own() {
        own.shut_down();
    }
}

/// For how long one is kept may have changed.
pub(crate) fn look_again() {
    if let Some(own) = Nurseries::own() {
        own.changed.notify_all();
    }
}

/// In a process that serves calls itself: it has none, for what a body leaves running ends with the call.
pub(crate) fn renounce() {
    IS_SERVANT.store(true, Ordering::Relaxed);
}

static IS_SERVANT: AtomicBool = AtomicBool::new(false);

/// A birth takes some tenths of a millisecond.
const PATIENCE: Duration = Duration::from_secs(1);

/// Those of this process: one at the most.
struct Nurseries {
    process: u32,
    state: Mutex<State>,
    /// It is no longer in use, or the keeper has ended.
    freed: Condvar,
    /// There is something for the keeper.
    changed: Condvar,
}

struct State {
    place: Place,
    /// What the last call found that found no nursery, and when.
    last: Option<(Seen, Instant)>,
    /// A nursery was there, and could not do it.
    is_hopeless: bool,
    /// It is there while the nursery is.
    keeper: Keeper,
}

#[derive(Default)]
enum Place {
    Empty,
    /// A call has it, or is about to start one.
    #[default]
    Taken,
    /// Since when.
    Idle(Kept, Instant),
}

/// A nursery, and what there was to be inherited when it was started.
struct Kept {
    nursery: Nursery,
    /// Its parent, and that of all that are born.
    parent: Option<Arc<ParentThread>>,
    seen: Seen,
    is_new: bool,
}

impl Kept {
    /// The nursery, and then its parent, if no child is left that has it.
    fn end(self) {
        self.nursery.end();
        end(self.parent);
    }
}

fn end(parent: Option<Arc<ParentThread>>) {
    parent.and_then(Arc::into_inner).into_iter().for_each(ParentThread::end);
}

struct Seen {
    mark: Mark,
    inheritance: Inheritance,
}

impl Seen {
    fn now() -> Option<Self> {
        Some(Self { mark: Environment::now().mark(), inheritance: Inheritance::now()? })
    }

    /// Another current folder is the child's to enter, as it is a worker's. Another environment is
    /// not: what runs before `main` may have gone by it.
    fn is_as(&self, other: &Self) -> bool {
        self.mark.has_environment_of(&other.mark) && self.inheritance == other.inheritance
    }
}

impl Nurseries {
    /// Those of this very process: a child that was forked has none of its caller's.
    fn own() -> Option<&'static Self> {
        static OWN: Published<Nurseries> = Published::new();

        let process = std::process::id();
        let known = OWN.get();
        if known.is_some_and(|nurseries| nurseries.process == process) {
            return known;
        }
        let state =
            State { place: Place::Empty, last: None, is_hopeless: false, keeper: Keeper::none() };
        let (freed, changed) = (Condvar::new(), Condvar::new());
        OWN.publish_after(known, Self { process, state: Mutex::new(state), freed, changed })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child(&'static self, ends: &Ends<'_>, deadline: Deadline) -> Birth {
        let kept = match self.take(deadline) {
            None => return Birth::Late,
            Some(Place::Idle(kept, _)) => Some(kept),
            Some(_) => self.start(),
        };
        kept.map_or(Birth::None, |kept| self.ask(kept, ends, deadline))
    }

    /// What is there; from now on this call has it. `None`: others have it until the deadline.
    fn take(&self, deadline: Deadline) -> Option<Place> {
        let mut state = self.lock();
        loop {
            match mem::take(&mut state.place) {
                Place::Taken if deadline.has_passed() => return None,
                Place::Taken => state = wait(&self.freed, state, deadline),
                place => return Some(place),
            }
        }
    }

    fn put(&self, place: Place) {
        let is_empty = matches!(place, Place::Empty);
        self.lock().place = place;
        self.freed.notify_all();
        if is_empty {
            self.changed.notify_all();
        }
    }

    /// A new one, if this call is not the first of its kind.
    fn start(&'static self) -> Option<Kept> {
        let kept = self.try_start();
        if kept.is_none() {
            self.put(Place::Empty);
        }
        kept
    }

    fn try_start(&'static self) -> Option<Kept> {
        let kept_for = kept_for();
        if kept_for.is_zero() || self.lock().is_hopeless {
            return None;
        }
        let seen = Seen::now()?;
        let mut state = self.lock();
        let is_recent = |since: &Instant| since.elapsed() < kept_for;
        let last = state.last.take();
        if !last.is_some_and(|(last, since)| is_recent(&since) && last.is_as(&seen)) {
            state.last = Some((seen, Instant::now()));
            return None;
        }
        if !state.keeper.is_there_or(c"timeout-nursery", || self.keep()) {
            return None;
        }
        drop(state);
        let caller = self.process;
        let told = move |socket, memory| (TRIGGER, Told { caller, socket, memory }.to_text());
        let (nursery, parent) = ParentThread::of(move || Nursery::start(Environment::now(), told));
        let Some(Ok(nursery)) = nursery else {
            parent.into_iter().for_each(ParentThread::end);
            return None;
        };
        Some(Kept { nursery, parent: parent.map(Arc::new), seen, is_new: true })
    }

    /// Whatever keeps it from giving a child, one that is started tells of if it lasts. A shortage may
    /// be of the nursery's own making.
    fn ask(&self, mut kept: Kept, ends: &Ends<'_>, deadline: Deadline) -> Birth {
        let mut now = None;
        let is_current = || {
            now = Seen::now();
            now.as_ref().is_some_and(|now| now.is_as(&kept.seen))
        };
        let until = deadline.min(Deadline::after(Instant::now(), Some(PATIENCE)));
        let born = kept.nursery.child(ends, until, is_current);
        let is_new = mem::take(&mut kept.is_new);
        match (born, now) {
            (Ok(process), Some(now)) => {
                let parent = kept.parent.clone();
                let born = Born { process, parent, has: kept.seen.mark, wants: now.mark };
                self.put(Place::Idle(kept, Instant::now()));
                Birth::Child(born)
            }
            (born, now) => {
                kept.nursery.end_with(ends, deadline);
                end(kept.parent);
                self.fail(born.err().as_ref(), is_new, now);
                if deadline.has_passed() { Birth::Late } else { Birth::Failed }
            }
        }
    }

    fn fail(&self, why: Option<&Barren>, is_new: bool, now: Option<Seen>) {
        let mut state = self.lock();
        state.is_hopeless |= match why {
            Some(Barren::Unfit) => true,
            // It never came to serve.
            Some(Barren::Broken) => is_new,
            _ => false,
        };
        state.last = now.map(|now| (now, Instant::now()));
        drop(state);
        self.put(Place::Empty);
    }

    fn shut_down(&self) {
        if let Some(Place::Idle(kept, _)) = self.take(Deadline::NEVER) {
            kept.end();
        }
        let mut state = self.lock();
        (state.place, state.last) = (Place::Empty, None);
        self.freed.notify_all();
        self.changed.notify_all();
        while matches!(state.place, Place::Empty) && state.keeper.is_there() {
            state = wait(&self.freed, state, Deadline::NEVER);
        }
        let gone = state.keeper.gone();
        drop(state);
        gone.into_iter().for_each(Own::join);
    }

    fn keep(&self) {
        let mut state = self.lock();
        loop {
            let until = match &state.place {
                Place::Empty => {
                    state.keeper.leaves();
                    self.freed.notify_all();
                    return;
                }
                // One that comes back meanwhile is not due before that, or not much.
                Place::Taken => Deadline::after(Instant::now(), Some(kept_for().max(PATIENCE))),
                Place::Idle(_, since) => Deadline::after(*since, Some(kept_for())),
            };
            if !until.has_passed() {
                state = wait(&self.changed, state, until);
            } else if let Place::Idle(kept, _) = mem::take(&mut state.place) {
                drop(state);
                kept.end();
                self.put(Place::Empty);
                state = self.lock();
            }
        }
    }
}

/// No longer than an idle worker, and not for calls that come so seldom that starting their children costs
/// nothing to speak of.
fn kept_for() -> Duration {
    const MOST: Duration = Duration::from_secs(5);

    let workers = Workers::own().map_or(Some(Duration::ZERO), Workers::kept_for);
    workers.unwrap_or(MOST).min(MOST)
}
