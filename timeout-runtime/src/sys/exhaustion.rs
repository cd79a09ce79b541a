//! The end of a body for want of memory.
//!
//! Where Rust's allocator gets no memory, the program aborts (`std::alloc::handle_alloc_error`). A
//! handler of SIGABRT sees that function on the stack, and says why, before the signal does what it
//! would have done.
//!
//! # Safety
//!
//! The handler calls the unwinder, which takes no lock and allocates nothing (see `sys::hang`), and
//! `write(2)`. What it says is written before the handler is installed, and not while it is.
#![expect(unsafe_code, reason = "see the heading")]

use std::alloc::{Layout, handle_alloc_error};
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::io::{self, Write};
use std::ptr;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::pipe::Raw;

/// How long the word is.
const WORD: usize = 16;

/// Where the word goes, and the word.
struct Told(UnsafeCell<(i32, [u8; WORD])>);

// SAFETY: see the heading.
unsafe impl Sync for Told {}

static TOLD: Told = Told(UnsafeCell::new((-1, [0; WORD])));

/// In a child: from now on its end for want of memory is told there.
pub(crate) fn tell(pipe: i32, word: [u8; WORD]) -> io::Result<()> {
    // SAFETY: no handler reads it yet.
    unsafe { *TOLD.0.get() = (pipe, word) };
    handle(SigHandler::SigAction(on_abort))
}

/// In a child that goes on: from now on it is not.
#[cfg(feature = "pool")]
pub(crate) fn tell_nothing() {
    let _ = handle(SigHandler::SigDfl);
    super::crash::watch_again(libc::SIGABRT);
}

fn handle(handler: SigHandler) -> io::Result<()> {
    let action = SigAction::new(handler, SaFlags::SA_ONSTACK, SigSet::empty());
    // SAFETY: see the heading.
    unsafe { sigaction(Signal::SIGABRT, &action) }?;
    Ok(())
}

extern "C" fn on_abort(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if is_for_memory() {
        // SAFETY: it was written before this was installed.
        let (pipe, word) = unsafe { &*TOLD.0.get() };
        let _ = Raw(*pipe).write_all(word);
    }
    // `abort(3)` ends the process when this returns.
    super::crash::on_crash(signal, info, context);
}

/// The function is a call or two long.
const LENGTH: usize = 64;

fn is_for_memory() -> bool {
    let mut found = false;
    // SAFETY: the trace function gets the pointer that is passed here, which lives through the call.
    unsafe { _Unwind_Backtrace(look, (&raw mut found).cast()) };
    found
}

extern "C" fn look(context: *mut c_void, found: *mut c_void) -> c_int {
    let start = handle_alloc_error as fn(Layout) -> ! as usize;
    // SAFETY: the unwinder's own context.
    let address = unsafe { _Unwind_GetIP(context) };
    if (start + 1..=start + LENGTH).contains(&address) {
        // SAFETY: see `is_for_memory`.
        unsafe { ptr::write(found.cast(), true) };
    }
    0
}

// The unwinder that the standard library brings (the Itanium C++ ABI).
unsafe extern "C" {
    fn _Unwind_Backtrace(
        trace: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}
