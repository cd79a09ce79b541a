//! The end of a child, by `exit(3)` or by its own.
//!
//! # Safety
//!
//! Called in a child: at its start by the thread that the fork left, and at its end.
#![expect(unsafe_code, reason = "see the heading")]

use super::kernel;

/// From now on `exit(3)` runs the handlers that this process registered itself, then ends it:
/// those registered before are the caller's, which runs them when it ends.
#[cfg(target_env = "gnu")]
#[inline]
pub(crate) fn end_before_inherited_handlers() {
    unsafe extern "C" {
        // glibc's own, not in POSIX: unlike `atexit`, it tells the handler the exit code.
        fn on_exit(
            handler: extern "C" fn(libc::c_int, *mut libc::c_void),
            argument: *mut libc::c_void,
        ) -> libc::c_int;
    }
    extern "C" fn end(code: libc::c_int, _: *mut libc::c_void) {
        super::stdio::flush_c();
        // It may be a process that the body forked, whose affairs are its own.
        if crate::current::child().is_some() {
            super::end_own();
        }
        crate::sys::exit::now(code);
    }
    // SAFETY: the handler lives as long as the program; handlers run in the reverse order of
    // their registration. On failure (no memory) the inherited ones run twice: no worse than fork.
    unsafe { on_exit(end, std::ptr::null_mut()) };
}

/// musl has no `on_exit`: there the inherited handlers run in the child too.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn end_before_inherited_handlers() {}

/// As `_exit(2)`.
#[inline]
pub(crate) fn end(code: i32) -> ! {
    let code = u32::from_ne_bytes(code.to_ne_bytes()) as usize;
    // SAFETY: it ends the process; there is nothing after it to be unsound.
    let _ = unsafe { kernel::call(libc::SYS_exit_group, [code]) };
    std::process::abort()
}

/// Whether this process has children, dead ones too.
#[inline]
pub(crate) fn has_children() -> bool {
    let flags = libc::WNOHANG | libc::WNOWAIT | libc::WEXITED | libc::__WALL;
    // SAFETY: zero is valid for it: plain numbers. It lives through the call, which fails for want of
    // children alone: why is not looked at, for that costs a fresh child more than the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let (all, flags) = (libc::P_ALL as usize, flags.unsigned_abs() as usize);
        kernel::call(libc::SYS_waitid, [all, 0, kernel::into(&mut info), flags, 0]).is_ok()
    }
}

/// Whether this process, whom those come to that have lost their parent, has started none that is left.
pub(crate) fn has_nobody_below() -> bool {
    !has_children()
}

/// Closes whatever the body left open, but for the standard streams.
pub(super) fn close_all() {
    let (first, last, flags): (libc::c_uint, libc::c_uint, libc::c_uint) =
        (3, libc::c_uint::MAX, 0);
    // SAFETY: three integers. The process is about to end, and uses none of them any more. Not
    // there before Linux 5.9: then they stay open.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
}
