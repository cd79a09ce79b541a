use std::time::Duration;
use std::{error, fmt, io};

use super::usage::Bytes;
use super::{RemoteError, Seconds};
use crate::sys;

/// What happened to a call that gave no value.
///
/// | kind | did the body run? | [`exit_code`](crate::Error::exit_code) |
/// |---|---|---|
/// | [`TimedOut`](Self::TimedOut) | until it was stopped; under a limit of zero not at all | 124; 137 when it took SIGKILL |
/// | [`Panicked`](Self::Panicked) | up to the panic | 101 |
/// | [`Exited`](Self::Exited) | up to its exit | the code |
/// | [`Signaled`](Self::Signaled) | up to the signal | 128 + signal |
/// | [`MemoryExceeded`](Self::MemoryExceeded) | until it asked for more | 134, that of SIGABRT |
/// | [`CpuExceeded`](Self::CpuExceeded) | until it had used that | 152, that of SIGXCPU |
/// | [`Cancelled`](Self::Cancelled) | until it was stopped | 125 |
/// | [`InvalidLimit`](Self::InvalidLimit) | no; in a `cooperative::scope` up to the checkpoint | 125 |
/// | [`Start`](Self::Start) | no: calling again later is safe | 125 |
/// | [`Encode`](Self::Encode), [`Decode`](Self::Decode) | to its end, as far as is known; no, if it is about an [argument](CodecError::is_argument) | 125 |
/// | [`Failed`](Self::Failed) | to its end | 1 |
/// | [`Unknown`](Self::Unknown) | unknown | 125 |
/// | [`AlreadyStarted`](Self::AlreadyStarted), [`Closed`](Self::Closed) | no | 125 |
///
/// The codes are those of coreutils' `timeout`, and the shell's for a signal.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The deadline passed before there was a value.
    TimedOut {
        /// What it took to end the child.
        stopped_by: StoppedBy,
    },
    /// The body panicked.
    Panicked {
        /// The message, if the payload was a `&str` or a `String`; else `Box<dyn Any>`, as the
        /// standard library prints it.
        message: String,
        /// `file:line:column`; unknown when the program replaced the panic hook after its first
        /// call, or when the panic was resumed from elsewhere.
        location: Option<String>,
    },
    /// The body ended its process by an exit, with this code, 0 included.
    #[doc(alias = "WEXITSTATUS")]
    Exited(i32),
    /// A signal that this library did not send ended the child: a crash, an abort, the kernel's
    /// out-of-memory killer, someone's `kill`.
    #[doc(alias = "WTERMSIG")]
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
    /// [`Call::cancel`](crate::Call::cancel) came before the value.
    Cancelled,
    /// The body could have no more memory: see [`Timeout::memory`](crate::Timeout::memory).
    MemoryExceeded {
        /// How much it was allowed to take, in bytes.
        limit: u64,
    },
    /// The body used up its processor time: see [`Timeout::cpu`](crate::Timeout::cpu).
    #[doc(alias = "SIGXCPU")]
    CpuExceeded {
        /// How much that was.
        limit: Duration,
    },
    /// The limit, the grace or the CPU limit is negative or no number.
    InvalidLimit,
    /// No child could be had.
    Start(io::Error),
    /// The child could not write the value, or the caller an argument.
    Encode(CodecError),
    /// What arrived is not a value, or in the child not an argument.
    Decode(CodecError),
    /// The body returned this error. Only in an error type of a written `Result` that neither
    /// serializes nor can be made of any error, but has a variant for this library's.
    Failed(RemoteError),
    /// The child ended without a value, and someone else in the program took its status: a
    /// `waitpid(-1)`, or `SIGCHLD` ignored on a kernel before 6.15.
    Unknown,
    /// A cooperative timeout was to be started while it was pending: cancel it first.
    AlreadyStarted,
    /// A cooperative timeout was to be used after it was closed: make a new one.
    Closed,
}

/// What it took to end a body whose deadline had passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoppedBy {
    /// There was nothing to stop: the limit was zero, or ran out before the child had begun.
    Nothing,
    /// SIGTERM was enough.
    Sigterm,
    /// It, or something that it had started, was still there at the end of the grace; or the grace
    /// was zero.
    Sigkill,
    /// No signal, for there was no child: the body was dropped at an `.await`, or asked a checkpoint.
    Cooperation,
}

/// Why a value of some type could not cross from the child to the caller, or an argument to the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError {
    type_name: String,
    reason: String,
    is_argument: bool,
}

impl ErrorKind {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::TimedOut { stopped_by: StoppedBy::Sigkill } => 137,
            Self::TimedOut { .. } => 124,
            Self::Panicked { .. } => 101,
            Self::Failed(_) => 1,
            Self::Exited(code) => low_byte(*code),
            Self::Signaled { signal, .. } => low_byte(128 + *signal),
            Self::MemoryExceeded { .. } => low_byte(128 + libc::SIGABRT),
            Self::CpuExceeded { .. } => low_byte(128 + libc::SIGXCPU),
            _ => 125,
        }
    }
}

/// What `_exit(2)` keeps of a code.
fn low_byte(code: i32) -> u8 {
    code.to_le_bytes()[0]
}

/// The part of the sentence after the function's name.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { stopped_by } => write!(f, "timed out ({stopped_by})"),
            Self::Panicked { message, location: Some(place) } => {
                write!(f, "panicked at {place}: {message}")
            }
            Self::Panicked { message, location: None } => write!(f, "panicked: {message}"),
            Self::Exited(code) => write!(
                f,
                "ended its process with exit code {code} before it returned a value"
            ),
            Self::Signaled { signal, core_dumped } => {
                write!(f, "was ended by {}", sys::signal::Name(*signal))?;
                if *core_dumped { f.write_str(" (core dumped)") } else { Ok(()) }
            }
            Self::MemoryExceeded { limit } => {
                write!(f, "needed more memory than the {} it may take", Bytes(*limit))
            }
            Self::CpuExceeded { limit } => {
                write!(f, "used up its CPU limit of {}", Seconds(*limit))
            }
            Self::Cancelled => f.write_str("was cancelled"),
            Self::InvalidLimit => f.write_str("has a limit that is no duration"),
            Self::Start(cause) => {
                write!(f, "could not be started: {cause}")?;
                remedy(cause).map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
            }
            Self::Encode(cause) | Self::Decode(cause) if cause.is_argument => {
                write!(f, "was not started: {cause}")
            }
            Self::Encode(cause) => write!(f, "returned, but {cause}"),
            Self::Decode(cause) => write!(f, "sent a result, but {cause}"),
            Self::Failed(cause) => write!(f, "failed: {cause}"),
            Self::Unknown => f.write_str(
                "ended without a value, and its exit status was taken by another wait in this program",
            ),
            Self::AlreadyStarted => {
                f.write_str("was not started: its timeout is pending already; cancel it first")
            }
            Self::Closed => f.write_str("was not started: its timeout is closed; make a new one"),
        }
    }
}

fn remedy(cause: &io::Error) -> Option<&'static str> {
    Some(match cause.raw_os_error()? {
        libc::EMFILE => "raise the limit on open files (`ulimit -n`) or run fewer calls at once",
        libc::ENFILE => "the whole system is out of open files",
        libc::EAGAIN => {
            "the limit on processes and threads is reached (`ulimit -u`, or the cgroup's pids.max)"
        }
        libc::ENOMEM => "there is too little memory to copy this process",
        _ => return None,
    })
}

impl fmt::Display for StoppedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "before it started",
            Self::Sigterm => "stopped by SIGTERM",
            Self::Sigkill => "stopped by SIGKILL",
            Self::Cooperation => "cooperative",
        })
    }
}

impl CodecError {
    pub(crate) fn new(type_name: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { type_name: type_name.into(), reason: reason.to_string(), is_argument: false }
    }

    /// It is about an argument.
    #[cfg(feature = "pool")]
    pub(crate) fn of_argument(mut self) -> Self {
        self.is_argument = true;
        self
    }

    /// It is about the parameter of that name.
    #[cfg(feature = "pool")]
    pub(crate) fn of_parameter(mut self, name: &str) -> Self {
        self.reason = format!("{} (parameter `{name}`)", self.reason);
        self.of_argument()
    }

    /// As it crosses the pipe.
    pub(crate) fn parts(&self) -> (&str, &str, bool) {
        (&self.type_name, &self.reason, self.is_argument)
    }

    pub(crate) fn put_together((type_name, reason, is_argument): (String, String, bool)) -> Self {
        Self { type_name, reason, is_argument }
    }

    /// Whether it is an argument that could not cross to the child: then the body did not run.
    #[must_use]
    pub fn is_argument(&self) -> bool {
        self.is_argument
    }

    /// The type of the value.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// What was wrong with it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_argument { "an argument" } else { "a value" };
        write!(f, "{what} of type `{}` could not cross: {}", self.type_name, self.reason)
    }
}

impl error::Error for CodecError {}
