//! A glance at the environment: whether it is what it was, without a copy of each variable.
//!
//! The standard library's lock is its own, and another thread may change the environment at any time, so
//! it is not read here: the kernel is asked to (`process_vm_readv(2)`, of this very process). Where it has
//! moved meanwhile the kernel says so, or there are other bytes.
//!
//! # Safety
//!
//! The addresses that the kernel is given to read from need not be good ones; what it writes to is owned.
#![expect(unsafe_code, reason = "see the heading")]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::platform::process_number;

/// How the environment was, and where.
#[derive(Debug)]
pub(crate) struct Glance {
    /// The list of the variables, with its end, and then what it leads to.
    places: Vec<Place>,
    known: Vec<u8>,
    /// Room for another look.
    seen: Vec<u8>,
}

/// As the kernel has it (`struct iovec`).
#[derive(Debug)]
#[repr(C)]
struct Place {
    address: usize,
    length: usize,
}

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
        let mut glance = Self { places: Vec::new(), known: Vec::new(), seen: Vec::new() };
        glance.add(list(), length);
        let first = glance.look()?.to_vec();
        let addresses: Vec<_> = first.chunks_exact(ADDRESS).map(address).collect();
        if addresses.iter().position(|address| *address == 0) != Some(lines.len()) {
            return None;
        }
        addresses.iter().zip(&lines).for_each(|(address, line)| glance.add(*address, line.len()));
        if glance.places.len() > MOST_PLACES {
            return None;
        }
        glance.known = glance
            .look()
            .filter(|seen| seen[..length] == first && seen[length..] == text)?
            .to_vec();
        Some(glance)
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
        is_there && self.look().is_some() && self.seen == self.known
    }

    /// What is there now; `None` where something is not there any more.
    fn look(&mut self) -> Option<&[u8]> {
        let length = self.places.iter().map(|place| place.length).sum();
        self.seen.resize(length, 0);
        let here = libc::iovec { iov_base: self.seen.as_mut_ptr().cast(), iov_len: length };
        let (there, count) = (self.places.as_ptr().cast(), self.places.len().try_into().ok()?);
        // SAFETY: all of them live through the call, which reads what the places say or tells that it
        // cannot, and writes no more than there is room for.
        let read = unsafe {
            libc::process_vm_readv(process_number(), &raw const here, 1, there, count, 0)
        };
        (usize::try_from(read) == Ok(length)).then_some(&self.seen)
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
