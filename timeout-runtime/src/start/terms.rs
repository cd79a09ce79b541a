//! What a start is given, whatever the method: until when, and what to say when it fails.

use std::io;
use std::time::Duration;

use crate::budget::{Bounds, Budget};
use crate::current::{self, Current};
use crate::error::{Error, ErrorKind, StoppedBy};
use crate::limit::Deadline;
use crate::report::Report;
use crate::{panic, sys};

pub(crate) struct Terms<'a> {
    pub(super) report: &'a Report,
    pub(crate) deadline: Deadline,
    pub(crate) grace: Option<Duration>,
    pub(super) budget: Budget,
}

/// So long after the end of its grace the kernel ends a child that nobody ended.
pub(super) const FUSE: Duration = Duration::from_secs(1);

impl<'a> Terms<'a> {
    /// # Errors
    ///
    /// A limit or a grace that is none, or one of zero.
    pub(super) fn new(report: &'a Report, bounds: Bounds) -> Result<Self, Error> {
        let invalid = |_| report.error(ErrorKind::InvalidLimit);
        let limit = report.limit().duration().map_err(invalid)?;
        let grace = bounds.grace.duration().map_err(|invalid| {
            let why =
                format!("its grace of {invalid} is no duration; a grace is zero or more seconds");
            report.error(ErrorKind::InvalidLimit).because(why)
        })?;
        let cpu = bounds.cpu.duration().map_err(|invalid| {
            let why = format!(
                "its CPU limit of {invalid} is no duration; a CPU limit is more than zero seconds"
            );
            report.error(ErrorKind::InvalidLimit).because(why)
        })?;
        let budget = Budget { memory: bounds.memory, cpu };
        let deadline = Deadline::after(report.started(), limit);
        let terms = Self { report, deadline, grace, budget };
        if limit.is_some_and(|limit| limit.is_zero()) {
            return Err(terms.too_late());
        }
        if let Some(limit) = cpu.filter(Duration::is_zero) {
            return Err(report.error(ErrorKind::CpuExceeded { limit }));
        }
        budget.check().map_err(|error| terms.failed(error))?;
        settle_lazies();
        Ok(terms)
    }

    /// When the kernel ends the child, if nobody else does.
    pub(crate) fn fuse(&self) -> Deadline {
        self.deadline.and_then(self.grace).and_then(Some(FUSE))
    }

    /// A body that asks is told of the nearest deadline, be it that of a call around this one.
    pub(super) fn visible(&self) -> (Deadline, Report) {
        match current::child() {
            Some(around) if around.deadline().min(self.deadline) != self.deadline => {
                (around.deadline(), *around.call())
            }
            _ => (self.deadline, *self.report),
        }
    }

    pub(super) fn current(&self) -> Current {
        let (deadline, report) = self.visible();
        Current::coming(deadline, report)
    }

    pub(super) fn too_late(&self) -> Error {
        self.report.error(ErrorKind::TimedOut { stopped_by: StoppedBy::Nothing })
    }

    pub(super) fn failed(&self, error: io::Error) -> Error {
        self.report.error(ErrorKind::Start(error))
    }
}

/// Everything that is made on its first use, so that no child finds it half made.
pub(crate) fn settle_lazies() {
    panic::install_hook();
    panic::wants_stack();
    sys::threads::is_alone();
    sys::platform::way_back();
    if sys::crash::is_possible() {
        sys::crash::standard_handler();
    }
}
