use std::fmt;

/// What a body was doing when its time ran out, as far as the kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hang {
    /// Every thread of the child waited for a lock, without a limit of its own, so nobody was left
    /// to release it: it was held at the fork by another thread of the caller, which the child does
    /// not have, or the body holds it itself.
    ///
    /// A lock of the first kind is met by taking it before the call, by making what it protects anew
    /// in the body, or by a child that is no copy of the caller.
    Lock,
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lock => {
                "it waited for a lock that was held since the fork, or that it held itself"
            }
        })
    }
}
