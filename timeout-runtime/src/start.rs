//! How a child comes to be.

pub(crate) mod fork;
#[cfg(feature = "pool")]
pub(crate) mod fresh;
#[cfg(feature = "pool")]
mod keeper;
#[cfg(feature = "pool")]
pub(crate) mod nursery;
pub(crate) mod terms;
#[cfg(feature = "pool")]
pub(crate) mod workers;

/// How the child of a call comes to be, in the terms of Python's `multiprocessing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// The child is a copy of the caller (`fork(2)`): the body may capture anything, and sees the
    /// caller's memory as it is at the call.
    #[default]
    Fork,
    /// The child is this program started afresh: the body sees nothing of the caller's memory, and
    /// arguments cross serialized. For [`Timeout::call`](crate::Timeout::call) and the attribute.
    #[cfg(feature = "pool")]
    Spawn,
    /// As `Spawn`, in a process that is kept for the next call: see [`pool`](crate::pool).
    #[cfg(feature = "pool")]
    Pool,
}
