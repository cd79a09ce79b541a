//! Giving way to a child that has said its last word, and is most often on this processor, where it was
//! interrupted by that being read.
//!
//! Who sleeps until its end is woken on another processor, which was idle and has nothing of this process in
//! its caches: that costs more than all else that the caller does. Who gives way goes on where it was. But
//! where others want this processor too, it waits for the turns of all of them, some milliseconds, and then
//! a sleep is better, whose end is a reason to interrupt them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// A child needs less to end, unless it has much memory.
const LONG: Duration = Duration::from_micros(500);

/// So often nobody gives way after it took that long.
const REST: u32 = 1_000;

/// What was seen of it lately.
pub(super) struct Way {
    left: AtomicU32,
}

impl Way {
    pub(super) const fn new() -> Self {
        Self { left: AtomicU32::new(0) }
    }

    /// Until this is so, and twice at most.
    pub(super) fn give(&self, is_over: impl FnMut() -> bool) {
        if self.is_open() {
            let begun = Instant::now();
            give_twice(is_over);
            self.note(begun.elapsed());
        }
    }

    fn is_open(&self) -> bool {
        // To write to it costs, after a fork, more than to look.
        self.left.load(Ordering::Relaxed) == 0
            || self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_err()
    }

    fn note(&self, elapsed: Duration) {
        if elapsed > LONG {
            self.left.store(REST, Ordering::Relaxed);
        }
    }
}

fn give_twice(mut is_over: impl FnMut() -> bool) {
    for _ in 0..2 {
        yield_now();
        if is_over() {
            return;
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
        way.note(LONG * 2);
        for _ in 0..REST {
            assert!(!is_given(&way));
        }
        assert!(is_given(&way));
    }

    #[test]
    fn it_is_given_twice_at_most() {
        let mut looks = 0;
        give_twice(|| {
            looks += 1;
            false
        });
        assert_eq!(looks, 2);
        let way = Way::new();
        way.note(LONG / 2);
        assert!(way.is_open());
    }
}
