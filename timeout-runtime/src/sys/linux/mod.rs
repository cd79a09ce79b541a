//! What Linux has of its own.

mod exit;
mod fuse;
mod lock;
mod proc;
mod process;
mod stack;
mod stdio;
mod tie;
mod tree;
mod volume;

pub(crate) use self::exit::end_before_inherited_handlers;
pub(crate) use self::fuse::light_fuse;
#[cfg(feature = "pool")]
pub(crate) use self::fuse::relight_fuse;
pub(crate) use self::process::Process;
pub(crate) use self::stack::this_threads_stack;
pub(crate) use self::stdio::{discard_c, flush_c};
pub(crate) use self::tie::{end_with_caller, tie_to};
pub(crate) use self::tree::end_own;
#[cfg(feature = "pool")]
pub(crate) use self::tree::has_children;
pub(crate) use self::volume::grow_pipe;

/// As debuggers and `top` show it.
pub(crate) fn name_thread(name: &std::ffi::CStr) {
    // It is never refused, and were it, the thread would only have its program's name.
    let _ = nix::sys::prctl::set_name(name);
}
