//! The word that says whose turn it is, and who has to be woken.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use crate::sys::platform::{wait_for_change, wake};

/// Each change is one exchange, so that nobody falls asleep over it.
pub(super) struct Word(AtomicU32);

/// What became of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There was none.
    New,
    Posted,
    Taken,
    Answered,
    /// The answer is in the pipe.
    Piped,
}

/// How the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ear {
    Awake,
    /// It is to be woken.
    Asleep,
    AtPipe,
}

const STATES: [State; 5] = [State::New, State::Posted, State::Taken, State::Answered, State::Piped];
const STATE: u32 = 0xFF;
const ASLEEP: u32 = 0x100;
const AT_PIPE: u32 = 0x200;
/// The worker is to be woken.
const DOZES: u32 = 0x400;
/// The one who is told this had to be woken, and may be somewhere else than it was.
const HAS_WOKEN: u32 = 0x800;
/// The worker may be given another call, which is to be told its surroundings anew.
const READY: u32 = 0x1000;
const HAS_MOVED: u32 = 0x2000;

fn state(word: u32) -> State {
    // What nobody of this library wrote there is no answer.
    let known = STATES.iter().find(|state| **state as u32 == word & STATE);
    known.copied().unwrap_or(State::New)
}

fn ear(word: u32) -> Ear {
    match word & (ASLEEP | AT_PIPE) {
        0 => Ear::Awake,
        ASLEEP => Ear::Asleep,
        _ => Ear::AtPipe,
    }
}

fn is_ready(word: u32) -> bool {
    word & READY != 0
}

fn is_said(word: u32) -> bool {
    !matches!(state(word), State::Posted | State::Taken)
}

impl Word {
    pub(super) fn state(&self) -> State {
        state(self.0.load(Acquire))
    }

    pub(super) fn ear(&self) -> Ear {
        ear(self.0.load(Acquire))
    }

    /// Whether the caller has nothing to wait for here.
    pub(super) fn is_said(&self) -> bool {
        is_said(self.0.load(Acquire))
    }

    pub(super) fn has_woken(&self) -> bool {
        self.0.load(Acquire) & HAS_WOKEN != 0
    }

    /// Returns when the word is no longer that, or sooner.
    pub(super) fn wait(&self, word: u32, at_most: Duration) {
        wait_for_change(&self.0, word, at_most);
    }

    /// The caller has a request.
    pub(super) fn post(&self, ear: Ear) {
        let at_pipe = if ear == Ear::AtPipe { AT_PIPE } else { 0 };
        let dozes = |word| word & DOZES != 0;
        let woken = |word| if dozes(word) { HAS_WOKEN } else { 0 };
        let posted = |word| Some(State::Posted as u32 | at_pipe | woken(word));
        if self.0.fetch_update(AcqRel, Acquire, posted).is_ok_and(dozes) {
            wake(&self.0);
        }
    }

    /// The caller is about to sleep while the word is this; not if it has something to hear.
    pub(super) fn fall_asleep(&self) -> Option<u32> {
        self.change_unless(is_said, |word| word | ASLEEP)
    }

    /// The same until the worker is ready.
    pub(super) fn fall_asleep_until_ready(&self) -> Option<u32> {
        self.change_unless(is_ready, |word| word & !AT_PIPE | ASLEEP)
    }

    /// The caller waits here no more, if there is nothing to hear yet. What there is.
    pub(super) fn listen_at_pipe(&self) -> State {
        let leaves = |word| (!is_said(word)).then_some(word & !ASLEEP | AT_PIPE);
        match self.0.fetch_update(AcqRel, Acquire, leaves) {
            Ok(word) | Err(word) => state(word),
        }
    }

    /// The worker is about to sleep while the word is this; not if it has a request.
    pub(super) fn doze(&self) -> Option<u32> {
        self.change_unless(|word| state(word) == State::Posted, |word| word | DOZES)
    }

    /// What it is then.
    fn change_unless(&self, not: fn(u32) -> bool, change: fn(u32) -> u32) -> Option<u32> {
        let changed = |word| (!not(word)).then(|| change(word));
        self.0.fetch_update(AcqRel, Acquire, changed).ok().map(change)
    }

    /// The worker may be given another call.
    pub(super) fn be_ready(&self, has_moved: bool) {
        let flags = if has_moved { READY | HAS_MOVED } else { READY };
        if ear(self.0.fetch_or(flags, AcqRel)) == Ear::Asleep {
            wake(&self.0);
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        is_ready(self.0.load(Acquire))
    }

    pub(super) fn has_moved(&self) -> bool {
        self.0.load(Acquire) & HAS_MOVED != 0
    }

    /// The worker begins with the request.
    pub(super) fn take(&self) {
        let gone = STATE | HAS_WOKEN;
        let taken =
            |word| (state(word) == State::Posted).then_some(word & !gone | State::Taken as u32);
        // There is nobody else who would take it.
        let _ = self.0.fetch_update(AcqRel, Acquire, taken);
    }

    /// The worker has answered. Not if the caller waits at the pipe.
    pub(super) fn answer(&self) -> bool {
        self.say(State::Answered, |word| ear(word) != Ear::AtPipe)
    }

    /// The worker answers by the pipe.
    pub(super) fn use_pipe(&self) {
        self.say(State::Piped, |word| state(word) == State::Taken);
    }

    fn say(&self, next: State, may: impl Fn(u32) -> bool) -> bool {
        let is_asleep = |word| ear(word) == Ear::Asleep;
        let woken = |word| if is_asleep(word) { HAS_WOKEN } else { 0 };
        let says = |word| may(word).then_some(word & !STATE | next as u32 | woken(word));
        let said = self.0.fetch_update(AcqRel, Acquire, says);
        if said.is_ok_and(is_asleep) {
            wake(&self.0);
        }
        said.is_ok()
    }

    #[cfg(test)]
    pub(super) fn is_awake(&self) -> bool {
        self.0.load(Acquire) & DOZES == 0
    }

    #[cfg(test)]
    pub(super) fn listen_here(&self) {
        self.0.fetch_and(!(AT_PIPE | ASLEEP), AcqRel);
    }
}
