//! What a body may use beside time: memory and the processor.

use std::io;
use std::time::Duration;

use crate::frame::{HEADER, Tag, header};
use crate::limit::{IntoLimit, Limit};
use crate::sys::{exhaustion, platform};

/// What a call is given beside its limit, as the user said it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) grace: Limit,
    pub(crate) memory: Option<u64>,
    pub(crate) cpu: Limit,
}

/// The grace where none is given, in seconds.
const GRACE: u64 = 10;

impl Default for Bounds {
    fn default() -> Self {
        Self { grace: GRACE.into_limit(), memory: None, cpu: Limit::never() }
    }
}

/// What the body may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// In bytes, more than the child has when the body begins.
    pub(crate) memory: Option<u64>,
    pub(crate) cpu: Option<Duration>,
}

impl Budget {
    /// In the caller: whether this system can hold a body to it.
    pub(crate) fn check(self) -> io::Result<()> {
        if self.memory.is_some() { platform::can_limit_memory() } else { Ok(()) }
    }

    /// In the child, where the body begins. The word of its end, if that is for want of memory, goes
    /// to this pipe.
    #[inline]
    pub(crate) fn enter(self, pipe: i32) -> io::Result<()> {
        if self == Self::default() { Ok(()) } else { self.hold(pipe) }
    }

    #[cold]
    fn hold(self, pipe: i32) -> io::Result<()> {
        if let Some(memory) = self.memory {
            let mut word = [0; HEADER + size_of::<u64>()];
            let (head, payload) = word.split_at_mut(HEADER);
            head.copy_from_slice(&header(Tag::MemoryExceeded, payload.len()));
            payload.copy_from_slice(&memory.to_le_bytes());
            exhaustion::tell(pipe, word)?;
            platform::limit_memory(memory)?;
        }
        self.cpu.map_or(Ok(()), platform::limit_cpu)
    }

    /// In a child that serves one call after another, behind a body.
    #[cfg(feature = "pool")]
    pub(crate) fn leave(self) {
        if self.memory.is_some() {
            platform::free_memory();
            exhaustion::tell_nothing();
        }
        if self.cpu.is_some() {
            platform::free_cpu();
        }
    }
}
