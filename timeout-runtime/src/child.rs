//! What runs in the child. Nothing here returns to the caller's code.

#[cfg(feature = "tokio")]
pub(crate) mod apart;
#[cfg(feature = "pool")]
pub(crate) mod served;

use std::any::type_name;
use std::io::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::budget::Budget;
use crate::error::CodecError;
use crate::error::io_parts;
use crate::frame::{Sender, Tag, header};
use crate::sys::output::Prepared;
use crate::sys::output::capture::{self, Capture, Question};
use crate::sys::{self, pipe, slate};
use crate::{codec, current, panic};

/// The child's side of a fork: its only use is [`run`](Self::run).
///
/// Dropped without it (by an unwinding in between), it ends the process: control must never get
/// back into the caller's code.
#[derive(Debug)]
pub struct Child {
    pipe: pipe::Writer,
    is_captured: bool,
    /// It serves other calls after this one.
    is_kept: bool,
    budget: Budget,
}

impl Child {
    /// Right after the fork: makes so what must be so before the body may run.
    #[inline]
    pub(crate) fn new(
        pipe: pipe::Writer,
        output: Prepared,
        question: Option<Question>,
        is_reported: bool,
    ) -> Self {
        #[cfg(feature = "pool")]
        sys::image::write_for_a_copy();
        sys::platform::end_before_inherited_handlers();
        panic::forget();
        let mut child =
            Self { pipe, is_captured: false, is_kept: false, budget: Budget::default() };
        let capture =
            output.settle_in_child(child.pipe.number(), || question.map(Question::answer));
        child.is_captured = capture == Some(Capture::Captured);
        // The body runs outside of the capture, so calls that are nested in it are not captured.
        let within = if child.is_captured { Some(Capture::Not) } else { capture };
        within.into_iter().for_each(Capture::remember);
        if is_reported {
            child.say_ready(capture.unwrap_or(Capture::Unknown));
        }
        child
    }

    /// The body may use so much.
    pub(crate) fn within(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    fn say_ready(&mut self, capture: Capture) {
        let record = [&header(Tag::Ready, 1)[..], &[capture as u8]].concat();
        if self.pipe.write_all(&record).is_err() {
            slate::fail();
            sys::exit::now(1);
        }
    }

    /// Runs the body, sends what became of it, and ends the process.
    #[inline]
    pub fn run<T: Serialize>(self, body: impl FnOnce() -> T) -> ! {
        let mut body = Some(body);
        self.enter(type_name::<T>(), &mut |sink| send_value(&mut body, sink))
    }

    #[inline]
    pub(crate) fn enter(self, type_name: &str, job: &mut Job<'_>) -> ! {
        capture::escape(self.is_captured, || self.work(type_name, job))
    }

    /// Holds what comes from there until it is asked for, sends it on, and ends the process.
    pub(crate) fn carry(mut self, from: pipe::Reader) -> ! {
        let mut held = Vec::new();
        let read = from.read_all(&mut held);
        let sent = read.and_then(|()| self.pipe.write_all(&held));
        sys::exit::now(i32::from(sent.is_err()))
    }

    #[inline]
    fn work(mut self, type_name: &str, job: &mut Job<'_>) -> ! {
        let code = self.attempt(type_name, job, complete);
        leave(code)
    }

    /// Runs the body and sends what became of it. The code that the process then ends with.
    #[inline]
    fn attempt(
        &mut self,
        type_name: &str,
        job: &mut Job<'_>,
        complete: impl FnOnce(&mut Sender<&mut pipe::Writer>) -> io::Result<()>,
    ) -> i32 {
        // From here on the body may have closed it, or put something else in its place.
        self.pipe.distrust();
        let number = self.pipe.number();
        let mut sink = Sink(Sender::new(&mut self.pipe), self.is_kept);
        if let Err(why) = self.budget.enter(number) {
            sink.refuse(&why);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| slate::bounded(&mut || job(&mut sink))));
        let mut code = 0;
        let sent = match outcome {
            // The body forked, and this is its child: the result is not this one's to send.
            _ if current::child().is_none() => Ok(()),
            Ok(encoded) => encoded.and_then(|()| {
                complete(&mut sink.0).map_err(|error| CodecError::new(type_name, error))
            }),
            Err(payload) => {
                let note = panic::describe(&*payload);
                // Its destructor may panic once more.
                mem::forget(payload);
                self.say(Tag::Panicked, &codec::to_bytes(&note));
                code = 101;
                Ok(())
            }
        };
        if let Err(error) = sent {
            let is_said = self.say(Tag::EncodeFailed, &codec::to_bytes(&error.parts()));
            // With no way left to say it, the exit code is all that tells: not that of a success.
            code = if is_said { 0 } else { UNSAID };
        }
        code
    }

    /// Says a last word, over a new descriptor if the body took the old one away. Whether it could.
    fn say(&mut self, tag: Tag, payload: &[u8]) -> bool {
        if self.pipe.is_torn() {
            return false;
        }
        let said = Sender::new(&mut self.pipe).record(tag, payload);
        let again = || self.pipe.reopen().and_then(|pipe| Sender::new(pipe).record(tag, payload));
        said.or_else(|_closed| again()).is_ok()
    }
}

/// Runs the body, once, and sends its value.
pub(crate) fn send_value<T: Serialize>(
    body: &mut Option<impl FnOnce() -> T>,
    sink: &mut Sink<'_>,
) -> Result<(), CodecError> {
    let Some(body) = body.take() else { return Ok(()) };
    let value = body();
    let encoded = codec::encode(&value, &mut sink.0);
    sink.let_go(value);
    encoded
}

#[inline]
fn complete(sender: &mut Sender<&mut pipe::Writer>) -> io::Result<()> {
    sender.complete()
}

/// The end of a child whose last word is said.
#[inline]
fn leave(code: i32) -> ! {
    if current::child().is_some() {
        // What the body has started ends with it.
        sys::platform::end_own();
    }
    // Last, for it may wait: for the reader of what it prints, or for a lock that a thread of the
    // body keeps. What is said by then counts.
    sys::output::flush_in_child();
    sys::exit::now(code)
}

/// The code of a failure that is none of the body's, in coreutils' `timeout`.
const UNSAID: i32 = 125;

/// Where the bytes of a value go, and whether the process goes on after it.
pub struct Sink<'a>(pub(crate) Sender<&'a mut pipe::Writer>, bool);

impl<'a> Sink<'a> {
    /// In a process that goes on.
    pub(crate) fn kept(sender: Sender<&'a mut pipe::Writer>) -> Self {
        Self(sender, true)
    }

    /// The value is the caller's now, and its destructor runs there. But in a process that goes on,
    /// what is not dropped would be there for ever.
    pub(crate) fn let_go<T>(&self, value: T) {
        if !self.1 {
            mem::forget(value);
        }
    }
}

impl Sink<'_> {
    /// Says that there will be no body, and ends the process.
    fn refuse(&mut self, why: &io::Error) -> ! {
        // Whoever waits for it learns of its end at least.
        if self.0.record(Tag::StartFailed, &codec::to_bytes(&io_parts::take_apart(why))).is_err() {
            slate::fail();
        }
        sys::exit::now(1)
    }
}

pub(crate) type Job<'a> = dyn FnMut(&mut Sink<'_>) -> Result<(), CodecError> + 'a;

impl Drop for Child {
    fn drop(&mut self) {
        slate::fail();
        sys::exit::now(101);
    }
}
