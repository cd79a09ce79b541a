//! The child as a copy of the caller.

use std::io;
use std::time::Duration;

use crate::call::Pending;
use crate::child::Child;
use crate::current;
use crate::error::{Error, ErrorKind, StoppedBy};
use crate::frame::{End, Receiver, Record, Tag};
use crate::limit::{Deadline, Limit};
use crate::panic;
use crate::report::Report;
use crate::sys;
use crate::sys::hang::Slate;
use crate::sys::output::capture::{Capture, Question};
use crate::sys::output::{Prepared, Streams};
use crate::watch::Watch;

/// Where one is after the start: this function returns in two processes.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and never stored")]
#[derive(Debug)]
pub enum Side {
    /// In the child, which is to run the body.
    Child(Child),
    /// In the caller, which is to wait for it.
    Caller(Pending),
}

/// Starts a child, unless the limit says that there is no time for it.
pub(crate) fn start(report: Report, grace: Limit) -> Side {
    match try_start(&report, grace) {
        Ok(Started::Child(child)) => Side::Child(child),
        Ok(Started::Caller(receiver)) => Side::Caller(Pending::new(report, receiver)),
        Err(error) => Side::Caller(Pending::failed(error)),
    }
}

#[expect(clippy::large_enum_variant, reason = "as above")]
enum Started {
    Child(Child),
    Caller(Receiver<Watch>),
}

fn try_start(report: &Report, grace: Limit) -> Result<Started, Error> {
    let invalid = |_| report.error(ErrorKind::InvalidLimit);
    let limit = report.limit().duration().map_err(invalid)?;
    let grace = grace.duration().map_err(invalid)?;
    let deadline = Deadline::after(report.started(), limit);
    let too_late = || report.error(ErrorKind::TimedOut { stopped_by: StoppedBy::Nothing });
    let failed = |error| report.error(ErrorKind::Start(error));
    if limit.is_some_and(|limit| limit.is_zero()) {
        return Err(too_late());
    }
    settle_lazies();
    let mut contended = Streams::default();
    loop {
        let output = Prepared::new(contended, deadline).map_err(failed)?.ok_or_else(too_late)?;
        let is_settled = !output.is_reported();
        let (watch, question) = match fork(report, deadline, grace, output).map_err(failed)? {
            Forked::Child(child) => return Ok(Started::Child(child)),
            Forked::Caller(watch, question) => (watch, question),
        };
        let printed = question.map(Question::into_reader);
        let mut receiver = Receiver::new(watch);
        if is_settled && printed.is_none() {
            return Ok(Started::Caller(receiver));
        }
        // Only the child can tell whether its copies of the output streams are usable, and where
        // they lead.
        match receiver.first() {
            Some(End::Record(record)) if record.tag == Tag::Ready => {
                match (Capture::from_byte(first_byte(&record)), printed) {
                    (Capture::Captured, Some(printed)) => receiver.source().echo(printed),
                    (capture, _) => capture.remember(),
                }
                return Ok(Started::Caller(receiver));
            }
            Some(End::Record(record)) if record.tag == Tag::Contended => {
                contended = contended.with(Streams::from_bits(first_byte(&record)));
                receiver.source().finish();
                // Without a stream there is no holder, which would keep the deadline.
                if contended == Streams::default() && deadline.has_passed() {
                    return Err(too_late());
                }
            }
            Some(End::Missing) => {
                let ended = receiver.source().finish();
                let kind = match ended.kind {
                    // By itself: it could not make ready.
                    ErrorKind::Exited(_) => ErrorKind::Start(io::Error::other(
                        "the child could not be made ready for the body",
                    )),
                    kind => kind,
                };
                return Err(report.error(kind).with_usage(ended.usage));
            }
            // Whoever waits for the value will find this instead.
            end => {
                receiver.put_back(end);
                return Ok(Started::Caller(receiver));
            }
        }
    }
}

fn first_byte(record: &Record) -> u8 {
    record.payload.first().copied().unwrap_or_default()
}

/// So long after the end of its grace the kernel ends a child that nobody ended.
const FUSE: Duration = Duration::from_secs(1);

enum Forked {
    Child(Child),
    Caller(Watch, Option<Question>),
}

fn fork(
    report: &Report,
    deadline: Deadline,
    grace: Option<Duration>,
    output: Prepared,
) -> io::Result<Forked> {
    let (reader, writer) = sys::pipe::pipe()?;
    let question = Question::new();
    let slate = Slate::new();
    let fuse = deadline.and_then(grace).and_then(Some(FUSE));
    // A body that asks is told of the nearest deadline, be it that of a call around this one.
    let around = current::child().filter(|around| around.deadline().min(deadline) != deadline);
    let (visible, report) =
        around.map_or((deadline, report), |around| (around.deadline(), around.call()));
    let report = *report;
    Ok(match sys::fork::fork()? {
        sys::fork::Side::Child => {
            drop(reader);
            if let Some(slate) = slate {
                slate.listen();
            }
            if let Some(left) = fuse.remaining() {
                sys::platform::light_fuse(left.max(FUSE));
            }
            Forked::Child(Child::new(writer, visible, report, output, question))
        }
        sys::fork::Side::Caller(process) => {
            Forked::Caller(Watch::new(process, reader, deadline, grace, fuse, slate), question)
        }
    })
}

/// Everything that is made on its first use, so that no child finds it half made.
fn settle_lazies() {
    panic::install_hook();
    panic::wants_stack();
    sys::threads::is_alone();
}
