//! A thread of this process: its number, its name, a signal to it.
//!
//! All but the last may be used in a signal handler.
//!
//! # Safety
//!
//! System calls of numbers, and of a buffer that lives through the call.
#![expect(unsafe_code, reason = "see the heading")]

use super::kernel;

/// `gettid(2)`.
pub(crate) fn thread_number() -> i32 {
    // SAFETY: see the heading.
    let number = unsafe { libc::syscall(libc::SYS_gettid) };
    i32::try_from(number).unwrap_or_default()
}

/// The one that this thread runs on, or did a moment ago: told without a system call.
#[cfg(feature = "pool")]
pub(crate) fn this_processor() -> i32 {
    // SAFETY: it has no arguments.
    unsafe { libc::sched_getcpu() }
}

/// Goes to another processor, if this thread may run on any, where it may stay or not: what it may run on
/// is as before. A scheduler that wakes one thread by another most often leaves both where that one is.
#[cfg(feature = "pool")]
pub(crate) fn leave_processor(processor: i32) {
    let size = size_of::<libc::cpu_set_t>();
    let Some(index) = usize::try_from(processor).ok().filter(|index| *index < 8 * size) else {
        return;
    };
    // SAFETY: zero is valid for a set, which lives through the calls; the index is within it. Where there
    // are more processors than it has room for the first call fails.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &raw mut allowed) != 0 {
            return;
        }
        let mut others = allowed;
        libc::CPU_CLR(index, &mut others);
        // Refused where there are no others.
        if libc::sched_setaffinity(0, size, &raw const others) == 0 {
            libc::sched_setaffinity(0, size, &raw const allowed);
        }
    }
}

/// `tgkill(2)`: no other process's thread can be meant.
pub(crate) fn signal_own_thread(thread: i32, signal: i32) {
    // SAFETY: see the heading.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
}

/// Whether this process has it.
#[cfg(feature = "pool")]
pub(crate) fn has_thread(thread: i32) -> bool {
    // SAFETY: as above; signal 0 is none.
    let asked = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, 0) };
    asked == 0
}

/// As `kill(2)`, by a handler of this very process.
pub(crate) fn signal_own_process(signal: i32) {
    let [process, signal] =
        [super::process_number(), signal].map(|number| number.unsigned_abs() as usize);
    // SAFETY: two integers.
    let _ = unsafe { kernel::call(libc::SYS_kill, [process, signal]) };
}

/// Of this thread, up to a zero.
pub(crate) fn with_own_name(mut use_it: impl FnMut(&[u8])) {
    let mut name = [0u8; 16];
    // SAFETY: see the heading; it writes 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    use_it(&name);
}

/// Whether the C library has what an unwinder finds frames by without a lock (glibc 2.35).
pub(crate) fn unwinds_without_locks() -> bool {
    // SAFETY: the name is a C string; looking a symbol up runs no code of its object.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    !symbol.is_null()
}
