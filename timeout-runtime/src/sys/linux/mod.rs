//! What Linux has of its own.

mod exit;
mod process;
mod stack;
mod stdio;
mod tie;
mod volume;

pub(crate) use self::exit::end_before_inherited_handlers;
pub(crate) use self::process::Process;
pub(crate) use self::stack::this_threads_stack;
pub(crate) use self::stdio::{discard_c, flush_c};
pub(crate) use self::tie::die_with_caller;
pub(crate) use self::volume::grow_pipe;
