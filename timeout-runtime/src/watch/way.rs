//! Giving way to a child that is about to answer, or to end: most often it is on this processor.
//!
//! Who sleeps until then is woken on another processor, which was idle and has nothing of this process in its
//! caches, and the child is interrupted for that: together this costs more than all else that the caller does.
//! Who gives way goes on where it was, and has to look once. But where others want this processor too, it
//! waits for the turns of all of them, some milliseconds, and then a sleep is better, whose end is a reason
//! to interrupt them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// A child that has little to do needs less, to start as well as to end.
const MOST: Duration = Duration::from_micros(300);

/// Who was away for so long has given way to others, or to a body that has much to do; twice in a row is not
/// by chance.
const LONG: Duration = Duration::from_micros(500);

/// So often nobody gives way after that.
const REST: u32 = 1_000;

/// After so many times in vain it is tried only now and then.
const PATIENCE: u32 = 2;

/// How often.
const NOW_AND_THEN: u32 = 64;

/// What was seen of it lately. After a fork it costs more to write to this than to look.
pub(super) struct Way {
    /// So often it is not to be given any more.
    closed: AtomicU32,
    in_vain: AtomicU32,
    was_long: AtomicBool,
}

impl Way {
    pub(super) const fn new() -> Self {
        Self {
            closed: AtomicU32::new(0),
            in_vain: AtomicU32::new(0),
            was_long: AtomicBool::new(false),
        }
    }

    /// Until this is so, for a moment at most.
    pub(super) fn give(&self, mut is_over: impl FnMut() -> bool) {
        if !self.is_open() {
            return;
        }
        let begun = Instant::now();
        let mut last = begun;
        loop {
            yield_now();
            let is_over = is_over();
            let now = Instant::now();
            if let Some(seen) = Seen::of(is_over, now - last, now - begun) {
                return self.note(seen);
            }
            last = now;
        }
    }

    fn is_open(&self) -> bool {
        if self.closed.load(Ordering::Relaxed) > 0 && subtract_one(&self.closed) {
            return false;
        }
        let in_vain = self.in_vain.load(Ordering::Relaxed);
        if in_vain > PATIENCE && in_vain % NOW_AND_THEN != 0 {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    fn note(&self, seen: Seen) {
        let was_long = self.was_long.load(Ordering::Relaxed);
        if was_long != (seen == Seen::Crowd) {
            self.was_long.store(!was_long, Ordering::Relaxed);
        }
        match seen {
            Seen::Crowd if was_long => self.closed.store(REST, Ordering::Relaxed),
            Seen::Nothing => {
                self.in_vain.fetch_add(1, Ordering::Relaxed);
            }
            Seen::End if self.in_vain.load(Ordering::Relaxed) > 0 => {
                self.in_vain.store(0, Ordering::Relaxed);
            }
            Seen::Crowd | Seen::End => {}
        }
    }
}

/// Whether there was one to be taken: others may do the same.
fn subtract_one(count: &AtomicU32) -> bool {
    let one_less = |count: u32| count.checked_sub(1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
}

/// How giving way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// What was waited for is so.
    End,
    /// Others were first.
    Crowd,
    /// It is not so yet.
    Nothing,
}

impl Seen {
    /// After one more turn: whether it was the last one.
    fn of(is_over: bool, turn: Duration, all: Duration) -> Option<Self> {
        match is_over {
            _ if turn > LONG => Some(Self::Crowd),
            true => Some(Self::End),
            false => (all > MOST).then_some(Self::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_given(way: &Way) -> bool {
        let mut is_given = false;
        way.give(|| {
            is_given = true;
            true
        });
        is_given
    }

    #[test]
    fn where_it_took_long_it_is_seldom_given() {
        let way = Way::new();
        way.note(Seen::Crowd);
        assert!(way.is_open());
        way.note(Seen::End);
        way.note(Seen::Crowd);
        assert!(way.is_open());
        way.note(Seen::Crowd);
        for _ in 0..REST {
            assert!(!way.is_open());
        }
        assert!(way.is_open());
    }

    #[test]
    fn where_it_was_in_vain_it_is_given_now_and_then() {
        let way = Way::new();
        for _ in 0..=PATIENCE {
            assert!(way.is_open());
            way.note(Seen::Nothing);
        }
        let open = (0..640).filter(|_| {
            let is_open = way.is_open();
            if is_open {
                way.note(Seen::Nothing);
            }
            is_open
        });
        assert_eq!(open.count(), 10);
    }

    #[test]
    fn once_it_was_of_use_it_is_given_again() {
        let way = Way::new();
        way.in_vain.store(NOW_AND_THEN, Ordering::Relaxed);
        while !is_given(&way) {}
        // What others do to this machine meanwhile may have closed it.
        way.closed.store(0, Ordering::Relaxed);
        assert!(way.is_open());
    }

    #[test]
    fn what_a_turn_says() {
        let (short, long, all) = (LONG / 2, LONG * 2, MOST * 2);
        assert_eq!(Seen::of(true, short, all), Some(Seen::End));
        assert_eq!(Seen::of(false, short, all), Some(Seen::Nothing));
        assert_eq!(Seen::of(false, short, short), None);
        assert_eq!(Seen::of(true, long, all), Some(Seen::Crowd));
        assert_eq!(Seen::of(false, long, all), Some(Seen::Crowd));
    }

    #[test]
    fn it_ends_by_itself() {
        Way::new().give(|| false);
    }
}
