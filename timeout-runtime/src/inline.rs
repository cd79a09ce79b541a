//! Bodies that run in the caller, where a debugger sees them: `TIMEOUT_RUNTIME=inline`.
//!
//! What runs on the caller's own thread gives its value as it is. What cannot (a call that is joined
//! later, an awaited one, one whose arguments were sent) writes it to a child that holds it until it is
//! read, in the words of a child that ran the body itself.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
#[cfg(feature = "tokio")]
use serde::de::DeserializeOwned;

use crate::budget::Bounds;
use crate::call::Pending;
use crate::child::{Child, Job, Sink, send_value};
use crate::codec;
use crate::error::{CodecError, Error, ErrorKind};
use crate::frame::{Sender, Tag};
use crate::panic;
use crate::report::Report;
use crate::start::fork::{self, Meanwhile, Side};
use crate::sys::pipe;

/// Who runs a body.
#[derive(Debug)]
pub enum Performer {
    /// A child, which comes back to nobody.
    Child(Child),
    /// The caller.
    Inline(Inline),
}

impl Performer {
    pub(crate) fn run<T: Serialize>(self, body: impl FnOnce() -> T) -> Result<T, Error> {
        match self {
            Self::Child(child) => child.run(body),
            Self::Inline(inline) => inline.run(body),
        }
    }

    /// The same where the call is awaited.
    #[cfg(feature = "tokio")]
    pub(crate) fn run_apart<T>(self, body: impl FnOnce() -> T + Send) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        match self {
            Self::Child(child) => child.run_apart(body),
            Self::Inline(inline) => {
                let mut body = Some(body);
                inline.send_apart(&mut |sink| send_value(&mut body, sink)).join()
            }
        }
    }
}

/// The right to run one body here.
#[derive(Debug)]
pub struct Inline(Report);

impl Inline {
    /// # Errors
    ///
    /// A limit that is none.
    pub(crate) fn new(report: Report) -> Result<Self, Error> {
        match report.limit().duration() {
            Ok(_) => Ok(Self(report)),
            Err(_) => Err(report.error(ErrorKind::InvalidLimit)),
        }
    }

    /// As one side of a start.
    pub(crate) fn side(report: Report) -> Side {
        match Self::new(report) {
            Ok(inline) => Side::Child(Performer::Inline(inline)),
            Err(error) => Side::Caller(Pending::failed(error)),
        }
    }

    pub(crate) fn run<R>(self, body: impl FnOnce() -> R) -> Result<R, Error> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
            let (message, location, _) = panic::describe(&*payload);
            self.0.error(ErrorKind::Panicked { message, location })
        })
    }

    /// Runs a body whose value is asked for later.
    pub(crate) fn start<T: Serialize>(self, body: impl FnOnce() -> T) -> Pending {
        let mut body = Some(body);
        self.send(&mut |sink| send_value(&mut body, sink))
    }

    /// Runs a job that sends its value.
    pub(crate) fn send(self, job: &mut Job<'_>) -> Pending {
        self.by_courier(|writer| attempt(writer, job))
    }

    /// The same on a thread of its own, which knows nothing of the caller's runtime.
    #[cfg(feature = "tokio")]
    pub(crate) fn send_apart(self, job: &mut crate::child::apart::Job<'_>) -> Pending {
        self.by_courier(|writer| {
            std::thread::scope(|scope| {
                let sent = scope.spawn(|| attempt(writer, job)).join();
                sent.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
            })
        })
    }

    /// A child reads what is sent, and keeps it until the call is joined.
    fn by_courier(self, send: impl FnOnce(&mut pipe::Writer) -> io::Result<()>) -> Pending {
        let (reader, mut writer) = match pipe::pipe() {
            Ok(ends) => ends,
            Err(error) => return Pending::failed(self.0.error(ErrorKind::Start(error))),
        };
        match fork::start_child(self.0, Bounds::default(), Meanwhile::GoesOn) {
            Side::Child(Performer::Child(child)) => {
                drop(writer);
                child.carry(reader)
            }
            Side::Child(Performer::Inline(_)) => unreachable!("a child was asked for"),
            Side::Caller(pending) => {
                // One that is gone is told of by who waits for it.
                let _ = send(&mut writer);
                pending
            }
        }
    }
}

/// As a child does it, but here.
fn attempt<J>(writer: &mut pipe::Writer, job: &mut J) -> io::Result<()>
where
    J: FnMut(&mut Sink<'_>) -> Result<(), CodecError> + ?Sized,
{
    let mut sink = Sink::kept(Sender::new(&mut *writer));
    let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut sink)));
    match outcome {
        Ok(Ok(())) => sink.0.complete(),
        Ok(Err(error)) => {
            Sender::new(writer).record(Tag::EncodeFailed, &codec::to_bytes(&error.parts()))
        }
        Err(payload) => {
            let note = panic::describe(&*payload);
            Sender::new(writer).record(Tag::Panicked, &codec::to_bytes(&note))
        }
    }
}
