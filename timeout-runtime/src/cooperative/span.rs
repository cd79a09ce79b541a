//! The time from a start to its deadline, and whose it is.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Origin, StoppedBy};
use crate::limit::{Invalid, Limit};
use crate::mode::stretched;

/// From when until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) started: Instant,
    pub(super) deadline: Instant,
}

impl Period {
    /// From now on; `None` for ever.
    #[inline]
    pub(super) fn begin(limit: Limit) -> Result<Option<Self>, Invalid> {
        let Some(duration) = stretched(limit).duration()? else { return Ok(None) };
        let started = Instant::now();
        Ok(started.checked_add(duration).map(|deadline| Self { started, deadline }))
    }
}

/// A period, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The name under the attribute, or that of the type of what is run.
    pub(super) function: &'static str,
    pub(super) origin: Option<Origin>,
    /// Or a limit that is no duration, for a checkpoint to say so.
    pub(super) period: Result<Period, Invalid>,
}

impl Span {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.period.ok().map(|period| period.deadline)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_none_or(|deadline| deadline <= now)
    }

    /// The error of a span that is due.
    #[cold]
    pub(super) fn error(&self) -> Error {
        let function = path_of(self.function);
        let error = match self.period {
            Ok(Period { started, deadline }) => {
                let kind = ErrorKind::TimedOut { stopped_by: StoppedBy::Cooperation };
                let limit = Limit::after(deadline - started);
                Error::new(kind, function, limit, started.elapsed())
            }
            Err(invalid) => {
                let limit = Limit::invalid(invalid);
                Error::new(ErrorKind::InvalidLimit, function, limit, Duration::ZERO)
            }
        };
        error.with_origin(self.origin)
    }
}

/// The path of a function in the name of a type: of the future of an `async fn`, of a closure or
/// block in it, of a combinator without its parameters.
pub(super) fn path_of(type_name: &'static str) -> &'static str {
    let name = type_name.trim_end_matches("::{{closure}}");
    let mut depth = 0;
    for (at, byte) in name.bytes().enumerate().rev() {
        match byte {
            // The arrow of a function's type.
            b'>' if name[..at].ends_with('-') => {}
            b'>' => depth += 1,
            b'<' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            // All of it may be in brackets, and then these are the name.
            return if at == 0 { name } else { name[..=at].trim_end_matches('<') };
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_functions_own() {
        assert_eq!(path_of("fetch"), "fetch");
        assert_eq!(path_of("a::fetch::{{closure}}::{{closure}}"), "a::fetch");
        assert_eq!(path_of("a::fetch<alloc::vec::Vec<u8>>::{{closure}}"), "a::fetch");
        assert_eq!(path_of("core::future::PollFn<fn(u8) -> Vec<u8>>"), "core::future::PollFn");
        assert_eq!(path_of("<a::S as a::T>::fetch::{{closure}}"), "<a::S as a::T>::fetch");
        assert_eq!(path_of("<a::S as a::T>"), "<a::S as a::T>");
        assert_eq!(path_of(""), "");
    }
}
