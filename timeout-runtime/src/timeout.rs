//! A description of how to run.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Call, Pending};
use crate::error::Error;
use crate::limit::{IntoLimit, Limit};
use crate::report::Report;
use crate::start::StartMethod;
use crate::start::fork::{self, Side};

/// How to run a body: under which limit, with which grace. Cheap to make and to copy; the same one
/// serves any number of calls, each with its own deadline.
///
/// ```
/// use timeout_runtime::Timeout;
///
/// let timeout = Timeout::new(2).grace(0.5);
/// let words = vec!["hard", "timeouts"];
/// assert_eq!(timeout.run(|| words.join(" "))?, "hard timeouts");
/// # Ok::<(), timeout_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    limit: Limit,
    grace: Limit,
    start_method: StartMethod,
}

/// The grace where none is given, in seconds.
const GRACE: u64 = 10;

impl Timeout {
    /// A timeout of `limit`: seconds as an integer or a float, a `Duration`, or an `Option` of one
    /// of these (`None`: never). The deadline is that far from each call, whatever the call spends
    /// it on, the making of the child included.
    #[must_use]
    pub fn new(limit: impl IntoLimit) -> Self {
        Self {
            limit: limit.into_limit(),
            grace: GRACE.into_limit(),
            start_method: StartMethod::default(),
        }
    }

    /// How long the child may live on after SIGTERM before SIGKILL ends it: 10 s unless said here.
    /// Zero: SIGKILL at once. The same forms as a limit; `None` never sends SIGKILL, and gives up
    /// the promise that the call returns.
    #[must_use]
    #[doc(alias = "kill-after")]
    pub fn grace(mut self, grace: impl IntoLimit) -> Self {
        self.grace = grace.into_limit();
        self
    }

    /// How the child comes to be: [`StartMethod::Fork`] unless said here.
    #[must_use]
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.start_method = method;
        self
    }

    /// Runs `body` in a child and gives what it returned. The closure may capture anything; what it
    /// changes stays in the child.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind): the deadline passed, the body panicked or ended its
    /// process, a signal ended it, no child could be had, or the value could not cross.
    pub fn run<T, F>(&self, body: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        self.fork(body).join()
    }

    /// As [`run`](Self::run), with `value` when time runs out.
    ///
    /// # Errors
    ///
    /// As for `run`, but for a timeout.
    #[doc(alias = "with_timeout")]
    pub fn run_or<T, F>(&self, value: T, body: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        match self.run(body) {
            Err(error) if error.is_timeout() => Ok(value),
            result => result,
        }
    }

    /// Starts `body` in a child and returns at once.
    ///
    /// # Errors
    ///
    /// When there is no child: [`Start`](crate::ErrorKind::Start),
    /// [`InvalidLimit`](crate::ErrorKind::InvalidLimit), or a limit of zero.
    pub fn start<T, F>(&self, body: F) -> Result<Call<T>, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        Call::new(self.fork(body))
    }

    fn fork<T: Serialize, F: FnOnce() -> T>(&self, body: F) -> Pending {
        match self.start_child(function_of::<F>()) {
            Side::Child(child) => child.run(body),
            Side::Caller(pending) => pending,
        }
    }

    /// The one way to a child. Returns in two processes.
    pub(crate) fn start_child(&self, function: &'static str) -> Side {
        match self.start_method {
            StartMethod::Fork => fork::start(Report::new(function, self.limit), self.grace),
        }
    }
}

/// The path of a function, or of the function around a closure.
fn function_of<F>() -> &'static str {
    type_name::<F>().trim_end_matches("::{{closure}}")
}
