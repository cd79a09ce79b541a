//! Waiting awake: what comes within microseconds is not slept for, since to fall asleep and to be
//! woken up on another processor takes as long as a short call. Where the other needs this processor it is
//! given way, which is half of what a sleep and a wake cost there.

use std::hint::spin_loop;
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// As long as a sleep and its end cost, where the other is on a processor of its own.
const MOST: Duration = Duration::from_micros(50);

/// So many looks between two at the clock.
const LOOKS: u32 = 8;

/// After so many times in vain it is tried only now and then.
const PATIENCE: u32 = 2;

/// How often.
const NOW_AND_THEN: u32 = 64;

/// Who gives way for longer has given way to somebody else; twice in a row is not by chance.
const LONG: Duration = Duration::from_micros(50);

/// So often one then sleeps instead, whose end is a reason to interrupt others.
const CROWDED: u32 = 1_000;

/// How it went lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spin {
    in_vain: u32,
    was_long: bool,
    crowded: u32,
}

impl Spin {
    /// It was in vain so far: for who will wait once.
    pub(crate) fn seldom() -> Self {
        Self { in_vain: PATIENCE + 1, ..Self::default() }
    }

    /// Whether it is there within some microseconds.
    pub(crate) fn until(
        &mut self,
        is_there: impl Fn() -> bool,
        is_needed_here: impl Fn() -> bool,
    ) -> bool {
        if self.in_vain > PATIENCE && self.in_vain % NOW_AND_THEN != 0 {
            self.in_vain = self.in_vain.wrapping_add(1);
            return is_there();
        }
        let begun = Instant::now();
        loop {
            // Looks at the clock are few, for each takes as long as several for what is waited for.
            for _ in 0..LOOKS {
                if is_there() {
                    self.in_vain = 0;
                    return true;
                }
                if !is_needed_here() {
                    spin_loop();
                } else if !self.gives_way() {
                    return is_there();
                }
            }
            if begun.elapsed() > MOST {
                self.in_vain = self.in_vain.wrapping_add(1);
                return false;
            }
        }
    }

    /// Not where others want this processor too: it would be their turn, for milliseconds.
    fn gives_way(&mut self) -> bool {
        if let Some(left) = self.crowded.checked_sub(1) {
            self.crowded = left;
            return false;
        }
        let begun = Instant::now();
        yield_now();
        let is_long = begun.elapsed() > LONG;
        if is_long && self.was_long {
            self.crowded = CROWDED;
        }
        self.was_long = is_long;
        true
    }
}

/// Two that wait for each other on one processor, while another may be idle: one goes elsewhere, and if that
/// is of no use, it is not tried again for a while.
#[derive(Debug, Default)]
pub(crate) struct Company {
    left: u32,
}

/// For so many waits.
const WHILE: u32 = 1_000;

impl Company {
    /// They stay together: for who will wait once.
    pub(crate) fn for_once() -> Self {
        Self { left: WHILE - 1 }
    }

    /// Whether who waits now should leave the processor that both are on.
    pub(crate) fn is_to_part(&mut self, are_together: bool) -> bool {
        match (are_together, self.left) {
            (false, _) => self.left = 0,
            (true, 0) => self.left = WHILE,
            (true, _) => self.left -= 1,
        }
        self.left == WHILE
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_never_comes_at_once_is_seldom_waited_for() {
        let (mut spin, mut tries) = (Spin::default(), 0);
        for _ in 0..640 {
            let looks = Cell::new(0);
            let is_there = || {
                looks.set(looks.get() + 1);
                false
            };
            assert!(!spin.until(is_there, || true));
            tries += u32::from(looks.get() > 1);
        }
        assert!(tries <= 3 + 10, "{tries}");
    }

    #[test]
    fn what_came_at_once_is_waited_for_again() {
        let mut spin = Spin { in_vain: NOW_AND_THEN, ..Spin::default() };
        assert!(spin.until(|| true, || false));
        assert_eq!(spin.in_vain, 0);
    }

    #[test]
    fn what_is_there_is_seen_without_a_wait() {
        let mut spin = Spin { in_vain: NOW_AND_THEN + 1, ..Spin::default() };
        assert!(spin.until(|| true, || false));
        assert!(!spin.until(|| false, || false));
    }

    #[test]
    fn where_others_want_the_processor_nobody_gives_way_to_them() {
        let mut spin = Spin { crowded: 2, ..Spin::default() };
        assert!(!spin.until(|| false, || true));
        assert!(!spin.until(|| false, || true));
        assert_eq!((spin.in_vain, spin.crowded), (0, 0));
        // Who need not give way waits awake all the same.
        spin.crowded = 1;
        assert!(!spin.until(|| false, || false));
        assert_eq!((spin.in_vain, spin.crowded), (1, 1));
    }

    #[test]
    fn who_stays_together_is_seldom_parted() {
        let mut company = Company::default();
        assert!(!company.is_to_part(false));
        let parted = |company: &mut Company| company.is_to_part(true);
        assert!(parted(&mut company));
        assert!((0..WHILE).all(|_| !parted(&mut company)));
        assert!(parted(&mut company));
        assert!(!company.is_to_part(false));
        assert!(parted(&mut company));
    }
}
