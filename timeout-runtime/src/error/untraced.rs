use std::fmt;

/// Why there is no trace where one could be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Untraced {
    /// The feature `backtrace` is off.
    FeatureOff,
    /// Of a panic: neither `RUST_BACKTRACE` nor `RUST_LIB_BACKTRACE` asks for one.
    NotAsked,
    /// The body had not begun.
    NotBegun,
    /// Nobody looked at the call when its time ran out; the kernel ended it.
    Unasked,
    /// The child was stopped, as by SIGSTOP.
    Stopped,
    /// The thread blocks the signal that asks it.
    Blocked,
    /// The handler that takes one was not called: the body handles or ignores that signal itself, or
    /// blocked it when it crashed; or a thread of the body overflowed its stack, and had no other.
    Handled,
    /// The child had become another program, by `exec`.
    AnotherProgram,
    /// The thread did not answer within 100 ms: it was in the kernel, or had no processor.
    Silent,
    /// The caller had no memory to share with the child.
    NoMemory,
}

impl fmt::Display for Untraced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FeatureOff => "the feature `backtrace` of `timeout-runtime` is off",
            Self::NotAsked => "set RUST_BACKTRACE=1 to have one of a panic",
            Self::NotBegun => "the body had not begun",
            Self::Unasked => "nobody waited for the call when its time ran out",
            Self::Stopped => "it was stopped",
            Self::Blocked => "it blocked the signal that asks for one (SIGURG)",
            Self::Handled => "the signal came to no handler that takes one",
            Self::AnotherProgram => "it had become another program",
            Self::Silent => "it did not answer within 100 ms",
            Self::NoMemory => "there was no memory for one",
        })
    }
}
