//! What Linux has of its own.

mod budget;
mod calls;
#[cfg(feature = "tokio")]
mod descriptors;
mod doing;
mod exit;
mod files;
mod fuse;
mod futex;
mod kernel;
mod own;
mod pipe;
mod proc;
mod process;
mod registers;
// Where the kernel's structure begins otherwise, or nobody has looked: by the C library.
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    path = "../portable/signals.rs"
)]
mod signals;
mod stack;
mod stdio;
mod thread;
mod tie;
mod tree;

pub(crate) use self::budget::{can_limit_memory, limit_cpu, limit_memory};
#[cfg(feature = "pool")]
pub(crate) use self::budget::{free_cpu, free_memory};
#[cfg(feature = "tokio")]
pub(crate) use self::descriptors::{make_room, wanted};
#[cfg(feature = "pool")]
pub(crate) use self::exit::has_children;
pub(crate) use self::exit::has_nobody_below;
pub(crate) use self::exit::{end, end_before_inherited_handlers};
pub(crate) use self::files::{close, close_stdout, duplicate_stdout, put_at_stdout, write};
pub(crate) use self::fuse::light_fuse;
#[cfg(feature = "pool")]
pub(crate) use self::fuse::relight_fuse;
pub(crate) use self::futex::{wait_for_change, wake};
#[cfg(feature = "pool")]
pub(crate) use self::own::remember_process;
pub(crate) use self::own::{group_number, process_number};
pub(crate) use self::pipe::{grow_pipe, stat};
pub(crate) use self::process::Process;
pub(crate) use self::registers::{as_if_not_called, interrupted};
#[cfg(feature = "pool")]
pub(crate) use self::signals::holds_back;
pub(crate) use self::signals::{
    alternate_stack, handle, hold_none_back, is_handled, last_signal, set_alarm, set_default,
    way_back,
};
pub(crate) use self::stack::this_threads_stack;
pub(crate) use self::stdio::{discard_c, flush_c};
#[cfg(feature = "pool")]
pub(crate) use self::thread::{has_thread, leave_processor, this_processor};
pub(crate) use self::thread::{
    signal_own_process, signal_own_thread, thread_number, unwinds_without_locks, with_own_name,
};
#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) use self::tie::tie_this_thread;
pub(crate) use self::tie::{end_with_caller, tie_to};
pub(crate) use self::tree::end_own;

/// Whether a child hears of its caller's end by itself.
#[cfg(feature = "pool")]
pub(crate) const IS_TOLD_OF_ITS_CALLER: bool = true;

/// As debuggers and `top` show it.
pub(crate) fn name_thread(name: &std::ffi::CStr) {
    // It is never refused, and were it, the thread would only have its program's name.
    let _ = nix::sys::prctl::set_name(name);
}

/// In a fresh child, which has none of its caller's timers.
#[inline]
pub(crate) fn forget_timers() {
    fuse::forget();
    budget::forget();
}
