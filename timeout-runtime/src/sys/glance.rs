//! A glance at the environment: whether it is what it was, without a copy of each variable.
//!
//! The standard library's lock is its own, and another thread may change the environment at any time, so
//! it is not read here: the kernel writes it into a file in memory, of which this process can see the
//! bytes. Where it has moved meanwhile the kernel says so, or there are other bytes.
//!
//! # Safety
//!
//! The file is mapped as long as a glance lives, and its owner alone has it written. The addresses that
//! the kernel is given to read from need not be good ones.
#![expect(unsafe_code, reason = "see the heading")]

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// How the environment was, and where.
#[derive(Debug)]
pub(crate) struct Glance {
    file: OwnedFd,
    mapped: NonNull<u8>,
    /// The list of the variables, with its end, and then what it leads to.
    places: Vec<Place>,
    known: Vec<u8>,
}

/// As the kernel has it (`struct iovec`).
#[derive(Debug)]
#[repr(C)]
struct Place {
    address: usize,
    length: usize,
}

// SAFETY: the mapping is its own.
unsafe impl Send for Glance {}
// SAFETY: as above; who changes what is mapped has it to itself.
unsafe impl Sync for Glance {}

/// A larger environment is compared in another way.
const ROOM: usize = 64 << 10;

/// And so is one in more pieces.
const MOST_PLACES: usize = 64;

const ADDRESS: usize = size_of::<usize>();

impl Glance {
    /// If these are all variables that there are now.
    pub(crate) fn of(variables: &[(OsString, OsString)]) -> Option<Self> {
        let lines: Vec<_> = variables.iter().map(|(name, value)| line(name, value)).collect();
        let text = lines.concat();
        let length = (lines.len() + 1) * ADDRESS;
        if length + text.len() > ROOM {
            return None;
        }
        let mut glance = Self::new()?;
        glance.add(list(), length);
        let addresses: Vec<_> = glance.look()?.chunks_exact(ADDRESS).map(address).collect();
        if addresses.iter().position(|address| *address == 0) != Some(lines.len()) {
            return None;
        }
        addresses.iter().zip(&lines).for_each(|(address, line)| glance.add(*address, line.len()));
        if glance.places.len() > MOST_PLACES {
            return None;
        }
        glance.known = glance.look().filter(|seen| seen[length..] == text)?.to_vec();
        Some(glance)
    }

    fn new() -> Option<Self> {
        let file = memfd_create(c"timeout-runtime", MFdFlags::MFD_CLOEXEC).ok()?;
        nix::unistd::ftruncate(&file, ROOM.try_into().ok()?).ok()?;
        let (any, number) = (ptr::null_mut(), file.as_raw_fd());
        // SAFETY: a new mapping at an address of the kernel's choice.
        let mapped = unsafe { libc::mmap(any, ROOM, libc::PROT_READ, libc::MAP_SHARED, number, 0) };
        let mapped = NonNull::new(mapped.cast()).filter(|_| mapped != libc::MAP_FAILED)?;
        Some(Self { file, mapped, places: Vec::new(), known: Vec::new() })
    }

    /// One more place, or more of the last: what a program begins with lies in one piece.
    fn add(&mut self, address: usize, length: usize) {
        match self.places.last_mut() {
            Some(last) if last.address + last.length == address => last.length += length,
            _ => self.places.push(Place { address, length }),
        }
    }

    /// Whether the environment is as it was.
    pub(crate) fn is_unchanged(&mut self) -> bool {
        let is_there = self.places.first().is_some_and(|first| first.address == list());
        is_there && self.look().is_some_and(|seen| seen == self.known)
    }

    /// What is there now; `None` where something is not there any more. As long as nobody looks again.
    fn look(&self) -> Option<&[u8]> {
        let (number, count) = (self.file.as_raw_fd(), self.places.len().try_into().ok()?);
        // SAFETY: the list of places lives through the call, which reads what they say or tells that it
        // cannot.
        let length = unsafe { libc::pwritev(number, self.places.as_ptr().cast(), count, 0) };
        let length = usize::try_from(length).ok()?;
        let is_all = length == self.places.iter().map(|place| place.length).sum();
        // SAFETY: no more than there is room for was asked for, and it is mapped as long as this lives.
        is_all.then(|| unsafe { std::slice::from_raw_parts(self.mapped.as_ptr(), length) })
    }
}

impl Drop for Glance {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody has a reference any more.
        unsafe { libc::munmap(self.mapped.as_ptr().cast(), ROOM) };
    }
}

/// As the list has it.
fn line(name: &OsStr, value: &OsStr) -> Vec<u8> {
    [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat()
}

fn address(bytes: &[u8]) -> usize {
    bytes.try_into().map_or(0, usize::from_ne_bytes)
}

/// Where the list of the variables is.
fn list() -> usize {
    unsafe extern "C" {
        static mut environ: *mut libc::c_char;
    }
    // SAFETY: the C library's variable is there as long as the process, and another thread may change it.
    unsafe { AtomicPtr::from_ptr(&raw mut environ) }.load(Ordering::Relaxed) as usize
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;
    use crate::Timeout;

    /// In a process of its own, whose environment nobody else has a part in.
    fn alone<T: serde::Serialize + serde::de::DeserializeOwned>(body: impl FnOnce() -> T) -> T {
        Timeout::new(60).run(body).unwrap()
    }

    fn now() -> Glance {
        Glance::of(&env::vars_os().collect::<Vec<_>>()).unwrap()
    }

    fn set(name: &str, value: Option<&str>) {
        match value {
            // SAFETY: the process has one thread.
            Some(value) => unsafe { env::set_var(name, value) },
            // SAFETY: as above.
            None => unsafe { env::remove_var(name) },
        }
    }

    #[test]
    fn each_change_is_seen() {
        let seen = alone(|| {
            set("GLANCE", Some("one"));
            let is_seen = |change: &dyn Fn()| {
                let mut glance = now();
                let was_unchanged = glance.is_unchanged();
                change();
                was_unchanged && !glance.is_unchanged()
            };
            [
                is_seen(&|| set("GLANCE", Some("two"))),
                is_seen(&|| set("GLANCE", None)),
                is_seen(&|| set("GLANCE_TOO", Some(""))),
                is_seen(&|| (0..100).for_each(|n| set(&format!("GLANCE_{n}"), Some("many")))),
            ]
        });
        assert_eq!(seen, [true; 4]);
    }

    /// As a program does that writes its state where its arguments and variables are.
    #[test]
    fn a_change_in_its_place_is_seen() {
        let seen = alone(|| {
            let text = c"GLANCE=one".to_owned().into_raw();
            // SAFETY: it stays where it is.
            unsafe { libc::putenv(text) };
            let mut glance = now();
            let was_unchanged = glance.is_unchanged();
            // SAFETY: within the text, which nobody else looks at.
            unsafe { *text.add(7) = b'O'.cast_signed() };
            (was_unchanged, glance.is_unchanged())
        });
        assert_eq!(seen, (true, false));
    }

    #[test]
    fn other_variables_are_not_these() {
        let mut variables: Vec<_> = env::vars_os().collect();
        variables.push(("GLANCE".into(), "there is none".into()));
        assert!(Glance::of(&variables).is_none());
        assert!(Glance::of(&variables[1..]).is_none());
        variables.push(("LONG".into(), "x".repeat(ROOM).into()));
        assert!(Glance::of(&variables).is_none());
    }

    #[test]
    fn what_is_not_there_any_more_is_told() {
        let mut glance = now();
        glance.places.last_mut().unwrap().address = 8;
        assert!(!glance.is_unchanged());
    }
}
