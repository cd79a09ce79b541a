//! Several futures under one deadline.

use std::any::type_name;
use std::future::Future;
use std::ops::{Deref, DerefMut};

use super::run::Run;
use super::timeout::Timeout;
use crate::error::Error;

/// A started [`Timeout`], which is closed when this is dropped; by [`Timeout::guard`].
///
/// It derefs to the timeout: to [`pending`](Timeout::pending), to [`cancel`](Timeout::cancel), after
/// which its runs have no deadline, and to [`start`](Timeout::start) for another deadline.
///
/// After gevent's `with` statement.
#[derive(Debug)]
#[must_use = "dropping a guard closes its timeout"]
pub struct Guard<'a>(&'a mut Timeout);

impl<'a> Guard<'a> {
    pub(super) fn new(timeout: &'a mut Timeout) -> Self {
        Self(timeout)
    }

    /// Runs `future` until the deadline. Once that has passed, a future is polled once, until the
    /// timeout is started again.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](crate::ErrorKind::TimedOut); without polling the future:
    /// [`Closed`](crate::ErrorKind::Closed).
    ///
    /// # Panics
    ///
    /// See [the module](super#panics).
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = Result<F::Output, Error>> {
        Run::new(self.0.term(type_name::<F>()), self, future)
    }
}

impl Deref for Guard<'_> {
    type Target = Timeout;

    fn deref(&self) -> &Timeout {
        self.0
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Timeout {
        self.0
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
