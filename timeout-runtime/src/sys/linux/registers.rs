//! What the kernel tells a handler of the thread that it interrupted.
//!
//! # Safety
//!
//! A handler's context is the kernel's, valid as long as the handler runs, which has it for itself.
#![expect(unsafe_code, reason = "see the heading")]

use libc::{c_void, ucontext_t};

/// Where it was. `None` on a processor of which this does not know the names of the registers.
pub(crate) fn interrupted(context: *const c_void) -> Option<u64> {
    // SAFETY: see the heading.
    place(unsafe { context.cast::<ucontext_t>().as_ref() }?)
}

/// Does something while it looks as if the thread were at the call of the function that it is in. It has
/// just been called, and has done nothing yet.
pub(crate) fn as_if_not_called(context: *mut c_void, work: impl FnOnce()) {
    // SAFETY: see the heading. No reference stays beyond the line.
    let before = unsafe { context.cast::<ucontext_t>().read().uc_mcontext };
    // SAFETY: as above.
    if let Some(context) = unsafe { context.cast::<ucontext_t>().as_mut() } {
        step_out(context);
    }
    work();
    // SAFETY: as above.
    if let Some(context) = unsafe { context.cast::<ucontext_t>().as_mut() } {
        context.uc_mcontext = before;
    }
}

#[cfg(target_arch = "x86_64")]
const PLACE: usize = libc::REG_RIP as usize;

#[cfg(target_arch = "x86_64")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is not known")]
fn place(context: &ucontext_t) -> Option<u64> {
    Some(u64::from_ne_bytes(context.uc_mcontext.gregs[PLACE].to_ne_bytes()))
}

/// The address behind the call is on the stack.
#[cfg(target_arch = "x86_64")]
fn step_out(context: &mut ucontext_t) {
    const STACK: usize = libc::REG_RSP as usize;
    let registers = &mut context.uc_mcontext.gregs;
    let stack = usize::from_ne_bytes(registers[STACK].to_ne_bytes());
    // SAFETY: the call has just written there.
    let behind = unsafe { std::ptr::with_exposed_provenance::<i64>(stack).read() };
    registers[PLACE] = behind.wrapping_sub(1);
    registers[STACK] = registers[STACK].wrapping_add(8);
}

#[cfg(target_arch = "aarch64")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is not known")]
fn place(context: &ucontext_t) -> Option<u64> {
    Some(context.uc_mcontext.pc)
}

/// The address behind the call is in the link register.
#[cfg(target_arch = "aarch64")]
fn step_out(context: &mut ucontext_t) {
    context.uc_mcontext.pc = context.uc_mcontext.regs[30].wrapping_sub(1);
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn place(_: &ucontext_t) -> Option<u64> {
    None
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn step_out(_: &mut ucontext_t) {}
