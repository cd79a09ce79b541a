//! One thread of the library's own in the caller, for as long as there is something to look after.

use std::ffi::CStr;

use crate::sys::threads::Own;

/// Behind the lock of what it looks after.
#[derive(Debug)]
pub(super) struct Keeper {
    thread: Option<Own>,
    /// It has not said that it ends.
    is_there: bool,
}

impl Keeper {
    pub(super) fn none() -> Self {
        Self { thread: None, is_there: false }
    }

    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Starts it where it is not there. Whether it is there then.
    pub(super) fn is_there_or(
        &mut self,
        name: &'static CStr,
        keep: impl FnOnce() + Send + 'static,
    ) -> bool {
        if !self.is_there {
            self.thread = Own::start(name, keep).ok();
            self.is_there = self.thread.is_some();
        }
        self.is_there
    }

    /// It ends now.
    pub(super) fn leaves(&mut self) {
        self.is_there = false;
    }

    /// What is to be joined of one that has said so.
    pub(super) fn gone(&mut self) -> Option<Own> {
        let is_gone = !self.is_there;
        self.thread.take_if(|_| is_gone)
    }
}
