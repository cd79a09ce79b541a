//! A timeout around what runs by it, which closes it: one future, or several under one deadline.

use std::any::type_name;
use std::future::Future;
use std::ops::{Deref, DerefMut};

use super::run::Run;
use super::timeout::Timeout;
use crate::error::Error;

impl Timeout {
    /// Runs `future`, and closes the timeout. Starts it at this call, unless it was started before:
    /// then the deadline is the one that it has, be it past.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](crate::ErrorKind::TimedOut); without polling the future:
    /// [`InvalidLimit`](crate::ErrorKind::InvalidLimit), [`Closed`](crate::ErrorKind::Closed).
    ///
    /// # Panics
    ///
    /// See [the module](super#panics).
    #[doc(alias = "with")]
    #[inline]
    pub fn run<F: Future>(&mut self, future: F) -> impl Future<Output = Result<F::Output, Error>> {
        Run::new(self.last_term(type_name::<F>()), Guard(self), future)
    }

    /// A guard by which any number of futures run under the one deadline, and whose drop closes the
    /// timeout. Starts it, unless it was started before.
    ///
    /// ```
    /// use timeout_runtime::cooperative::Timeout;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), timeout_runtime::Error> {
    /// let mut timeout = Timeout::new(60);
    /// let guard = timeout.guard()?;
    /// let header = guard.run(async { 1 }).await?;
    /// let rest = guard.run(async { 2 }).await?;
    /// assert_eq!(header + rest, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`](crate::ErrorKind::InvalidLimit), [`Closed`](crate::ErrorKind::Closed).
    pub fn guard(&mut self) -> Result<Guard<'_>, Error> {
        self.ensure_started()?;
        Ok(Guard(self))
    }
}

/// A started [`Timeout`], which is closed when this is dropped; by [`Timeout::guard`].
///
/// It derefs to the timeout: to [`pending`](Timeout::pending), to [`cancel`](Timeout::cancel), after
/// which its runs have no deadline, and to [`start`](Timeout::start) for another deadline.
///
/// After gevent's `with` statement.
#[derive(Debug)]
#[must_use = "dropping a guard closes its timeout"]
pub struct Guard<'a>(&'a mut Timeout);

impl Guard<'_> {
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
    #[inline]
    fn drop(&mut self) {
        self.0.close();
    }
}
