//! A start that is refused, and why.

use std::time::Duration;

use super::span::path_of;
use crate::error::{Error, ErrorKind};
use crate::limit::Limit;

/// What an error is made of, should anyone ask for it.
#[derive(Clone, Copy)]
pub(super) struct Refusal {
    pub(super) function: &'static str,
    pub(super) limit: Limit,
    pub(super) because: Because,
}

#[derive(Clone, Copy)]
pub(super) enum Because {
    Pending,
    Closed,
    /// The limit is no duration.
    Invalid,
}

impl Refusal {
    #[cold]
    pub(super) fn error(&self) -> Error {
        let kind = match self.because {
            Because::Pending => ErrorKind::AlreadyStarted,
            Because::Closed => ErrorKind::Closed,
            Because::Invalid => ErrorKind::InvalidLimit,
        };
        Error::new(kind, path_of(self.function), self.limit, Duration::ZERO)
    }
}
