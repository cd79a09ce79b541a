//! The system: the only place with `unsafe`, and with calls that only some systems have.
//!
//! Each room is one concept. What Linux alone has (pidfds, `PR_SET_PDEATHSIG`, stdio internals of
//! its C libraries) has a portable path beside it, which `--cfg timeout_portable` chooses on
//! Linux too, so that it can be tested there.

#[cfg_attr(all(target_os = "linux", not(timeout_portable)), path = "sys/linux/mod.rs")]
#[cfg_attr(not(all(target_os = "linux", not(timeout_portable))), path = "sys/portable/mod.rs")]
pub(crate) mod platform;

pub(crate) mod cell;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod hang;
pub(crate) mod output;
pub(crate) mod pipe;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod stack;

/// Whether this process has surely no thread but the current one.
///
/// # Safety
///
/// The one block below reads a `char` that glibc (2.32 and later) exports and keeps for the life
/// of the process.
#[expect(unsafe_code, reason = "see the heading")]
pub(crate) fn is_single_threaded() -> bool {
    use std::sync::OnceLock;

    static FLAG: OnceLock<usize> = OnceLock::new();
    let address = *FLAG.get_or_init(|| {
        // SAFETY: the name is a C string; looking a symbol up runs no code of its object.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
        symbol as usize
    });
    let flag = address as *const libc::c_char;
    // SAFETY: either null or glibc's `char`, which only this thread can be changing: it is true
    // only while there is no other.
    !flag.is_null() && unsafe { flag.read_volatile() } != 0
}

/// The loop that every call interrupted by a signal needs.
pub(crate) fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(nix::Error::EINTR) => {}
            result => return result,
        }
    }
}
