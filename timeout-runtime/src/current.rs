//! Which call this process is the child of.

use std::cell::Cell;

use crate::frame::{Sender, Tag};
use crate::limit::Deadline;
use crate::report::Report;
use crate::sys::cell::Published;
use crate::sys::pipe;
use crate::sys::platform::process_number;
use crate::sys::threads::this_thread;

/// What this process is, when it is a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    process: i32,
    /// The thread that runs the body.
    body: u64,
    deadline: Deadline,
    /// Of the call whose deadline that is.
    call: Report,
    pipe: i32,
}

static CURRENT: Published<Current> = Published::new();

/// In a child: the body runs on this thread, and not on the one that forked.
#[cfg(feature = "tokio")]
pub(crate) fn move_body_here() {
    if let Some(current) = child() {
        CURRENT.publish(Current { body: this_thread(), ..*current });
    }
}

/// Of the process this is, if it is a child and not one that a body forked by itself.
pub(crate) fn child() -> Option<&'static Current> {
    CURRENT.get().filter(|current| current.process == process_number())
}

thread_local! {
    /// Asked in a signal handler: it is made without code, and has no destructor.
    static WAITS_IN: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// The function in whose call this thread waits.
pub(crate) fn waits_in() -> Option<&'static str> {
    WAITS_IN.get()
}

/// From now on this thread waits in a call of that function, until this is dropped. In a child: nobody
/// asks anywhere else.
pub(crate) struct Waiting {
    is_told: bool,
    before: Option<&'static str>,
}

impl Waiting {
    pub(crate) fn begin(function: &'static str) -> Self {
        let is_told = child().is_some();
        let before = is_told.then(|| WAITS_IN.replace(Some(function))).flatten();
        Self { is_told, before }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_told {
            WAITS_IN.set(self.before);
        }
    }
}

impl Current {
    /// What a child is going to be whose body this thread will run.
    pub(crate) fn coming(deadline: Deadline, call: Report) -> Self {
        Self { process: 0, body: this_thread(), deadline, call, pipe: -1 }
    }

    /// In the child, right after the fork, or between two calls: this is it now.
    #[inline]
    pub(crate) fn begin(self, pipe: i32) {
        WAITS_IN.set(None);
        CURRENT.publish_alone(Self { process: process_number(), pipe, ..self });
    }

    /// The nearest deadline of this call and those it is nested in.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Of the call whose deadline is the nearest.
    pub(crate) fn call(&self) -> &Report {
        &self.call
    }

    /// Whether this is the thread whose panic ends the body.
    pub(crate) fn is_body_thread(&self) -> bool {
        self.body == this_thread()
    }

    /// Says a last word from the panic hook, when there will be no unwinding out of the body.
    pub(crate) fn report(&self, tag: Tag, payload: &[u8]) {
        let mut pipe = pipe::Raw(self.pipe);
        let _ = Sender::new(&mut pipe).record(tag, payload);
    }
}
