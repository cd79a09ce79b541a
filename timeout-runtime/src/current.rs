//! Which call this process is the child of.

use std::cell::Cell;
use std::process;
use std::thread::{self, ThreadId};

use crate::frame::{Sender, Tag};
use crate::limit::Deadline;
use crate::report::Report;
use crate::sys::cell::Published;
use crate::sys::pipe;

/// What this process is, when it is a child.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    process: u32,
    body: ThreadId,
    deadline: Deadline,
    /// Of the call whose deadline that is.
    call: Report,
    pipe: i32,
}

static CURRENT: Published<Current> = Published::new();

/// Right after the fork, by the thread that will run the body.
pub(crate) fn become_child(deadline: Deadline, call: Report, pipe: i32) {
    let (process, body) = (process::id(), thread::current().id());
    WAITS_IN.set(None);
    CURRENT.publish(Current { process, body, deadline, call, pipe });
}

/// In a child that serves one call after another: this is the next. The one before has left nothing.
#[cfg(feature = "pool")]
pub(crate) fn become_child_again(deadline: Deadline, call: Report, pipe: i32) {
    let (process, body) = (process::id(), thread::current().id());
    CURRENT.replace_unseen(Current { process, body, deadline, call, pipe });
}

/// In a child: the body runs on this thread, and not on the one that forked.
#[cfg(feature = "tokio")]
pub(crate) fn move_body_here() {
    if let Some(current) = child() {
        CURRENT.publish(Current { body: thread::current().id(), ..current.clone() });
    }
}

/// Of the process this is, if it is a child and not one that a body forked by itself.
pub(crate) fn child() -> Option<&'static Current> {
    CURRENT.get().filter(|current| current.process == process::id())
}

thread_local! {
    /// Asked in a signal handler: it is made without code, and has no destructor.
    static WAITS_IN: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// The function in whose call this thread waits.
pub(crate) fn waits_in() -> Option<&'static str> {
    WAITS_IN.get()
}

/// From now on this thread waits in a call of that function, until this is dropped.
pub(crate) struct Waiting(Option<&'static str>);

impl Waiting {
    pub(crate) fn begin(function: &'static str) -> Self {
        Self(WAITS_IN.replace(Some(function)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITS_IN.set(self.0);
    }
}

impl Current {
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
        self.body == thread::current().id()
    }

    /// Says a last word from the panic hook, when there will be no unwinding out of the body.
    pub(crate) fn report(&self, tag: Tag, payload: &[u8]) {
        let mut pipe = pipe::Raw(self.pipe);
        let _ = Sender::new(&mut pipe).record(tag, payload);
    }
}
