//! How far the stack may still grow.
//!
//! A decoder calls itself for each level of a value, a `Box` in a `Box` say, and how many levels
//! there are is for the child to say. What its stack held when it encoded can be too much for the
//! caller's when it decodes, and a stack that overflows ends the program.

use std::ptr;

use super::platform::this_threads_stack;

/// A look at each level, which is one comparison as long as the levels are few.
pub(crate) struct Headroom {
    start: usize,
    /// Above this address it may go on without a question.
    floor: usize,
}

/// No system's stacks are so small that this must be asked for.
const UNASKED: usize = 32 << 10;

/// Left for what happens between two looks, though never more than a quarter of the stack.
const MARGIN: usize = 256 << 10;

/// Where it is not known how large the stack is: half of what a thread has in Rust.
const UNKNOWN: usize = 1 << 20;

impl Headroom {
    pub(crate) fn new() -> Self {
        let start = here();
        Self { start, floor: start.saturating_sub(UNASKED) }
    }

    #[inline]
    pub(crate) fn is_enough(&mut self) -> bool {
        here() >= self.floor || self.ask()
    }

    /// Code may run on a stack that it made for itself, of which the system knows nothing.
    #[cold]
    fn ask(&mut self) -> bool {
        self.floor = this_threads_stack()
            .filter(|stack| stack.contains(&here()))
            .map_or(self.start.saturating_sub(UNKNOWN), |stack| {
                stack.start + MARGIN.min(stack.len() / 4)
            });
        here() >= self.floor
    }
}

/// An address in the frame of whoever asks, or near it.
#[inline]
fn here() -> usize {
    let local = 0u8;
    ptr::from_ref(&local) as usize
}
