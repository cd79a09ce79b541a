//! What there is anywhere. What these cannot do, the documentation of the crate lists.

mod process;

pub(crate) use self::process::Process;

/// Nothing portable ties a child to its caller.
pub(crate) fn tie_to(_: nix::unistd::Pid) {}

pub(crate) fn end_with_caller() {}

/// Nothing portable finds what has left the group; the group is ended by the caller.
pub(crate) fn end_own() {}

pub(crate) fn light_fuse(_: std::time::Duration) {}

pub(crate) fn grow_pipe(_: impl std::os::fd::AsFd) {}

/// Only glibc can tell a handler the exit code: here `exit` in a body runs the handlers that it
/// inherited.
pub(crate) fn end_before_inherited_handlers() {}

/// Each system has a name of its own for the question.
pub(crate) fn this_threads_stack() -> Option<std::ops::Range<usize>> {
    None
}

/// The names by which the C library's streams can be asked differ: here its stdout is left alone.
pub(crate) fn flush_c() {}

pub(crate) fn discard_c() {}

/// Each system has a name of its own for this, too.
pub(crate) fn name_thread(_: &std::ffi::CStr) {}

#[cfg(feature = "pool")]
pub(crate) fn relight_fuse(_: std::time::Duration) {}

/// Nothing portable finds them, and what is left of the group ends with the child.
#[cfg(feature = "pool")]
pub(crate) fn has_children() -> bool {
    false
}
