//! The last resort of a process that does one call after another.

use std::time::{Duration, Instant};

use crate::sys::platform::relight_fuse;

/// It is not set anew for each call, which costs as much as a short one: it burns up to a second longer
/// than it has to, so that it serves for the calls of a second. Between two calls it burns on, and who
/// rests puts it out.
#[derive(Debug, Default)]
pub(super) struct Fuse {
    until: Option<Instant>,
}

/// So much longer.
const SLACK: Duration = Duration::from_secs(1);

impl Fuse {
    /// It is to burn so long, or for ever.
    pub(super) fn relight(&mut self, after: Option<Duration>) {
        let now = Instant::now();
        let until =
            after.and_then(|after| Some((now.checked_add(after)?, after.checked_add(SLACK)?)));
        let Some((until, longest)) = until else { return self.put_out() };
        if !self.serves(until) {
            relight_fuse(longest);
            self.until = now.checked_add(longest);
        }
    }

    fn serves(&self, until: Instant) -> bool {
        self.until.is_some_and(|burns| (until..=until + SLACK).contains(&burns))
    }

    pub(super) fn put_out(&mut self) {
        if self.until.take().is_some() {
            relight_fuse(Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_burns_too_short_and_not_a_second_too_long() {
        let now = Instant::now();
        let fuse = Fuse { until: Some(now + Duration::from_secs(5)) };
        let serves = |millis| fuse.serves(now + Duration::from_millis(millis));
        assert!(!serves(5001) && serves(5000) && serves(4000) && !serves(3999));
        assert!(!Fuse::default().serves(now));
    }
}
