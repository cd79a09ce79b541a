//! The calls of the C library, as this program has them: a symbol of the executable goes before
//! the library's own, so the runtime, unchanged, calls these. Each fails if that is planned, else
//! does what the C library's does.
//!
//! `fcntl`, `open64`, `prctl`, `ioctl` and `syscall` take a variable number of arguments, all of
//! them integers or pointers. On the processors for which this is built such a call passes them as
//! any other, so a function with as many as there can be stands for them.
//!
//! # Safety
//!
//! Each of these has the C library's contract and passes its arguments on as they are.
#![allow(clippy::missing_safety_doc, reason = "see the heading")]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::plan::{Call, Fault, fault};

/// The C library's function of a name.
struct Real {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Real {
    const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    fn get(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: a C string; looking a symbol up runs no code of its object.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(found, Ordering::Relaxed);
        found
    }
}

/// What a call that fails returns; `errno` says why.
trait Failed {
    fn failed(errno: c_int) -> Self;
}

macro_rules! failed {
    ($($type:ty)*) => {$(impl Failed for $type {
        fn failed(errno: c_int) -> Self {
            nix::errno::Errno::set_raw(errno);
            -1
        }
    })*};
}

failed! { c_int c_long }

impl Failed for *mut c_void {
    fn failed(errno: c_int) -> Self {
        nix::errno::Errno::set_raw(errno);
        libc::MAP_FAILED
    }
}

/// `int f(arguments) = call => instead`: what it does instead of its work, given the errno.
macro_rules! seam {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $call:expr
        $(=> |$errno:ident, $real:ident| $instead:expr)?;)*) => {
        mod real {
            use super::Real;
            $(#[allow(non_upper_case_globals)]
            pub(super) static $name: Real = Real::new(unsafe {
                // SAFETY: it ends with the only zero.
                std::ffi::CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes())
            });)*
        }

        /// Looks all of them up: in a signal handler, or after a fork, is no place for that.
        pub fn resolve() {
            for real in [&READ, &WRITE, $(&real::$name),*] {
                assert!(!real.get().is_null(), "{:?}", real.name);
            }
        }

        $(#[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            // SAFETY: the C library's function of this name has this type.
            let real: unsafe extern "C" fn($($type),*) -> $result =
                unsafe { transmute(real::$name.get()) };
            // SAFETY: see the heading.
            let real = || unsafe { real($($argument),*) };
            let call: Option<Call> = $call;
            match call.and_then(fault) {
                Some(Fault::Fails(errno)) => {
                    $(let ($errno, $real) = (errno, real);
                    return $instead;)?
                    #[allow(unreachable_code)]
                    <$result>::failed(errno)
                }
                Some(Fault::Short) | None => real(),
            }
        }
        )*
    };
}

seam! {
    fn pipe2(ends: *mut c_int, flags: c_int) -> c_int = Some(Call::Pipe2);
    fn fork() -> c_int = Some(Call::Fork);
    fn fcntl(descriptor: c_int, command: c_int, argument: c_ulong) -> c_int = match command {
        libc::F_DUPFD_CLOEXEC => Some(Call::Dup),
        libc::F_SETFL => Some(Call::SetFlags),
        libc::F_SETPIPE_SZ => Some(Call::SetPipeSize),
        _ => None,
    };
    fn fstat(descriptor: c_int, stat: *mut c_void) -> c_int = Some(Call::Fstat);
    fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int = Some(Call::Open);
    // The descriptor is gone in any case: so Linux does it.
    fn close(descriptor: c_int) -> c_int = Some(Call::Close) => |errno, real| {
        real();
        c_int::failed(errno)
    };
    fn dup2(from: c_int, to: c_int) -> c_int = Some(Call::Dup2);
    fn ppoll(watched: *mut c_void, count: c_ulong, timeout: *const c_void, mask: *const c_void)
        -> c_int = Some(Call::Ppoll);
    fn poll(watched: *mut c_void, count: c_ulong, timeout: c_int) -> c_int = Some(Call::Poll);
    fn setpgid(process: c_int, group: c_int) -> c_int = Some(Call::Setpgid);
    fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int =
        Some(Call::Prctl);
    fn mmap(at: *mut c_void, size: usize, protection: c_int, flags: c_int, file: c_int, offset: i64)
        -> *mut c_void = Some(Call::Mmap);
    // Only a mapping is left then, which the test does not count.
    fn munmap(at: *mut c_void, size: usize) -> c_int = Some(Call::Munmap);
    fn sigaction(signal: c_int, new: *const c_void, old: *mut c_void) -> c_int =
        Some(Call::Sigaction);
    // This and the others with `=> errno` return it.
    fn pthread_sigmask(how: c_int, new: *const c_void, old: *mut c_void) -> c_int =
        Some(Call::Mask) => |errno, _real| errno;
    fn setitimer(which: c_int, new: *const c_void, old: *mut c_void) -> c_int =
        Some(Call::Setitimer);
    fn nanosleep(time: *const c_void, left: *mut c_void) -> c_int = Some(Call::Nanosleep);
    // `left` is where the standard library has the time from: it sleeps as long as it says.
    fn clock_nanosleep(clock: c_int, flags: c_int, time: *const c_void, left: *mut c_void)
        -> c_int = Some(Call::Sleep) => |errno, _real| errno;
    fn kill(process: c_int, signal: c_int) -> c_int = Some(Call::Kill);
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int =
        Some(Call::Waitpid) => |errno, real| stolen(errno, real);
    fn ioctl(descriptor: c_int, request: c_ulong, argument: *mut c_void) -> c_int =
        Some(Call::Ioctl);
    fn pthread_create(
        thread: *mut c_void,
        attributes: *const c_void,
        start: *const c_void,
        argument: *mut c_void
    ) -> c_int = Some(Call::Thread) => |errno, _real| errno;
    fn syscall(number: c_long, a: c_long, b: c_long, c: c_long, d: c_long, e: c_long, f: c_long)
        -> c_long = match number {
            libc::SYS_pidfd_open => Some(Call::PidfdOpen),
            // The flags are an `int`: of the rest of the register nothing is said.
            libc::SYS_pidfd_send_signal if d & 0xFFFF == 0 => Some(Call::PidfdSignal),
            libc::SYS_pidfd_send_signal => Some(Call::PidfdSignalGroup),
            libc::SYS_waitid => Some(Call::Waitid),
            _ => None,
        } => |errno, real| if number == libc::SYS_waitid { stolen(errno, real) } else { c_long::failed(errno) };
}

/// There is no such child: then someone else has taken its status, and it is gone.
fn stolen<T: Failed>(errno: c_int, wait: impl Fn() -> T) -> T {
    if errno == libc::ECHILD {
        wait();
    }
    T::failed(errno)
}

type Transfer = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;

fn transfer(
    real: &Real,
    call: Call,
    descriptor: c_int,
    bytes: *mut c_void,
    length: usize,
) -> isize {
    // SAFETY: `read` and `write` both have this type, but for a `const` of C.
    let real: Transfer = unsafe { transmute(real.get()) };
    // What goes to a closed descriptor fails by itself.
    // SAFETY: it only asks.
    let is_open = unsafe { fcntl(descriptor, libc::F_GETFD, 0) } != -1;
    let length = match is_open.then(|| fault(call)).flatten() {
        Some(Fault::Fails(errno)) => {
            nix::errno::Errno::set_raw(errno);
            return -1;
        }
        Some(Fault::Short) => length.div_ceil(3),
        None => length,
    };
    // SAFETY: see the heading; the length is no greater.
    unsafe { real(descriptor, bytes, length) }
}

static READ: Real = Real::new(c"read");
static WRITE: Real = Real::new(c"write");

#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(descriptor: c_int, bytes: *mut c_void, length: usize) -> isize {
    transfer(&READ, Call::Read, descriptor, bytes, length)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, length: usize) -> isize {
    transfer(&WRITE, Call::Write, descriptor, bytes.cast_mut(), length)
}
