//! What can become of a call other than a value.

mod hang;
pub(crate) mod io_parts;
mod kind;
#[cfg(feature = "tokio")]
mod origin;
mod remote;
mod untraced;
mod usage;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;
use std::{error, io};

pub use self::hang::Hang;
pub use self::kind::{CodecError, ErrorKind, StoppedBy};
#[cfg(feature = "tokio")]
pub(crate) use self::origin::Origin;
pub use self::remote::RemoteError;
pub use self::untraced::Untraced;
pub use self::usage::Usage;
use crate::limit::Limit;
use crate::trace::Stacks;
pub use crate::trace::{Frame, Thread, Trace};

/// Why a call gave no value: which function, under which limit, what happened and when.
///
/// One pointer wide. `Display` is one readable line; the alternate form `{:#}` adds the
/// [`trace`](Self::trace) where there is one, and so does `Debug`, which is what `unwrap` shows.
///
/// ```
/// use timeout_runtime::{ErrorKind, Timeout};
///
/// let error = Timeout::new(0.05).run(|| -> u64 { loop {} }).unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }));
/// assert_eq!(error.exit_code(), 124);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    function: &'static str,
    limit: Limit,
    elapsed: Duration,
    usage: Option<Usage>,
    hang: Option<Hang>,
    trace: Option<Result<Trace, Untraced>>,
    /// What is to be said of an invalid limit.
    why: Option<String>,
    #[cfg(feature = "tokio")]
    origin: Option<Origin>,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        function: &'static str,
        limit: Limit,
        elapsed: Duration,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            function,
            limit,
            elapsed,
            usage: None,
            hang: None,
            trace: None,
            why: None,
            #[cfg(feature = "tokio")]
            origin: None,
        }))
    }

    pub(crate) fn because(mut self, why: String) -> Self {
        self.0.why = Some(why);
        self
    }

    pub(crate) fn with_usage(mut self, usage: Option<Usage>) -> Self {
        self.0.usage = usage;
        self
    }

    pub(crate) fn with_hang(mut self, hang: Option<Hang>) -> Self {
        self.0.hang = hang;
        self
    }

    pub(crate) fn with_stacks(mut self, stacks: Option<Stacks>) -> Self {
        let function = self.0.function;
        self.0.trace = stacks.map(|stacks| stacks.map(|stacks| Trace::new(stacks, function)));
        self
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn with_origin(mut self, origin: Option<Origin>) -> Self {
        self.0.origin = origin;
        self
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.0.origin
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The function that was called: its name under the attribute, else the path of the closure.
    #[must_use]
    pub fn function(&self) -> &str {
        self.0.function
    }

    /// The limit of the call; `None` when it had none, or none that is valid.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.0.limit.duration().ok().flatten()
    }

    /// The time from the call until its end was known.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// What the child used, as the kernel accounted it; `None` when there was no child, or when
    /// someone else in the program took its status.
    #[must_use]
    #[doc(alias = "getrusage")]
    pub fn usage(&self) -> Option<Usage> {
        self.0.usage
    }

    /// What the body was doing when its time ran out, where the kernel tells.
    #[must_use]
    #[doc(alias = "deadlock")]
    pub fn hang(&self) -> Option<&Hang> {
        self.0.hang.as_ref()
    }

    /// Where the body was when its time ran out, where it crashed, or where it panicked, if
    /// `RUST_BACKTRACE` asked for that. Where there is none, [`untraced`](Self::untraced) says why.
    #[must_use]
    #[doc(alias = "backtrace")]
    pub fn trace(&self) -> Option<&Trace> {
        self.0.trace.as_ref()?.as_ref().ok()
    }

    /// Why there is no [`trace`](Self::trace), where one could be expected: after a timeout, a crash
    /// or a panic. `{:#}` and `Debug` say it in a line.
    #[must_use]
    pub fn untraced(&self) -> Option<Untraced> {
        match (&self.0.trace, &self.0.kind) {
            (Some(trace), _) => trace.as_ref().err().copied(),
            (None, ErrorKind::TimedOut { stopped_by: StoppedBy::Nothing }) => {
                Some(Untraced::NotBegun)
            }
            (None, _) => None,
        }
    }

    /// Whether the deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::TimedOut { .. })
    }

    /// The exit code for a program that ends with this error, after coreutils' `timeout`: see the
    /// table at [`ErrorKind`].
    #[must_use]
    #[doc(alias = "124")]
    pub fn exit_code(&self) -> u8 {
        self.0.kind.exit_code()
    }

    /// Whether the processor time says it as well.
    fn says_usage(&self, hang: &Hang) -> bool {
        let most = self.0.elapsed.mul_f64(0.8);
        *hang == Hang::Busy && self.0.usage.is_some_and(|usage| usage.cpu_time() >= most)
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, function, limit, usage, hang, why, .. } = &*self.0;
        match kind {
            ErrorKind::TimedOut { stopped_by } => {
                let limit = Seconds(limit.duration().ok().flatten().unwrap_or_default());
                write!(f, "{function} timed out after {limit} ({stopped_by}")?;
                if let Some(hang) = hang.as_ref().filter(|hang| !self.says_usage(hang)) {
                    write!(f, "; {hang}")?;
                }
                if let Some(usage) = usage {
                    write!(f, "; {usage}")?;
                }
                f.write_str(")")
            }
            ErrorKind::InvalidLimit => match limit.duration() {
                // Nothing keeps a scope from calling its body.
                #[cfg(feature = "tokio")]
                Err(invalid) if self.0.origin == Some(Origin::SCOPE) => write!(
                    f,
                    "{function} runs without a deadline of its own: its limit of {invalid} is no duration; \
                     a limit is zero or more seconds"
                ),
                Err(invalid) => write!(
                    f,
                    "{function} was not called: its limit of {invalid} is no duration; \
                     a limit is zero or more seconds"
                ),
                Ok(_) => {
                    write!(f, "{function} was not called: {}", why.as_deref().unwrap_or_default())
                }
            },
            ErrorKind::Failed(cause) => write!(f, "{cause}"),
            ErrorKind::MemoryExceeded { .. } | ErrorKind::CpuExceeded { .. } => {
                write!(f, "{function} {kind}")?;
                usage.map_or(Ok(()), |usage| write!(f, " ({usage})"))
            }
            kind => write!(f, "{function} {kind}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary(f)?;
        match (self.trace(), self.untraced()) {
            (Some(trace), _) if f.alternate() => write!(f, "\n{trace}"),
            (None, Some(why)) if f.alternate() => write!(f, "\nno trace: {why}"),
            _ => Ok(()),
        }
    }
}

/// As `{:#}`: it is what `unwrap` and a test that returns the error show.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Start(cause) => Some(cause),
            ErrorKind::Encode(cause) | ErrorKind::Decode(cause) => Some(cause),
            // Its message is the text of this error: what comes next is its own source.
            ErrorKind::Failed(cause) => cause.source(),
            _ => None,
        }
    }
}

/// A timeout becomes [`io::ErrorKind::TimedOut`]; [`Start`](ErrorKind::Start) keeps its kind.
/// The error itself stays reachable through [`io::Error::get_ref`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::TimedOut { .. } => io::ErrorKind::TimedOut,
            ErrorKind::Start(cause) => cause.kind(),
            ErrorKind::InvalidLimit => io::ErrorKind::InvalidInput,
            ErrorKind::MemoryExceeded { .. } => io::ErrorKind::OutOfMemory,
            ErrorKind::Encode(_) | ErrorKind::Decode(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// The code of [`Error::exit_code`].
impl From<Error> for ExitCode {
    fn from(error: Error) -> Self {
        error.exit_code().into()
    }
}

/// A duration as people say it: `2 s`, `0.5 s`, `50 ms`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(duration) = *self;
        if duration >= Duration::from_millis(100) || duration.is_zero() {
            write!(f, "{} s", duration.as_secs_f64())
        } else {
            // `Debug` of a duration picks the unit: 50ms, 1.5µs.
            let text = format!("{duration:?}");
            let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
            write!(f, "{} {}", &text[..unit], &text[unit..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "f", Limit::after(Duration::from_secs(2)), Duration::from_secs(2))
    }

    #[test]
    fn is_one_pointer_wide_and_crosses_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn reads_as_one_line() {
        let usage = Usage::new(Duration::from_millis(1996), 3 << 20);
        let timed_out = error(ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
        assert_eq!(
            timed_out.with_usage(Some(usage)).to_string(),
            "f timed out after 2 s (stopped by SIGTERM; 2.00 s CPU, peak 3 MiB)"
        );
        assert_eq!(
            error(ErrorKind::Exited(0)).to_string(),
            "f ended its process with exit code 0 before it returned a value"
        );
        assert_eq!(
            error(ErrorKind::Signaled { signal: 11, core_dumped: true }).to_string(),
            "f was ended by SIGSEGV (core dumped)"
        );
        let full = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(
            error(ErrorKind::Start(full)).to_string(),
            "f could not be started: Too many open files (os error 24); \
             raise the limit on open files (`ulimit -n`) or run fewer calls at once"
        );
        assert!(!format!("{:?}", error(ErrorKind::Cancelled)).contains('\n'));
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let text = |seconds: f64| Seconds(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!(text(2.0), "2 s");
        assert_eq!(text(0.5), "0.5 s");
        assert_eq!(text(0.05), "50 ms");
        assert_eq!(text(1.5e-6), "1.5 µs");
        assert_eq!(text(0.0), "0 s");
    }

    #[test]
    fn exit_codes_follow_coreutils() {
        let codes = [
            (ErrorKind::TimedOut { stopped_by: StoppedBy::Nothing }, 124),
            (ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm }, 124),
            (ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill }, 137),
            (ErrorKind::Panicked { message: String::new(), location: None }, 101),
            (ErrorKind::Exited(0), 0),
            (ErrorKind::Exited(5), 5),
            (ErrorKind::Signaled { signal: 11, core_dumped: false }, 139),
            (ErrorKind::Cancelled, 125),
            (ErrorKind::InvalidLimit, 125),
            (ErrorKind::Unknown, 125),
            (ErrorKind::Start(io::ErrorKind::OutOfMemory.into()), 125),
        ];
        for (kind, code) in codes {
            assert_eq!(error(kind).exit_code(), code);
        }
    }

    #[test]
    fn becomes_an_io_error_of_its_kind() {
        let timed_out = error(ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill });
        assert_eq!(io::Error::from(timed_out).kind(), io::ErrorKind::TimedOut);
        let start = ErrorKind::Start(io::ErrorKind::OutOfMemory.into());
        let start = io::Error::from(error(start));
        assert_eq!(start.kind(), io::ErrorKind::OutOfMemory);
        assert!(start.get_ref().is_some_and(<dyn error::Error + Send + Sync>::is::<Error>));
        assert_ne!(io::Error::from(error(ErrorKind::Cancelled)).kind(), io::ErrorKind::Interrupted);
    }
}
