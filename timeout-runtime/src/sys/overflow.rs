//! A stack that overflows says so before it ends the process, as the standard library's threads do.
//! A body's own thread is none of these: it was made without the standard library, or in a process
//! that never came to its `main`.
//!
//! # Safety
//!
//! The handler runs on a stack of its own, which is never freed, and makes system calls alone. What
//! it replaces it calls for all that is not its own.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::platform::this_threads_stack;

/// From now on an overflow of this thread's stack is told on stderr, and aborts.
pub(crate) fn watch_this_thread() {
    let Some(stack) = this_threads_stack() else { return };
    let Some(room) = new_pages(ROOM) else { return };
    let own = libc::stack_t { ss_sp: room, ss_flags: 0, ss_size: ROOM };
    // SAFETY: see the heading.
    if unsafe { libc::sigaltstack(&raw const own, ptr::null_mut()) } != 0 {
        return;
    }
    LOWEST.store(stack.start, Ordering::Relaxed);
    for (signal, before) in [(libc::SIGSEGV, &SEGV_BEFORE), (libc::SIGBUS, &BUS_BEFORE)] {
        // SAFETY: zero is valid for both, and the first is completed.
        let (mut action, mut old): (libc::sigaction, libc::sigaction) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        action.sa_sigaction = on_fault as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: both live through the call; the handler is of the kind that the flags say.
        let is_set = unsafe { libc::sigaction(signal, &raw const action, &raw mut old) } == 0;
        // Around a call in a call it is this one already.
        if is_set && old.sa_sigaction != action.sa_sigaction {
            before.store(Box::into_raw(Box::new(old)), Ordering::Release);
        }
    }
}

const ROOM: usize = if libc::SIGSTKSZ > 64 << 10 { libc::SIGSTKSZ } else { 64 << 10 };

/// Memory that costs nothing before it is used: the allocator may write zeros into all of it.
fn new_pages(length: usize) -> Option<*mut libc::c_void> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let pages = unsafe { libc::mmap(ptr::null_mut(), length, access, kind, -1, 0) };
    (pages != libc::MAP_FAILED).then_some(pages)
}

/// What it installs.
pub(super) fn handler() -> usize {
    on_fault as *const () as usize
}

/// The end of the stack that is watched.
static LOWEST: AtomicUsize = AtomicUsize::new(0);
static SEGV_BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
static BUS_BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// A fault so near to the end of the stack is one of its overflow.
const NEAR: usize = 64 << 10;

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    super::crash::tell(signal, info, context);
    // SAFETY: the kernel gives a handler of this kind a valid one, with an address for these signals.
    let address = unsafe { (*info).si_addr() } as usize;
    if address.abs_diff(LOWEST.load(Ordering::Relaxed)) <= NEAR {
        let text = b"\nthread 'main' has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
        // SAFETY: both may be called in a handler; the text lives for ever.
        unsafe {
            libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
            libc::abort();
        }
    }
    let before = if signal == libc::SIGSEGV { &SEGV_BEFORE } else { &BUS_BEFORE };
    // SAFETY: null, or a box that is never freed.
    let before = unsafe { before.load(Ordering::Acquire).as_ref() };
    let handler =
        before.filter(|before| ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction));
    match handler.filter(|handler| handler.sa_flags & libc::SA_SIGINFO != 0) {
        Some(handler) => {
            type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: it was installed as a handler of this kind.
            let handler: Handler = unsafe { std::mem::transmute(handler.sa_sigaction) };
            handler(signal, info, context);
        }
        // It happens again when this returns, and then it ends the process.
        // SAFETY: no handler is installed.
        None => drop(unsafe { libc::signal(signal, libc::SIG_DFL) }),
    }
}
