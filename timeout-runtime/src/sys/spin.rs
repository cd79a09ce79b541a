//! Waiting awake: what comes within microseconds is not slept for, since to fall asleep and to be
//! woken up on another processor takes as long as a short call.

use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// As long as a sleep and its end cost, where the other is on a processor of its own.
const MOST: Duration = Duration::from_micros(50);

/// After so many times in vain it is tried only now and then.
const PATIENCE: u32 = 2;

/// How often.
const NOW_AND_THEN: u32 = 64;

/// How it went lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spin {
    in_vain: u32,
}

impl Spin {
    /// Whether it is there within some microseconds.
    pub(crate) fn until(&mut self, mut is_there: impl FnMut() -> bool) -> bool {
        let is_hopeless = self.in_vain > PATIENCE && self.in_vain % NOW_AND_THEN != 0;
        if is_hopeless || !has_processors() {
            self.in_vain = self.in_vain.wrapping_add(1);
            return false;
        }
        let begun = Instant::now();
        while !is_there() {
            if begun.elapsed() > MOST {
                self.in_vain = self.in_vain.wrapping_add(1);
                return false;
            }
            std::hint::spin_loop();
        }
        self.in_vain = 0;
        true
    }
}

/// Whether somebody else may run meanwhile.
fn has_processors() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| available_parallelism().is_ok_and(|count| count.get() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_comes_at_once_is_seldom_waited_for() {
        let (mut spin, mut tries) = (Spin::default(), 0);
        for _ in 0..640 {
            let mut is_tried = false;
            assert!(!spin.until(|| {
                is_tried = true;
                false
            }));
            tries += u32::from(is_tried);
        }
        assert!(tries <= 3 + 10, "{tries}");
    }

    #[test]
    fn what_came_at_once_is_waited_for_again() {
        let mut spin = Spin { in_vain: 64 };
        if has_processors() {
            assert!(spin.until(|| true));
            assert_eq!(spin.in_vain, 0);
        }
    }
}
