//! A timeout that can be started, cancelled, and started again.

use std::fmt;

use tokio::time::Instant;

use super::refusal::{Because, Refusal};
use super::run::Term;
use super::span::Period;
use crate::error::{Error, Origin};
use crate::limit::{IntoLimit, Limit};

/// A limit for what futures may take, to be started when it is to count.
///
/// ```
/// use timeout_runtime::cooperative::Timeout;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), timeout_runtime::Error> {
/// let mut timeout = Timeout::new(60);
/// assert_eq!(timeout.run(async { 7 }).await?, 7);
/// # Ok(())
/// # }
/// ```
///
/// After `gevent.Timeout`; see [the module](super).
pub struct Timeout {
    limit: Limit,
    id: Origin,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Not started, or cancelled.
    Idle,
    /// `None` where it never expires.
    Started(Option<Period>),
    Closed,
}

impl Timeout {
    /// A timeout of `limit`, not started: seconds as an integer or a float, a `Duration`, or an
    /// `Option` of one of these. `None` never expires, and costs no timer; zero polls what it runs
    /// once, and then is over; what is negative or no number is found when it is started.
    #[must_use]
    #[inline]
    pub fn new(limit: impl IntoLimit) -> Self {
        Self { limit: limit.into_limit(), id: Origin::next(), state: State::Idle }
    }

    /// A timeout that has been started: of a limit, a new one; of one that exists, the same, which
    /// is started unless it is pending.
    ///
    /// ```
    /// use timeout_runtime::cooperative::Timeout;
    ///
    /// let timeout = Timeout::start_new(2)?;
    /// assert!(timeout.pending());
    /// assert!(Timeout::start_new(timeout)?.pending());
    /// # Ok::<(), timeout_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`](crate::ErrorKind::InvalidLimit); for one that exists
    /// [`Closed`](crate::ErrorKind::Closed).
    pub fn start_new(timeout: impl IntoTimeout) -> Result<Self, Error> {
        let mut timeout = timeout.into_timeout();
        if !timeout.pending() {
            timeout.start()?;
        }
        Ok(timeout)
    }

    /// Starts it: its deadline is its limit from now. One that was cancelled or has expired may be
    /// started again.
    ///
    /// # Errors
    ///
    /// [`AlreadyStarted`](crate::ErrorKind::AlreadyStarted) while it is pending,
    /// [`Closed`](crate::ErrorKind::Closed), [`InvalidLimit`](crate::ErrorKind::InvalidLimit).
    pub fn start(&mut self) -> Result<(), Error> {
        let refused = |because| Err(self.refused(because, "the body").error());
        if let State::Closed = self.state {
            return refused(Because::Closed);
        }
        if self.pending() {
            return refused(Because::Pending);
        }
        let Ok(period) = Period::begin(self.limit) else { return refused(Because::Invalid) };
        self.state = State::Started(period);
        Ok(())
    }

    #[inline]
    fn refused(&self, because: Because, function: &'static str) -> Refusal {
        Refusal { function, limit: self.limit, because }
    }

    /// Starts it, unless that was done before.
    pub(super) fn ensure_started(&mut self) -> Result<(), Error> {
        match self.state {
            State::Started(_) => Ok(()),
            State::Idle | State::Closed => self.start(),
        }
    }

    /// What a run by it is to keep. It cannot change meanwhile: the run borrows the timeout.
    #[inline]
    pub(super) fn term(&self, function: &'static str) -> Term {
        match self.state {
            State::Started(Some(period)) => Term::until(function, Some(self.id), period),
            State::Started(None) | State::Idle => Term::Endless,
            State::Closed => Term::Refused(self.refused(Because::Closed, function)),
        }
    }

    /// The same of a run that is its last: a start for that alone is seen by nobody else.
    #[inline]
    pub(super) fn last_term(&self, function: &'static str) -> Term {
        match self.state {
            State::Idle => Term::begin(self.limit, function, Some(self.id)),
            State::Started(_) | State::Closed => self.term(function),
        }
    }

    /// Takes the start back: what runs by it from now on has no deadline, until it is started again.
    /// Of one that is not started, nothing.
    pub fn cancel(&mut self) {
        if let State::Started(_) = self.state {
            self.state = State::Idle;
        }
    }

    /// Cancels it for good. What still runs by it has no deadline; starting it is an error.
    #[inline]
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Whether it is started and has not yet expired. One that never expires is not pending.
    #[must_use]
    pub fn pending(&self) -> bool {
        matches!(self.state, State::Started(Some(period)) if period.deadline > Instant::now())
    }
}

impl Error {
    /// Whether it is this timeout that has run out. One inside another is told from it by this: what
    /// a body fails with may be of a timeout of its own, or of a caller's.
    ///
    /// ```
    /// use timeout_runtime::cooperative::Timeout;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut timeout = Timeout::new(0.05);
    /// let error = timeout.run(std::future::pending::<()>()).await.unwrap_err();
    /// assert!(error.is_from(&timeout));
    /// assert!(!error.is_from(&Timeout::new(0.05)));
    /// # }
    /// ```
    #[must_use]
    pub fn is_from(&self, timeout: &Timeout) -> bool {
        self.origin() == Some(timeout.id)
    }
}

#[expect(clippy::missing_fields_in_debug, reason = "they are shown as what they mean")]
impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Timeout");
        match self.limit.duration() {
            Ok(Some(duration)) => shown.field("seconds", &duration.as_secs_f64()),
            Ok(None) => shown.field("seconds", &format_args!("None")),
            Err(_) => shown.field("seconds", &format_args!("{:?}", self.limit)),
        };
        shown.field("pending", &self.pending()).finish()
    }
}

/// What [`Timeout::start_new`] takes: a limit, or a [`Timeout`] that exists.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no limit, and no timeout",
    label = "expected seconds (an integer or a float), a `Duration`, an `Option` of one of these, \
             or a `Timeout`"
)]
pub trait IntoTimeout: sealed::Sealed {}

impl<T: sealed::Sealed> IntoTimeout for T {}

mod sealed {
    use super::{IntoLimit, Timeout};

    pub trait Sealed {
        fn into_timeout(self) -> Timeout;
    }

    impl<L: IntoLimit> Sealed for L {
        fn into_timeout(self) -> Timeout {
            Timeout::new(self)
        }
    }

    impl Sealed for Timeout {
        fn into_timeout(self) -> Timeout {
            self
        }
    }
}
