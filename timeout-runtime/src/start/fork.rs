//! The child as a copy of the caller.

#[cfg(feature = "tokio")]
pub(crate) mod awaited;

use std::io;
use std::thread::{self, ThreadId};

use super::terms::{FUSE, Terms};
use crate::budget::Bounds;
use crate::call::Pending;
use crate::child::Child;
use crate::current::Waiting;
use crate::error::{Error, ErrorKind};
use crate::events::{self, Events};
use crate::frame::{End, Receiver, Record, Tag};
use crate::inline::{Inline, Performer};
use crate::mode::is_inline;
use crate::report::Report;
use crate::sys::output::capture::{Capture, Question};
use crate::sys::output::{Prepared, Streams};
use crate::sys::slate::{self, Slate};
use crate::sys::threads::this_thread;
use crate::sys::{self, pipe};
use crate::watch::{Ended, Watch};

/// Where one is after the start, which returns in two processes.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and never stored")]
#[derive(Debug)]
pub enum Side {
    /// Where the body is to be run.
    Child(Performer),
    /// In the caller, which is to wait for it.
    Caller(Pending),
}

/// What the caller does while the body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    /// It waits for the value: whatever comes first may be the value.
    Waits,
    /// Something else, once the body has begun.
    GoesOn,
}

/// Starts a child, unless the limit says that there is no time for it, or the body is to run here.
pub(crate) fn start(report: Report, bounds: Bounds, meanwhile: Meanwhile) -> Side {
    if is_inline() { Inline::side(report) } else { start_child(report, bounds, meanwhile) }
}

/// Starts a child, unless the limit says that there is no time for it.
pub(crate) fn start_child(report: Report, bounds: Bounds, meanwhile: Meanwhile) -> Side {
    match try_start(&report, bounds, meanwhile) {
        Ok(Started::Child(child)) => Side::Child(Performer::Child(child)),
        Ok(Started::Caller(receiver)) => Side::Caller(Pending::new(report, receiver)),
        Err(error) => {
            events::refused(&report, &error);
            Side::Caller(Pending::failed(error))
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "as above")]
enum Started {
    Child(Child),
    Caller(Receiver<Watch>),
}

fn try_start(report: &Report, bounds: Bounds, meanwhile: Meanwhile) -> Result<Started, Error> {
    let mut start = Start::new(report, bounds, meanwhile)?;
    loop {
        let (watch, word) = match start.fork(start.prepare()?)? {
            Forked::Child(child) => return Ok(Started::Child(child)),
            Forked::Caller(watch, word) => (watch, word),
        };
        let mut receiver = Receiver::new(watch);
        let Some(word) = word else { return Ok(Started::Caller(receiver)) };
        let first = {
            let _waiting = Waiting::begin(report.function());
            receiver.first()
        };
        match word.of(first, receiver.source().has_failed()) {
            First::Ready(printed) => {
                if let Some(printed) = printed {
                    receiver.source().echo(printed);
                }
                return Ok(Started::Caller(receiver));
            }
            First::Other(end) => {
                receiver.put_back(end);
                return Ok(Started::Caller(receiver));
            }
            First::Contended(streams) => {
                receiver.source().finish();
                start.note(streams)?;
            }
            First::Missing => return Err(start.unready(receiver.source().finish())),
        }
    }
}

/// The start of one call, which may take more than one fork.
struct Start<'a> {
    terms: Terms<'a>,
    meanwhile: Meanwhile,
    /// The output streams that other threads were seen to hold.
    contended: Streams,
}

impl<'a> Start<'a> {
    fn new(report: &'a Report, bounds: Bounds, meanwhile: Meanwhile) -> Result<Self, Error> {
        let terms = Terms::new(report, bounds)?;
        Ok(Self { terms, meanwhile, contended: Streams::default() })
    }

    /// Waits only for streams that are contended.
    fn prepare(&self) -> Result<Prepared, Error> {
        self.prepared(Prepared::new(self.contended, self.terms.deadline))
    }

    fn prepared(&self, prepared: io::Result<Option<Prepared>>) -> Result<Prepared, Error> {
        prepared.map_err(|error| self.terms.failed(error))?.ok_or_else(|| self.terms.too_late())
    }

    fn fork(&self, output: Prepared) -> Result<Forked, Error> {
        self.try_fork(output).map_err(|error| self.terms.failed(error))
    }

    fn try_fork(&self, output: Prepared) -> io::Result<Forked> {
        let (reader, writer) = pipe::pipe()?;
        let question = Question::new();
        let mut slate = Slate::new();
        let Terms { deadline, grace, budget, .. } = self.terms;
        let fuse = self.terms.fuse();
        // All that can be known before is: what a fresh child touches for the first time costs the most.
        let left = fuse.remaining().map(|left| left.max(FUSE));
        let current = self.terms.current();
        let thread = this_thread();
        let is_in_doubt = output.is_in_doubt();
        // Where the slate tells whether it has failed, a word is one more wake for who waits.
        let is_told = self.meanwhile == Meanwhile::Waits && slate.is_some();
        let is_reported = question.is_some() || is_in_doubt && !is_told;
        // What it is asked until then is held back.
        let prepare = || {
            current.begin(writer.number());
            slate.take().map_or_else(slate::disown, |slate| slate.listen(thread));
        };
        Ok(match sys::fork::fork(prepare)? {
            sys::fork::Side::Child => {
                reader.close();
                left.into_iter().for_each(sys::platform::light_fuse);
                let child = Child::new(writer, output, question, is_reported);
                Forked::Child(child.within(budget))
            }
            sys::fork::Side::Caller(process) => {
                let printed = question.map(Question::into_reader);
                let word = (is_reported || is_in_doubt).then(|| Word::new(printed));
                let mut watch = Watch::new(process, reader, deadline, grace, fuse, slate);
                watch.tell(Events::of(self.terms.report, "fork", watch.id()));
                Forked::Caller(watch, word)
            }
        })
    }

    /// The next fork is to be made with these held.
    fn note(&mut self, contended: Streams) -> Result<(), Error> {
        self.contended = self.contended.with(contended);
        // Without a stream there is no holder, which would keep the deadline.
        if self.contended == Streams::default() && self.terms.deadline.has_passed() {
            return Err(self.terms.too_late());
        }
        Ok(())
    }

    /// Of a child that ended without a word.
    fn unready(&self, ended: Ended) -> Error {
        let kind = match ended.kind {
            // By itself: it could not make ready.
            ErrorKind::Exited(_) => {
                ErrorKind::Start(io::Error::other("the child could not be made ready for the body"))
            }
            kind => kind,
        };
        self.terms.report.error(kind).with_usage(ended.usage)
    }
}

#[expect(clippy::large_enum_variant, reason = "as above")]
enum Forked {
    Child(Child),
    /// What the child says first may be a word, if there is one to be said.
    Caller(Watch, Option<Word>),
}

/// Only the child can tell whether its copies of the output streams are usable, and where they lead.
struct Word {
    /// What it prints, if it turns out to be captured, and the thread that is about.
    asked: Option<(pipe::Reader, ThreadId)>,
}

enum First {
    /// The body begins, and this is to be printed.
    Ready(Option<pipe::Reader>),
    Contended(Streams),
    Missing,
    /// Whoever waits for the value will find this instead.
    Other(Option<End>),
}

impl Word {
    fn new(printed: Option<pipe::Reader>) -> Self {
        Self { asked: printed.map(|printed| (printed, thread::current().id())) }
    }

    fn of(self, first: Option<End>, has_failed: bool) -> First {
        match first {
            Some(End::Record(record)) if record.tag == Tag::Ready => {
                let capture = Capture::from_byte(first_byte(&record));
                First::Ready(self.asked.and_then(|(printed, thread)| {
                    if thread == thread::current().id() {
                        capture.remember();
                    }
                    (capture == Capture::Captured).then_some(printed)
                }))
            }
            Some(End::Record(record)) if record.tag == Tag::Contended => {
                First::Contended(Streams::from_bits(first_byte(&record)))
            }
            Some(End::Missing) if has_failed => First::Missing,
            end => First::Other(end),
        }
    }
}

fn first_byte(record: &Record) -> u8 {
    record.payload.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else each second call of a thread would ask again.
    #[test]
    fn a_word_that_answers_nothing_takes_no_answer_away() {
        Capture::Not.remember();
        let payload = vec![Capture::Unknown as u8];
        let ready = End::Record(Record { tag: Tag::Ready, payload });
        assert!(matches!(Word::new(None).of(Some(ready), false), First::Ready(None)));
        assert!(Question::new().is_none());
    }

    #[test]
    fn a_child_without_a_word_has_ended_in_its_body_unless_it_has_failed() {
        let of = |has_failed| Word::new(None).of(Some(End::Missing), has_failed);
        assert!(matches!(of(true), First::Missing));
        assert!(matches!(of(false), First::Other(Some(End::Missing))));
    }
}
