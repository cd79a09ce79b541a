//! What a call tells `tracing`: a span from the start of its child, and events for the deadline, each
//! signal and the end. Never from a child, where another thread of the caller may have held whatever
//! lock the subscriber has.

#[cfg(feature = "tracing")]
use crate::current;
use crate::error::{Error, Usage};
use crate::report::Report;

/// Where the events of a call go.
#[cfg(feature = "tracing")]
#[derive(Debug, Default)]
pub(crate) struct Events(Option<tracing::Span>);

#[cfg(feature = "tracing")]
impl Events {
    pub(crate) fn of(report: &Report, start: &str, child: u32) -> Self {
        if current::child().is_some() {
            return Self(None);
        }
        let (function, limit) = (report.function(), report.limit());
        Self(Some(tracing::info_span!("timeout", function, ?limit, start, child)))
    }

    pub(crate) fn deadline(&self) {
        if let Some(span) = &self.0 {
            tracing::info!(parent: span, "the deadline has passed");
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        if let Some(span) = &self.0 {
            tracing::debug!(parent: span, signal, "sent");
        }
    }

    pub(crate) fn value(&self, usage: Option<Usage>) {
        if let Some(span) = &self.0 {
            let (cpu, peak) = parts(usage);
            tracing::debug!(parent: span, cpu, peak, "returned a value");
        }
    }

    pub(crate) fn failure(&self, error: &Error) {
        if let Some(span) = &self.0 {
            let (cpu, peak) = parts(error.usage());
            tracing::warn!(parent: span, cpu, peak, "{error}");
        }
    }

    /// Nobody waits for what becomes of it.
    pub(crate) fn dropped(&self) {
        if let Some(span) = &self.0 {
            tracing::debug!(parent: span, "was dropped");
        }
    }
}

/// A call that had no child.
#[cfg(feature = "tracing")]
pub(crate) fn refused(report: &Report, error: &Error) {
    if current::child().is_none() {
        tracing::warn!(function = report.function(), limit = ?report.limit(), "{error}");
    }
}

/// Processor time in seconds, and bytes.
#[cfg(feature = "tracing")]
fn parts(usage: Option<Usage>) -> (Option<f64>, Option<u64>) {
    usage.map(|usage| (usage.cpu_time().as_secs_f64(), usage.peak_memory())).unzip()
}

/// Without the feature there is nobody to be told.
#[cfg(not(feature = "tracing"))]
#[derive(Debug, Default)]
pub(crate) struct Events(());

#[cfg(not(feature = "tracing"))]
#[expect(clippy::unused_self, reason = "as above")]
impl Events {
    pub(crate) fn of(_: &Report, _: &str, _: u32) -> Self {
        Self(())
    }

    pub(crate) fn deadline(&self) {}

    pub(crate) fn signal(&self, _: &str) {}

    pub(crate) fn value(&self, _: Option<Usage>) {}

    pub(crate) fn failure(&self, _: &Error) {}

    pub(crate) fn dropped(&self) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(_: &Report, _: &Error) {}
