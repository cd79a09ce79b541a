//! What a child that is no copy of the caller is given of it: its current folder and environment.
//!
//! # Safety
//!
//! A plain system call; and the environment is changed in a child alone, before a body runs, while nothing else does.
#![expect(unsafe_code, reason = "see the heading")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::glance::Glance;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// By what a change is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    folder: Option<(u64, u64)>,
    environment: u64,
}

impl Mark {
    /// Whatever the folders are.
    pub(crate) fn has_environment_of(&self, other: &Self) -> bool {
        self.environment == other.environment
    }
}

/// What was seen of the environment last: most often it is as it was.
#[derive(Debug, Default)]
pub(crate) struct Seen(Option<(Glance, u64)>);

impl Seen {
    /// Of this process now.
    pub(crate) fn mark(&mut self) -> Mark {
        let known = self.0.as_mut().and_then(|(glance, is)| glance.is_unchanged().then_some(*is));
        let environment = known.unwrap_or_else(|| {
            let now = Environment::now();
            let is = now.hash();
            self.0 = Glance::of(&now.0).map(|glance| (glance, is));
            is
        });
        Mark { folder: folder(), environment }
    }
}

/// All variables, for a program that is to be started.
#[derive(Debug)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Of this process now.
    pub(crate) fn now() -> Self {
        Self(env::vars_os().collect())
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { folder: folder(), environment: self.hash() }
    }

    fn hash(&self) -> u64 {
        let add = |state, text: &OsString| mixed(state, text.as_bytes());
        self.0.iter().fold(0, |state, (name, value)| add(add(state, name), value))
    }

    pub(crate) fn into_variables(self) -> impl Iterator<Item = (OsString, OsString)> {
        self.0.into_iter()
    }
}

/// The current folder, without a look at any name.
fn folder() -> Option<(u64, u64)> {
    // SAFETY: zero is valid for it.
    let mut folder: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the name is a C string, and the result lives through the call.
    let looked = unsafe {
        libc::fstatat(libc::AT_FDCWD, c"".as_ptr(), &raw mut folder, libc::AT_EMPTY_PATH)
    };
    (looked == 0).then_some((folder.st_dev, folder.st_ino))
}

/// Cheaper than the standard library's hash, which is made for those who choose what is hashed.
fn mixed(mut state: u64, bytes: &[u8]) -> u64 {
    let mut mix = |word: u64| {
        let product = u128::from(state ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let folded = product as u64 ^ (product >> 64) as u64;
        state = folded;
    };
    let number = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let words = bytes.chunks_exact(8);
    let rest = number(words.remainder());
    words.for_each(|word| mix(number(word)));
    mix(rest);
    mix(bytes.len() as u64);
    state
}

/// The same seen from within, where a variable that is set anew is at another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    folder: Option<(u64, u64)>,
    environment: u64,
}

impl Sign {
    /// Of this process, while nothing else runs.
    pub(crate) fn now() -> Self {
        unsafe extern "C" {
            static environ: *const *const libc::c_char;
        }
        let mut environment = 0;
        // SAFETY: it ends with null, and nothing changes it meanwhile.
        unsafe {
            let mut next = environ;
            while !next.is_null() && !(*next).is_null() {
                environment = mixed(environment, &(*next as usize).to_le_bytes());
                next = next.add(1);
            }
        }
        Self { folder: folder(), environment }
    }
}

/// For a child that was started in others.
#[derive(Debug)]
pub(crate) struct Surroundings {
    caller: u32,
    /// The current folder, and its name where it has one.
    folder: Option<(u64, u64)>,
    name: Option<Vec<u8>>,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Surroundings {
    /// Of this process now.
    pub(crate) fn now() -> Self {
        let bytes = |(name, value): (OsString, OsString)| (name.into_vec(), value.into_vec());
        Self {
            caller: std::process::id(),
            folder: folder(),
            name: env::current_dir().ok().map(|name| name.into_os_string().into_vec()),
            environment: env::vars_os().map(bytes).collect(),
        }
    }

    /// Of what is sent.
    pub(crate) fn mark(&self) -> Mark {
        let add = |state, text: &Vec<u8>| mixed(state, text);
        let environment =
            self.environment.iter().fold(0, |state, (name, value)| add(add(state, name), value));
        Mark { folder: self.folder, environment }
    }

    /// Not by its name, which it may have no more, or not for this process; but a caller that has
    /// dropped its rights is not to be looked into (`PR_GET_DUMPABLE` in `prctl(2)`).
    fn enter_folder(&self) -> io::Result<()> {
        let result = env::set_current_dir(format!("/proc/{}/cwd", self.caller));
        let Some(name) = self.name.as_ref().filter(|_| result.is_err()) else { return result };
        env::set_current_dir(OsStr::from_bytes(name))?;
        if folder() == self.folder { Ok(()) } else { result }
    }

    /// Makes them this process's.
    pub(crate) fn enter(&self) -> io::Result<()> {
        self.enter_folder()?;
        let is_gone =
            |name: &OsString| self.environment.iter().all(|(kept, _)| kept != name.as_bytes());
        for (name, _) in env::vars_os().filter(|(name, _)| is_gone(name)) {
            // SAFETY: see the heading.
            unsafe { env::remove_var(name) };
        }
        for (name, value) in &self.environment {
            let (name, value) = (OsStr::from_bytes(name), OsStr::from_bytes(value));
            if env::var_os(name).as_deref() != Some(value) {
                // SAFETY: see the heading.
                unsafe { env::set_var(name, value) };
            }
        }
        Ok(())
    }
}

/// In a process that was started afresh, before anything else runs: takes a variable away.
pub(crate) fn take_variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?;
    // SAFETY: see the heading.
    unsafe { env::remove_var(name) };
    value.into_string().ok()
}

impl Serialize for Surroundings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.caller, self.folder, &self.name, &self.environment).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Surroundings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (caller, folder, name, environment) = Deserialize::deserialize(deserializer)?;
        Ok(Self { caller, folder, name, environment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_variables_have_different_marks() {
        let texts: [&[u8]; 7] =
            [b"", b"\0", b"a", b"a\0", b"12345678", b"12345678\0", b"123456789"];
        let marks: std::collections::HashSet<_> = texts.iter().map(|text| mixed(0, text)).collect();
        assert_eq!(marks.len(), texts.len());
        assert_ne!(mixed(mixed(0, b"ab"), b"c"), mixed(mixed(0, b"a"), b"bc"));
    }
}
