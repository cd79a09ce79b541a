//! `exit(3)` in a child.
//!
//! # Safety
//!
//! Called in a child, by the thread that the fork left.
#![expect(unsafe_code, reason = "see the heading")]

/// From now on `exit(3)` runs the handlers that this process registered itself, then ends it:
/// those registered before are the caller's, which runs them when it ends.
#[cfg(target_env = "gnu")]
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
        crate::sys::exit::now(code);
    }
    // SAFETY: the handler lives as long as the program; handlers run in the reverse order of
    // their registration. On failure (no memory) the inherited ones run twice: no worse than fork.
    unsafe { on_exit(end, std::ptr::null_mut()) };
}

/// musl has no `on_exit`: there the inherited handlers run in the child too.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn end_before_inherited_handlers() {}
