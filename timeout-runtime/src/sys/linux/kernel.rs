//! System calls without the C library between, whose functions for them are one more window of code that a
//! fresh child has to be given.
//!
//! # Safety
//!
//! By the kernel's conventions (`syscall(2)`): it changes what is said here and what its arguments point to.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::ptr;

use nix::errno::Errno;

/// The number of an error, below zero. What it means is in yet another window.
pub(super) struct Refused(isize);

impl From<Refused> for Errno {
    #[cold]
    fn from(Refused(error): Refused) -> Self {
        Self::from_raw(i32::try_from(-error).unwrap_or_default())
    }
}

impl From<Refused> for io::Error {
    #[cold]
    fn from(refused: Refused) -> Self {
        Errno::from(refused).into()
    }
}

/// One that comes back to where it was called.
///
/// # Safety
///
/// As of that call: the arguments are what it expects, and what they point to lives through it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "so that the number of arguments is known here")]
pub(super) unsafe fn call<const N: usize>(
    number: libc::c_long,
    arguments: [usize; N],
) -> Result<usize, Refused> {
    const { assert!(N <= 5) };
    let argument = |index: usize| arguments.get(index).copied().unwrap_or_default();
    let five = [argument(0), argument(1), argument(2), argument(3), argument(4)];
    // SAFETY: the caller's.
    let result = unsafe { enter(number, five) };
    // So many numbers below zero are errors; what else is below zero is an address.
    if (-4095..0).contains(&result) {
        return Err(Refused(result));
    }
    Ok(usize::from_ne_bytes(result.to_ne_bytes()))
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[inline]
unsafe fn enter(number: libc::c_long, [one, two, three, four, five]: [usize; 5]) -> isize {
    let result;
    // SAFETY: the caller's.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") one,
            in("rsi") two,
            in("rdx") three,
            in("r10") four,
            in("r8") five,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    result
}

#[cfg(all(target_arch = "aarch64", target_pointer_width = "64"))]
#[inline]
unsafe fn enter(number: libc::c_long, [one, two, three, four, five]: [usize; 5]) -> isize {
    let result;
    // SAFETY: the caller's.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") one => result,
            in("x1") two,
            in("x2") three,
            in("x3") four,
            in("x4") five,
            options(nostack, preserves_flags),
        );
    }
    result
}

#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64"
)))]
unsafe fn enter(number: libc::c_long, [one, two, three, four, five]: [usize; 5]) -> isize {
    // SAFETY: the caller's.
    let result = unsafe { libc::syscall(number, one, two, three, four, five) };
    let result = if result == -1 { (-Errno::last_raw()).into() } else { result };
    isize::try_from(result).unwrap_or_default()
}

/// The address, for the kernel to read from.
#[inline]
pub(super) fn from<T>(place: &T) -> usize {
    ptr::from_ref(place).expose_provenance()
}

/// The address, for the kernel to write to.
#[inline]
pub(super) fn into<T>(place: &mut T) -> usize {
    ptr::from_mut(place).expose_provenance()
}
