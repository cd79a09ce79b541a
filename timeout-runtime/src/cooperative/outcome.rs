//! What a run gives instead of this library's error.

use std::any::type_name;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::run::Run;
use super::timeout::Timeout;
use crate::error::Error;

impl Timeout {
    /// With an error of the caller's own to fail with, whatever the failure: an invalid limit, or a
    /// timeout that is closed, is that error too.
    pub fn error<E>(self, error: E) -> Own<E> {
        Own { timeout: self, error }
    }

    /// With `None` to fail with, whatever the failure: an invalid limit, or a timeout that is
    /// closed, is `None` too.
    pub fn silent(self) -> Silent {
        Silent(self)
    }

    fn last_run<F: Future>(self, future: F) -> impl Future<Output = Result<F::Output, Error>> {
        Run::new(self.last_term(type_name::<F>()), (), future)
    }
}

/// A timeout that fails with an error of the caller's own; by [`Timeout::error`].
///
/// It derefs to the [`Timeout`], to start and to cancel.
///
/// ```
/// use std::io;
/// use timeout_runtime::cooperative::Timeout;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let timeout = Timeout::new(0.05).error(io::Error::other("takes far too long"));
/// let error = timeout.run(std::future::pending::<()>()).await.unwrap_err();
/// assert_eq!(error.to_string(), "takes far too long");
/// # }
/// ```
///
/// After `Timeout(seconds, exception)` of gevent.
#[derive(Debug)]
#[must_use = "a timeout does nothing unless something runs by it"]
pub struct Own<E> {
    timeout: Timeout,
    error: E,
}

impl<E> Own<E> {
    /// Runs `future`; starts the timeout at this call, unless it was started before.
    ///
    /// # Errors
    ///
    /// The caller's own, when time runs out, and without polling the future when the limit is
    /// invalid or the timeout closed.
    ///
    /// # Panics
    ///
    /// See [the module](super#panics).
    pub fn run<F: Future>(self, future: F) -> impl Future<Output = Result<F::Output, E>> {
        let Self { timeout, error } = self;
        Mapped::new(timeout.last_run(future), |result: Result<_, _>| result.map_err(|_| error))
    }
}

/// A timeout that fails with `None`; by [`Timeout::silent`].
///
/// It derefs to the [`Timeout`], to start and to cancel.
///
/// ```
/// use timeout_runtime::cooperative::Timeout;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let line = Timeout::new(0.05).silent().run(std::future::pending::<String>()).await;
/// assert_eq!(line, None);
/// # }
/// ```
///
/// After `Timeout(seconds, False)` of gevent.
#[derive(Debug)]
#[must_use = "a timeout does nothing unless something runs by it"]
pub struct Silent(Timeout);

impl Silent {
    /// Runs `future`; starts the timeout at this call, unless it was started before. `None` when
    /// time runs out, and without polling the future when the limit is invalid or the timeout
    /// closed.
    ///
    /// # Panics
    ///
    /// See [the module](super#panics).
    pub fn run<F: Future>(self, future: F) -> impl Future<Output = Option<F::Output>> {
        Mapped::new(self.0.last_run(future), Result::ok)
    }
}

impl<E> Deref for Own<E> {
    type Target = Timeout;

    fn deref(&self) -> &Timeout {
        &self.timeout
    }
}

impl<E> DerefMut for Own<E> {
    fn deref_mut(&mut self) -> &mut Timeout {
        &mut self.timeout
    }
}

impl Deref for Silent {
    type Target = Timeout;

    fn deref(&self) -> &Timeout {
        &self.0
    }
}

impl DerefMut for Silent {
    fn deref_mut(&mut self) -> &mut Timeout {
        &mut self.0
    }
}

pin_project! {
    /// A future whose outcome is made into another one.
    pub(super) struct Mapped<R, M> {
        #[pin]
        run: R,
        map: Option<M>,
    }
}

impl<R, M> Mapped<R, M> {
    pub(super) fn new(run: R, map: M) -> Self {
        Self { run, map: Some(map) }
    }
}

impl<R: Future, T, M: FnOnce(R::Output) -> T> Future for Mapped<R, M> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mapped = self.project();
        let outcome = ready!(mapped.run.poll(context));
        let map = mapped.map.take().expect("a future that has ended is not polled again");
        Poll::Ready(map(outcome))
    }
}
