//! How a child comes to be.

pub(crate) mod fork;

/// How the child of a call comes to be, in the terms of Python's `multiprocessing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// The child is a copy of the caller (`fork(2)`): the body may capture anything, and sees the
    /// caller's memory as it is at the call.
    #[default]
    Fork,
}
