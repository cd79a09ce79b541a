//! What a child that is no copy of the caller is given of it: its current folder and environment.
//!
//! # Safety
//!
//! The environment is changed in a child alone, before a body runs, while nothing else does.
#![expect(unsafe_code, reason = "see the heading")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// By what a change is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    folder: Option<(u64, u64)>,
    environment: u64,
}

impl Mark {
    /// Of this process now.
    pub(crate) fn now() -> Self {
        let folder = std::fs::metadata(".").ok().map(|folder| (folder.dev(), folder.ino()));
        let mut hasher = DefaultHasher::new();
        env::vars_os().for_each(|variable| variable.hash(&mut hasher));
        Self { folder, environment: hasher.finish() }
    }
}

/// For a child that was started in others.
#[derive(Debug)]
pub(crate) struct Surroundings {
    caller: u32,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Surroundings {
    /// Of this process now.
    pub(crate) fn now() -> Self {
        let bytes = |(name, value): (OsString, OsString)| (name.into_vec(), value.into_vec());
        Self { caller: std::process::id(), environment: env::vars_os().map(bytes).collect() }
    }

    /// Makes them this process's.
    pub(crate) fn enter(&self) -> io::Result<()> {
        // Not by its name, which it may have no more, or not for this process.
        env::set_current_dir(format!("/proc/{}/cwd", self.caller))?;
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
        (self.caller, &self.environment).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Surroundings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (caller, environment) = Deserialize::deserialize(deserializer)?;
        Ok(Self { caller, environment })
    }
}
