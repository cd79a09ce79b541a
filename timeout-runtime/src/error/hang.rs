use std::fmt;

/// What a body was doing when its time ran out, as the kernel tells it (on Linux).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hang {
    /// One of its threads was running, or would have been on a free processor.
    Busy,
    /// It slept until a time.
    Sleeping,
    /// Every thread of it waited for a lock, without a limit, or for the end of one that did: none was
    /// left to release it.
    ///
    /// Another thread of the caller held it at the fork, and that thread is not there in the child; or
    /// the body holds it itself. Against the first: take the lock before the call, or use a start method
    /// whose child is no copy of the caller.
    Lock,
    /// It waited in a system call for something from outside.
    Waiting {
        /// The name of the call, such as `read`, or `system call` and its number.
        call: String,
        /// What it waited for, if that is open as a file: a path, `a pipe`, `a socket`.
        file: Option<String>,
    },
    /// It was stopped: by SIGSTOP, or because it wanted to read from the terminal in the background.
    Stopped,
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("it was busy"),
            Self::Sleeping => f.write_str("it slept"),
            Self::Lock => f.write_str(
                "it waited for a lock that was held since the fork, or that it held itself",
            ),
            Self::Waiting { call, file: None } => write!(f, "it waited in {call}"),
            Self::Waiting { call, file: Some(file) } => {
                write!(f, "it waited in {call} on {file}")
            }
            Self::Stopped => f.write_str("it was stopped"),
        }
    }
}
