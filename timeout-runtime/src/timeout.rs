//! A description of how to run.

use std::any::type_name;
#[cfg(feature = "pool")]
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::budget::Bounds;
use crate::call::Call;
#[cfg(feature = "pool")]
use crate::call::Pending;
#[cfg(feature = "pool")]
use crate::callable;
use crate::callable::Callable;
use crate::error::Error;
#[cfg(feature = "pool")]
use crate::error::ErrorKind;
#[cfg(feature = "pool")]
use crate::inline::Inline;
use crate::inline::Performer;
use crate::limit::{IntoLimit, Limit};
#[cfg(feature = "pool")]
use crate::mode::is_inline;
use crate::mode::{scaled, stretched};
#[cfg(feature = "pool")]
use crate::remote::Parcel;
use crate::report::Report;
use crate::start::StartMethod;
#[cfg(feature = "tokio")]
use crate::start::fork::awaited;
use crate::start::fork::{self, Meanwhile, Side};
#[cfg(feature = "pool")]
use crate::start::fresh;
use crate::sys::function::assert_is_named;

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
    bounds: Bounds,
    start_method: StartMethod,
}

impl Timeout {
    /// A timeout of `limit`: seconds as an integer or a float, a `Duration`, or an `Option` of one
    /// of these (`None`: never). The deadline is that far from each call, whatever the call spends
    /// it on, the making of the child included.
    #[must_use]
    pub fn new(limit: impl IntoLimit) -> Self {
        Self {
            limit: limit.into_limit(),
            bounds: Bounds::default(),
            start_method: StartMethod::default(),
        }
    }

    /// How long the child may live on after SIGTERM before SIGKILL ends it: 10 s unless said here.
    /// Zero: SIGKILL at once. The same forms as a limit; `None` never sends SIGKILL, and gives up
    /// the promise that the call returns.
    #[must_use]
    #[doc(alias = "kill-after")]
    pub fn grace(mut self, grace: impl IntoLimit) -> Self {
        self.bounds.grace = grace.into_limit();
        self
    }

    /// How much memory the body may take, in bytes, beyond what the child has when it begins: the heap
    /// and whatever else a process has for itself alone, with the stacks of its threads. No limit
    /// unless said here.
    ///
    /// Where it gets no more, Rust's allocator aborts the child, and the call fails with
    /// [`ErrorKind::MemoryExceeded`](crate::ErrorKind::MemoryExceeded). What handles the want of memory
    /// itself (`Vec::try_reserve`, `malloc` in C) goes on. Each process that the body starts may take as
    /// much again. Linux alone keeps it; elsewhere a call with it is not started
    /// ([`Start`](crate::ErrorKind::Start)).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use timeout_runtime::{ErrorKind, Timeout};
    ///
    /// let greedy = || vec![1u8; 1 << 30].len();
    /// let error = Timeout::new(10).memory(64 << 20).run(greedy).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::MemoryExceeded { limit: 0x400_0000 }), "{error}");
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "RLIMIT_DATA")]
    #[doc(alias = "ulimit")]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.bounds.memory = Some(bytes);
        self
    }

    /// How much processor time the body may use, all its threads together: the same forms as a limit.
    /// No limit unless said here. The processes that it starts are not counted.
    ///
    /// The call then fails with [`ErrorKind::CpuExceeded`](crate::ErrorKind::CpuExceeded). The signal is
    /// SIGXCPU, which a body may handle to clean up; SIGKILL comes when it has used one second more.
    /// Linux counts in nanoseconds, other systems in whole seconds, rounded up.
    ///
    /// ```
    /// use timeout_runtime::{ErrorKind, Timeout};
    ///
    /// let error = Timeout::new(60).cpu(0.1).run(|| -> u64 { loop {} }).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::CpuExceeded { .. }), "{error}");
    /// ```
    #[must_use]
    #[doc(alias = "SIGXCPU")]
    #[doc(alias = "RLIMIT_CPU")]
    pub fn cpu(mut self, limit: impl IntoLimit) -> Self {
        self.bounds.cpu = limit.into_limit();
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
        self.perform(function_of::<F>(), body)
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

    /// Runs a function in a child, by any start method.
    ///
    /// The function is named, not captured: a `fn`, or a closure that captures nothing. Its arguments
    /// come as a tuple, and cross serialized where the child is no copy of the caller.
    ///
    /// ```
    /// use timeout_runtime::{StartMethod, Timeout};
    ///
    /// fn repeated(text: String, times: usize) -> String {
    ///     text.repeat(times)
    /// }
    ///
    /// let timeout = Timeout::new(5).start_method(StartMethod::Fork);
    /// assert_eq!(timeout.call(repeated, ("ab".to_owned(), 2))?, "abab");
    /// # Ok::<(), timeout_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run); [`Encode`](crate::ErrorKind::Encode) for an argument too, and
    /// [`Start`](crate::ErrorKind::Start) where this program cannot be started afresh.
    pub fn call<T, A, F>(&self, function: F, arguments: A) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
        F: Callable<A, T>,
    {
        const { assert_is_named::<F>() };
        #[cfg(feature = "pool")]
        if self.start_method != StartMethod::Fork {
            if is_inline() {
                let inline = Inline::new(self.report(type_name::<F>()))?;
                return inline.run(|| function.call(arguments));
            }
            let parcel = Parcel::new::<T>(callable::thunk::<T, A, F>).with_all(&arguments);
            return self.start_remote(type_name::<F>(), parcel).join();
        }
        self.perform(type_name::<F>(), || function.call(arguments))
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
        Call::new(match self.start_child(function_of::<F>(), Meanwhile::GoesOn) {
            Side::Child(Performer::Child(child)) => child.run(body),
            Side::Child(Performer::Inline(inline)) => inline.start(body),
            Side::Caller(pending) => pending,
        })
    }

    /// As [`run`](Self::run), awaited: the executor's thread is free meanwhile, and thousands of
    /// calls may be under way on it. The body runs to its end in the child, on a thread of its own,
    /// without the runtime that it is awaited on, so that it may block, or start one itself.
    ///
    /// The call begins when the future is first polled, and dropping the future stops the child, as
    /// [`Call::cancel`] does, without waiting for its end. The value is gathered as it arrives, and
    /// decoded by the task when it is whole.
    ///
    /// ```
    /// use timeout_runtime::Timeout;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), timeout_runtime::Error> {
    /// let timeout = Timeout::new(2);
    /// let (one, two) =
    ///     tokio::join!(timeout.run_async(|| 6 * 7), timeout.run_async(|| std::process::id()));
    /// assert_eq!(one?, 42);
    /// assert_ne!(two?, std::process::id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for `run`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, and in one that was built without `enable_io` or `enable_time`,
    /// as tokio's own sockets and timers do.
    #[cfg(feature = "tokio")]
    pub fn run_async<T, F>(&self, body: F) -> impl Future<Output = Result<T, Error>> + use<T, F>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T + Send,
    {
        let timeout = *self;
        async move {
            match timeout.start_awaited(function_of::<F>()).await {
                Side::Child(performer) => performer.run_apart(body),
                Side::Caller(call) => call.join(),
            }
        }
    }

    fn perform<T, F>(&self, function: &'static str, body: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        match self.start_child(function, Meanwhile::Waits) {
            Side::Child(performer) => performer.run(body),
            Side::Caller(pending) => pending.join(),
        }
    }

    fn report(&self, function: &'static str) -> Report {
        Report::new(function, stretched(self.limit)).within(stretched(self.bounds.cpu))
    }

    fn bounds(&self) -> Bounds {
        let Bounds { grace, memory, cpu } = self.bounds;
        Bounds { grace: scaled(grace), memory, cpu: stretched(cpu) }
    }

    /// The one way to a child. Returns in two processes.
    #[inline]
    pub(crate) fn start_child(&self, function: &'static str, meanwhile: Meanwhile) -> Side {
        match self.start_method {
            StartMethod::Fork => fork::start(self.report(function), self.bounds(), meanwhile),
            #[cfg(feature = "pool")]
            StartMethod::Spawn | StartMethod::Pool => Side::Caller(self.cannot_cross(function)),
        }
    }

    /// A child that is no copy of the caller has nothing of a closure.
    #[cfg(feature = "pool")]
    fn cannot_cross(&self, function: &'static str) -> Pending {
        let why = "a closure and what it captures are in this process alone: use `Timeout::call` with \
                   a function, or the start method `fork`";
        let kind = ErrorKind::Start(io::Error::new(io::ErrorKind::Unsupported, why));
        Pending::failed(self.report(function).error(kind))
    }

    /// The way to a child that is no copy.
    #[cfg(feature = "pool")]
    pub(crate) fn start_remote(&self, function: &'static str, parcel: Parcel) -> Pending {
        fresh::start(self.report(function), self.bounds(), self.start_method, parcel)
    }

    /// The same for a task, which has the call behind it when this is ready.
    #[cfg(all(feature = "pool", feature = "tokio"))]
    pub(crate) async fn start_remote_awaited(
        self,
        function: &'static str,
        parcel: Parcel,
    ) -> Pending {
        let report = self.report(function);
        fresh::start_awaited(report, self.bounds(), self.start_method, parcel).await
    }

    /// The same for a task, which has the call behind it when this is ready in the caller.
    #[cfg(feature = "tokio")]
    pub(crate) async fn start_awaited(self, function: &'static str) -> Side {
        match self.start_method {
            StartMethod::Fork => awaited::start(self.report(function), self.bounds()).await,
            #[cfg(feature = "pool")]
            StartMethod::Spawn | StartMethod::Pool => Side::Caller(self.cannot_cross(function)),
        }
    }
}

/// The path of a function, or of the function around a closure.
fn function_of<F>() -> &'static str {
    type_name::<F>().trim_end_matches("::{{closure}}")
}
