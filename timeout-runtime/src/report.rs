//! What is known of a call from its beginning.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::limit::Limit;

/// What every error of a call says of it.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    function: &'static str,
    limit: Limit,
    started: Instant,
    cpu: Limit,
}

impl Report {
    /// Of a call that begins now: its deadline counts from here.
    pub(crate) fn new(function: &'static str, limit: Limit) -> Self {
        Self::begun(function, limit, Instant::now())
    }

    /// Of a call that began then.
    pub(crate) fn begun(function: &'static str, limit: Limit, started: Instant) -> Self {
        Self { function, limit, started, cpu: Limit::never() }
    }

    /// Of a call that may use so much processor time.
    pub(crate) fn within(self, cpu: Limit) -> Self {
        Self { cpu, ..self }
    }

    pub(crate) fn cpu(&self) -> Option<Duration> {
        self.cpu.duration().ok().flatten()
    }

    pub(crate) fn function(&self) -> &'static str {
        self.function
    }

    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.function, self.limit, self.started.elapsed())
    }
}
