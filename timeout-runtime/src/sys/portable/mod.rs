//! What there is anywhere. What these cannot do, the documentation of the crate lists.

mod exit;
mod files;
mod process;
mod signals;

pub(crate) use self::exit::end;
pub(crate) use self::files::{close, close_stdout, duplicate_stdout, put_at_stdout, write};
pub(crate) use self::process::Process;
#[cfg(feature = "pool")]
pub(crate) use self::signals::holds_back;
pub(crate) use self::signals::{
    alternate_stack, handle, hold_none_back, is_handled, last_signal, set_alarm, set_default,
    way_back,
};

/// Whether a child hears of its caller's end by itself.
#[cfg(feature = "pool")]
pub(crate) const IS_TOLD_OF_ITS_CALLER: bool = false;

/// Nothing portable ties a child to its caller.
pub(crate) fn tie_to(_: nix::unistd::Pid) {}

#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) fn tie_this_thread() {}

pub(crate) fn end_with_caller() {}

/// Nothing portable finds what has left the group; the group is ended by the caller.
pub(crate) fn end_own() {}

pub(crate) fn light_fuse(_: std::time::Duration) {}

pub(crate) fn forget_timers() {}

/// Nothing portable waits for a word: whoever does looks again soon.
pub(crate) fn wait_for_change(
    _: &std::sync::atomic::AtomicU32,
    _: u32,
    at_most: std::time::Duration,
) {
    std::thread::sleep(at_most.min(std::time::Duration::from_millis(1)));
}

pub(crate) fn wake(_: &std::sync::atomic::AtomicU32) {}

pub(crate) fn process_number() -> i32 {
    nix::unistd::getpid().as_raw()
}

pub(crate) fn group_number() -> i32 {
    nix::unistd::getpgrp().as_raw()
}

#[cfg(feature = "pool")]
pub(crate) fn remember_process() {}

/// Nothing portable does.
#[cfg(feature = "pool")]
pub(crate) fn leave_processor(_: i32) {}

/// Nothing portable tells: who waits for another takes it for the other's too.
#[cfg(feature = "pool")]
pub(crate) fn this_processor() -> i32 {
    0
}

/// How a table of descriptors grows is each system's own affair.
#[cfg(feature = "tokio")]
pub(crate) fn wanted(_: impl std::os::fd::AsFd) -> Option<i32> {
    None
}

#[cfg(feature = "tokio")]
pub(crate) fn make_room(_: i32) {}

/// No limit on memory that all systems keep counts from a moment on.
pub(crate) fn can_limit_memory() -> std::io::Result<()> {
    let why = "this system cannot limit the memory of a body: remove `memory`";
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, why))
}

pub(crate) fn limit_memory(_: u64) -> std::io::Result<()> {
    can_limit_memory()
}

/// In whole seconds, as `RLIMIT_CPU` counts them; SIGKILL comes a second after SIGXCPU.
pub(crate) fn limit_cpu(more: std::time::Duration) -> std::io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let seconds = more.as_secs() + u64::from(more.subsec_nanos() > 0);
    let (soft, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    let hard = seconds.saturating_add(1).min(hard);
    setrlimit(Resource::RLIMIT_CPU, seconds.min(soft), hard)?;
    Ok(())
}

#[cfg(feature = "pool")]
pub(crate) fn free_memory() {}

#[cfg(feature = "pool")]
pub(crate) fn free_cpu() {}

pub(crate) fn grow_pipe(_: impl std::os::fd::AsFd) {}

pub(crate) use nix::sys::stat::fstat as stat;

/// Only glibc can tell a handler the exit code: here `exit` in a body runs the handlers that it
/// inherited.
pub(crate) fn end_before_inherited_handlers() {}

/// Each system has a name of its own for the question.
pub(crate) fn this_threads_stack() -> Option<std::ops::Range<usize>> {
    None
}

/// The names by which the C library's streams can be asked differ: here its stdout is left alone.
pub(crate) fn flush_c() -> bool {
    true
}

pub(crate) fn discard_c() {}

/// Each system has a name of its own for this, too.
pub(crate) fn name_thread(_: &std::ffi::CStr) {}

/// And for this: the body's thread is known by another.
pub(crate) fn thread_number() -> i32 {
    0
}

pub(crate) fn signal_own_thread(_: i32, _: i32) {}

pub(crate) fn signal_own_process(_: i32) {}

/// Threads have no numbers that are portable.
#[cfg(feature = "pool")]
pub(crate) fn has_thread(_: i32) -> bool {
    false
}

/// Nothing portable tells of those that have lost their parent.
pub(crate) fn has_nobody_below() -> bool {
    false
}

pub(crate) fn with_own_name(_: impl FnMut(&[u8])) {}

/// Where a handler interrupted its thread: the names of the registers differ. Its frames are told by
/// their names.
pub(crate) fn interrupted(_: *const libc::c_void) -> Option<u64> {
    None
}

pub(crate) fn as_if_not_called(_: *mut libc::c_void, work: impl FnOnce()) {
    work();
}

/// Nothing portable tells: then a crash is not traced.
pub(crate) fn unwinds_without_locks() -> bool {
    false
}

#[cfg(feature = "pool")]
pub(crate) fn relight_fuse(_: std::time::Duration) {}

/// Nothing portable finds them, and what is left of the group ends with the child.
#[cfg(feature = "pool")]
pub(crate) fn has_children() -> bool {
    false
}
