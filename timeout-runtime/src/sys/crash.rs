//! Where a body crashes: a handler writes the stack of the thread to the shared pages, and then lets
//! the signal do what it would have done.
//!
//! It is installed where nothing handles the signal, or the standard library does, whose handler tells
//! of a stack overflow and is called after this one. What the body installs replaces it. It has a stack
//! of its own to run on, for the thread's may be used up.
//!
//! # Safety
//!
//! The handler touches atomics and the shared pages, and what `stack` says may be used in one. A
//! handler that was there before is called as the kernel would have called it.
#![expect(unsafe_code, reason = "see the heading")]

use std::mem::zeroed;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use nix::errno::Errno;

use super::cell::Published;
use super::slate::{self, Page, ROOM, Slate};
use super::{hang, platform};
use crate::error::Untraced;
use crate::trace::Stacks;

pub(super) const SIGNALS: [i32; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];

/// What was there before, of the first two: the others have their defaults in a child.
static BEFORE: [AtomicUsize; 2] = [const { AtomicUsize::new(libc::SIG_DFL) }; 2];

/// The thread that has crashed, and whether all was said of it.
static CRASHED: AtomicI32 = AtomicI32::new(0);
static IS_SAID: AtomicBool = AtomicBool::new(false);

impl Slate {
    /// In the caller: where the child crashed that this signal has ended. `None` for signals that say
    /// nothing of the body.
    pub(crate) fn crash_of(slate: Option<&Self>, signal: i32) -> Option<Stacks> {
        let page = slate.ok_or_else(Self::why_none).map(Self::page);
        SIGNALS.contains(&signal).then(|| {
            let stack = page?.crash.read();
            if stack.addresses.is_empty() { Err(Untraced::Handled) } else { Ok(vec![stack]) }
        })
    }
}

/// In a fresh child.
#[inline]
pub(super) fn watch(page: &Page) {
    CRASHED.store(0, Ordering::Relaxed);
    if !is_possible() {
        return;
    }
    stand_on(page);
    // Not by the list, which lies among constants: one more window of the program for a fresh child.
    for signal in (1..=libc::SIGSEGV).filter(|signal| SIGNALS.contains(signal)) {
        install(signal);
    }
}

/// In a child that goes on after it had another handler.
#[cfg(feature = "pool")]
pub(super) fn watch_again(signal: i32) {
    if is_possible() {
        install(signal);
    }
}

/// Whether the unwinder takes no lock: a crash must not become a hang. Found out in the caller, once.
pub(crate) fn is_possible() -> bool {
    static IS: Published<bool> = Published::new();
    *IS.get_or(|| {
        let is_possible = cfg!(feature = "backtrace") && platform::unwinds_without_locks();
        if is_possible {
            // What the unwinder calls for the first time the loader has to find, which takes time and
            // more of a stack than there is for a handler.
            let mut frames = 0;
            super::stack::each_from(None, 0, |_| {
                frames += 1;
                frames < 8
            });
        }
        is_possible
    })
}

/// The handler of the standard library, if it is there at the first call.
pub(crate) fn standard_handler() -> usize {
    static HANDLER: Published<usize> = Published::new();
    *HANDLER.get_or(|| {
        let [segv, bus] = [libc::SIGSEGV, libc::SIGBUS].map(action_of);
        // Nothing tells its address; but these are its flags, and it is the same for both.
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let is_alike = |action: &libc::sigaction| {
            action.sa_sigaction == segv.sa_sigaction && action.sa_flags & !RESTORER == flags
        };
        let is_its_own = is_alike(&segv) && is_alike(&bus);
        if is_its_own { segv.sa_sigaction } else { libc::SIG_DFL }
    })
}

/// The C library's own flag.
const RESTORER: i32 = 0x0400_0000;

fn action_of(signal: i32) -> libc::sigaction {
    // SAFETY: zero is valid for it, and it lives through the call, which changes nothing.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action
    }
}

#[inline]
fn install(signal: i32) {
    let is_access = matches!(signal, libc::SIGSEGV | libc::SIGBUS);
    let flags = libc::SA_SIGINFO | if is_access { libc::SA_ONSTACK } else { 0 };
    let own = on_crash as *const () as usize;
    let action = platform::handle(signal, own, flags);
    let before = action.handler();
    // Around a call in a call it is this one already.
    if before == own {
        return;
    }
    let known = [libc::SIG_DFL, standard_handler(), own_handler()];
    if !known.contains(&before) {
        return action.put_back(signal);
    }
    if let Some(place) = before_of(signal) {
        place.store(before, Ordering::Release);
    }
}

/// Of a thread of the library's own, whose overflow it tells.
#[inline]
fn own_handler() -> usize {
    #[cfg(any(feature = "pool", feature = "tokio"))]
    return super::overflow::handler();
    #[cfg(not(any(feature = "pool", feature = "tokio")))]
    libc::SIG_DFL
}

#[inline]
fn before_of(signal: i32) -> Option<&'static AtomicUsize> {
    SIGNALS.iter().position(|known| *known == signal).and_then(|place| BEFORE.get(place))
}

/// Gives this thread, the body's, a stack for handlers, unless it has a large one.
#[inline]
fn stand_on(page: &Page) {
    // SAFETY: zero is valid for it; in a child the pages are never unmapped.
    unsafe {
        let mut old: libc::stack_t = zeroed();
        platform::alternate_stack(ptr::null(), &raw mut old);
        let is_there = old.ss_flags & libc::SS_DISABLE == 0;
        if !is_there || old.ss_size < ROOM {
            let own = libc::stack_t { ss_sp: page.room.get().cast(), ss_flags: 0, ss_size: ROOM };
            platform::alternate_stack(&raw const own, ptr::null_mut());
        }
    }
}

pub(super) extern "C" fn on_crash(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let errno = Errno::last_raw();
    tell(signal, info, context);
    Errno::set_raw(errno);
    go_on(signal, info, context);
}

/// By somebody, and not by the processor.
fn is_sent(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the kernel gives a handler of this kind a valid one.
    unsafe { (*info).si_code <= 0 }
}

/// In a handler: writes down where this thread is.
pub(super) fn tell(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let is_access = matches!(signal, libc::SIGSEGV | libc::SIGBUS) && !is_sent(info);
    // SAFETY: as above, with an address for these.
    let address = is_access.then(|| unsafe { (*info).si_addr() }.addr() as u64);
    if let Some(page) = slate::own().filter(|_| is_possible()) {
        note(page, signal, address, context);
    }
}

/// Once: what comes after the first crash comes of it.
fn note(page: &Page, signal: i32, address: Option<u64>, context: *mut libc::c_void) {
    let thread = platform::thread_number().max(1);
    match CRASHED.compare_exchange(0, thread, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            IS_SAID.store(false, Ordering::Relaxed);
            page.signal.store(signal, Ordering::Release);
            if has_room() {
                let is_body = hang::is_body_thread();
                let write = || page.crash.write(is_body, platform::interrupted(context));
                // It went where no function is, and the unwinder would read there too.
                if address.is_some() && address == platform::interrupted(context) {
                    platform::as_if_not_called(context, write);
                } else {
                    write();
                }
            }
            IS_SAID.store(true, Ordering::Release);
        }
        // By the unwinder, for what it found on the stack is destroyed: the first counts.
        Err(same) if same == thread && !IS_SAID.load(Ordering::Acquire) => {
            end_by(page.signal.load(Ordering::Relaxed));
        }
        Err(_) => {}
    }
}

/// So much is needed of a stack that is for handlers alone; 2.2 KiB were measured.
const NEEDED: usize = 3 << 10;

/// Threads of the body have what the standard library gave them, or the body.
fn has_room() -> bool {
    let here = 0u8;
    // SAFETY: zero is valid for it.
    let stack = unsafe {
        let mut stack: libc::stack_t = zeroed();
        libc::sigaltstack(ptr::null(), &raw mut stack);
        stack
    };
    let left = (&raw const here).addr().wrapping_sub(stack.ss_sp.addr());
    stack.ss_flags & libc::SS_ONSTACK == 0 || left >= NEEDED
}

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// What would have happened without this handler.
fn go_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = before_of(signal).map_or(libc::SIG_DFL, |place| place.load(Ordering::Acquire));
    let is_sent = is_sent(info);
    if before == libc::SIG_DFL {
        set_default(signal);
        if is_sent {
            raise(signal);
        }
        // Else it happens again when this returns, and then it ends the process.
        return;
    }
    // It may abort; there is not the room for one more handler.
    let aborts = action_of(libc::SIGABRT).sa_sigaction == on_crash as *const () as usize;
    if aborts {
        set_default(libc::SIGABRT);
    }
    // SAFETY: it was installed as a handler of this kind.
    let handler: Handler = unsafe { std::mem::transmute(before) };
    handler(signal, info, context);
    let after = action_of(signal).sa_sigaction;
    let is_ours = after == on_crash as *const () as usize;
    if is_ours || is_sent && after == libc::SIG_DFL {
        // The body goes on.
        if let Some(page) = slate::own() {
            page.crash.clear();
        }
        CRASHED.store(0, Ordering::Release);
        if aborts {
            install(libc::SIGABRT);
        }
        if !is_ours {
            install(signal);
        }
    }
}

fn set_default(signal: i32) {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// To this thread. It comes when the handler returns.
fn raise(signal: i32) {
    // SAFETY: a number.
    unsafe { libc::raise(signal) };
}

fn end_by(signal: i32) {
    set_default(signal);
    // SAFETY: zero is valid for the set, which lives through the calls.
    unsafe {
        let mut one: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut one);
        libc::sigaddset(&raw mut one, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const one, ptr::null_mut());
    }
    raise(signal);
}
