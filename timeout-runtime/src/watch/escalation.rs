//! What is done about a child whose time runs out: the steps from the deadline to SIGKILL.

use std::time::{Duration, Instant};

use super::Watch;
use crate::limit::Deadline;
use crate::sys::process::Held;
use crate::sys::slate::Slate;

/// So long before the deadline it is looked what the body is doing, which takes a while.
pub(super) const LEAD: Duration = Duration::from_micros(300);

/// So long a child may take to end after SIGKILL; gigabytes of memory take a tenth of a second.
const TO_DIE: Duration = Duration::from_secs(5);

/// How far the escalation has gone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Running {
        until: Deadline,
    },
    /// SIGTERM was sent.
    Terminating {
        until: Deadline,
        why: Why,
        held: Held,
    },
    /// SIGKILL was sent.
    Killed {
        again: Deadline,
        until: Deadline,
        why: Why,
    },
}

/// Why a child was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Deadline,
    Cancel,
    /// What it sent is no value.
    Useless,
}

impl Watch {
    /// When there is something to be done, whatever else happens.
    pub(super) fn next_step(&self) -> Deadline {
        match self.stage {
            Stage::Terminating { until, held: Held::UntilAlone, .. } => until.min(soon()),
            Stage::Running { until } | Stage::Terminating { until, .. } => until,
            Stage::Killed { again, .. } => again,
        }
    }

    #[cold]
    pub(super) fn foresee(&mut self) {
        if matches!(self.stage, Stage::Running { .. }) && !self.ended {
            self.hang = self.process.doing();
            self.foreseen = Some(self.process.threads());
        }
    }

    /// Look whether the child has ended, which the caller of this did; read the clock; enforce the
    /// deadline. In this order a child that ended in time is never called late.
    pub(super) fn escalate(&mut self) {
        let is_in_time = matches!(self.stage, Stage::Running { until } if !until.has_passed());
        if !self.ended && !is_in_time {
            self.step();
        }
    }

    /// Apart, as [`stop`](Self::stop) is.
    #[cold]
    #[inline(never)]
    fn step(&mut self) {
        match self.stage {
            Stage::Running { .. } => self.stop(Why::Deadline),
            Stage::Terminating { until, why, .. } if until.has_passed() => {
                self.send_sigkill(why);
            }
            Stage::Terminating { until, why, held: Held::UntilAlone } => {
                let held = self.process.release_if_alone();
                self.stage = Stage::Terminating { until, why, held };
            }
            Stage::Killed { again, why, .. } if again.has_passed() => {
                self.send_sigkill(why);
            }
            _ => {}
        }
    }

    /// Not even SIGKILL ends it: the kernel has business with it, such as a file system that does
    /// not answer.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self.stage, Stage::Killed { until, .. } if until.has_passed())
    }

    /// Apart, for what it needs of the stack a call that ends in time does without.
    #[cold]
    #[inline(never)]
    pub(super) fn stop(&mut self, why: Why) {
        if self.ended || !matches!(self.stage, Stage::Running { .. }) {
            return;
        }
        if why == Why::Deadline {
            self.events.deadline();
            let threads = self.foreseen.take().unwrap_or_else(|| {
                // Before the question, which interrupts whatever it does.
                self.hang = self.process.doing();
                self.process.threads()
            });
            let (slate, hang) = (self.slate.as_ref(), self.hang.as_ref());
            if self.grace != Some(Duration::ZERO) {
                slate.into_iter().for_each(Slate::leave_sigterm_to_the_child);
            }
            self.stacks = Some(Slate::stacks_of(slate, &mut self.process, hang, threads));
        } else {
            self.hang = None;
        }
        if self.grace == Some(Duration::ZERO) {
            return self.send_sigkill(why);
        }
        self.send_sigterm(why);
        if let Some(slate) = &self.slate {
            slate.release();
        }
    }

    fn send_sigterm(&mut self, why: Why) {
        let until = Deadline::after(Instant::now(), self.grace);
        let held = match &self.slate {
            Some(slate) if why == Why::Deadline && !slate.takes_sigterm_back() => Held::No,
            slate => self.process.terminate(slate.as_ref().map_or(0, Slate::held)),
        };
        self.events.signal("SIGTERM");
        self.stage = Stage::Terminating { until, why, held };
    }

    pub(super) fn send_sigkill(&mut self, why: Why) {
        self.process.kill();
        self.events.signal("SIGKILL");
        let after = |duration| Deadline::after(Instant::now(), Some(duration));
        let until = match self.stage {
            Stage::Killed { until, .. } => until,
            _ => after(TO_DIE),
        };
        // What the kernel refused (the child was another user's for a moment) it may allow later.
        self.stage = Stage::Killed { again: after(Duration::from_millis(100)), until, why };
    }
}

/// When to look again whether descendants have ended, of which nothing tells.
fn soon() -> Deadline {
    Deadline::after(Instant::now(), Some(Duration::from_millis(2)))
}
