//! The caller's side of one call.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

#[cfg(feature = "pool")]
use crate::child::served::Idle;
use crate::codec;
use crate::current::Waiting;
use crate::error::{CodecError, Error, ErrorKind, Usage, io_parts};
#[cfg(feature = "pool")]
use crate::events::Events;
use crate::frame::{End, Receiver, Record, Tag};
use crate::panic::PanicNote;
use crate::report::Report;
#[cfg(feature = "pool")]
use crate::start::fresh::never_began;
#[cfg(feature = "pool")]
use crate::start::workers::lease::Lease;
use crate::trace::Stack;
use crate::watch::{Ended, Watch};

/// A call whose value is still to come, or that came to nothing before it began.
#[derive(Debug)]
pub struct Pending(Result<Going, Error>);

/// Where the bytes of a value come from.
pub struct Source(pub(crate) Receiver<Watch>);

struct Going {
    report: Report,
    receiver: Source,
    /// Of a child that may serve other calls.
    #[cfg(feature = "pool")]
    lease: Option<Lease>,
}

impl Pending {
    pub(crate) fn new(report: Report, receiver: Receiver<Watch>) -> Self {
        Self(Ok(Going {
            report,
            receiver: Source(receiver),
            #[cfg(feature = "pool")]
            lease: None,
        }))
    }

    #[cfg(feature = "pool")]
    pub(crate) fn leased(report: Report, receiver: Receiver<Watch>, lease: Lease) -> Self {
        Self(Ok(Going { report, receiver: Source(receiver), lease: Some(lease) }))
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self(Err(error))
    }

    /// Waits for the end of the call, decoding the value as it arrives.
    ///
    /// # Errors
    ///
    /// Whatever became of the call other than a value.
    pub fn join<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.join_by(type_name::<T>(), |source, _| codec::decode(&mut source.0))
    }

    /// As [`join`](Self::join), for what has its own way to be decoded.
    pub(crate) fn join_by<T>(
        self,
        type_name: &str,
        decode: impl FnOnce(&mut Source, &Report) -> Result<T, CodecError>,
    ) -> Result<T, Error> {
        let mut going = self.0?;
        let _waiting = Waiting::begin(going.report.function());
        let value = decode(&mut going.receiver, &going.report);
        let undecoded = value.as_ref().err().cloned();
        match (value, going.settle(undecoded, type_name)) {
            (Ok(value), None) => {
                #[cfg(feature = "pool")]
                going.give_back();
                Ok(value)
            }
            (_, Some(error)) => Err(error),
            // Without an error of the call there is one of the decoder's.
            (Err(error), None) => Err(going.report.error(ErrorKind::Decode(error))),
        }
    }
}

impl Going {
    /// Everything after the value, which is the same for all types: the closing record, the end of
    /// the child, and which of the two says what became of the call.
    fn settle(&mut self, undecoded: Option<CodecError>, type_name: &str) -> Option<Error> {
        let is_useless = undecoded.is_some() && !self.receiver.0.has_ended();
        if is_useless {
            self.receiver.0.source().kill();
        }
        let end = self.receiver.0.finish();
        if matches!(end, End::Broken(_)) {
            self.receiver.0.source().kill();
        }
        let ended = self.ended(&end);
        let decode = |why: &str| ErrorKind::Decode(CodecError::new(type_name, why));
        let (mut stacks, mut hang) = (None, None);
        let kind = match end {
            _ if is_useless => ErrorKind::Decode(undecoded?),
            End::Complete => match undecoded {
                None if self.has_more() => decode("bytes came after its end"),
                None => {
                    self.receiver.0.source().events().value(ended.usage);
                    return None;
                }
                Some(error) => ErrorKind::Decode(error),
            },
            End::Broken(why) => decode(&why),
            _ if ended.stopped => {
                stacks = ended.stacks;
                hang = ended.hang;
                ended.kind
            }
            End::Record(Record { tag: Tag::Panicked, payload }) => {
                let (message, location, stack) =
                    codec::from_bytes::<PanicNote>(&payload).unwrap_or_default();
                stacks = Some(Stack::of_panic(stack));
                ErrorKind::Panicked { message, location }
            }
            End::Record(Record { tag: Tag::EncodeFailed, payload }) => {
                let parts = codec::from_bytes(&payload).unwrap_or_default();
                let error = CodecError::put_together(parts);
                // An argument was written by the caller: here it could not be read.
                if error.is_argument() {
                    ErrorKind::Decode(error)
                } else {
                    ErrorKind::Encode(error)
                }
            }
            End::Record(Record { tag: Tag::StartFailed, payload }) => {
                let why = codec::from_bytes(&payload).unwrap_or_default();
                ErrorKind::Start(io_parts::put_together(why))
            }
            End::Record(Record { tag: Tag::MemoryExceeded, payload }) => {
                let limit = payload.try_into().map_or(0, u64::from_le_bytes);
                // It aborted there.
                stacks = ended.stacks.filter(Result::is_ok);
                ErrorKind::MemoryExceeded { limit }
            }
            End::Record(_) => decode("a record came out of its turn"),
            End::Missing => {
                stacks = ended.stacks;
                self.own_end(ended.kind, ended.usage)
            }
        };
        let error = self.report.error(kind);
        let error = error.with_usage(ended.usage).with_hang(hang).with_stacks(stacks);
        self.receiver.0.source().events().failure(&error);
        Some(error)
    }
}

impl Going {
    /// A child that used up its processor time was ended by a signal that nobody sent.
    fn own_end(&self, kind: ErrorKind, usage: Option<Usage>) -> ErrorKind {
        let is_used_up = |limit| usage.is_some_and(|usage| usage.cpu_time() >= limit);
        match (kind, self.report.cpu()) {
            (ErrorKind::Signaled { signal: libc::SIGXCPU, .. }, Some(limit)) => {
                ErrorKind::CpuExceeded { limit }
            }
            (ErrorKind::Signaled { signal: libc::SIGKILL, .. }, Some(limit))
                if is_used_up(limit) =>
            {
                ErrorKind::CpuExceeded { limit }
            }
            (kind, _) => kind,
        }
    }
}

#[cfg(not(feature = "pool"))]
impl Going {
    fn ended(&mut self, _: &End) -> Ended {
        self.receiver.0.source().finish()
    }

    fn has_more(&mut self) -> bool {
        self.receiver.0.has_more()
    }
}

#[cfg(feature = "pool")]
impl Going {
    /// Waits for the end of the child, or until it waits for another call.
    fn ended(&mut self, end: &End) -> Ended {
        let is_complete = matches!(end, End::Complete);
        let receiver = &mut self.receiver.0;
        if let Some(lease) = self.lease.as_mut().filter(|lease| is_complete && !lease.is_last()) {
            if let Some(said) = receiver.next(Tag::Rests) {
                lease.rests(Idle::from_bytes(&said));
                if receiver.source().is_running() {
                    return receiver.source().rest();
                }
                // It gave its value in the grace, and stays; but a SIGTERM may still be on its way.
                receiver.source().kill();
            }
        }
        let ended = receiver.source().finish();
        let before = self.lease.as_ref().map(Lease::cpu_time).unwrap_or_default();
        let is_unheard = receiver.source().is_unheard();
        let kind = if is_unheard && !ended.stopped { never_began(&ended.kind) } else { ended.kind };
        Ended { kind, usage: ended.usage.map(|usage| usage.since(before)), ..ended }
    }

    fn has_more(&mut self) -> bool {
        match &self.lease {
            // What comes then is seen before the next call.
            Some(lease) if lease.is_at_rest() => false,
            _ => self.receiver.0.has_more(),
        }
    }

    /// After a call that gave its value.
    fn give_back(self) {
        if let Some(lease) = self.lease.filter(Lease::is_at_rest) {
            let (mut watch, has_more) = self.receiver.0.into_parts();
            if has_more || watch.has_gathered() {
                // A body has written there.
                watch.kill();
            }
            if watch.is_running() {
                watch.tell(Events::default());
                lease.give_back(watch);
            }
        }
    }
}

impl fmt::Debug for Going {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)
    }
}

/// A call that goes on while the caller does something else, started by
/// [`Timeout::start`](crate::Timeout::start).
///
/// The deadline is kept while someone [`join`](Self::join)s, asks whether it is
/// [`pending`](Self::pending), or drops it; when nobody does, the kernel ends the child a second
/// after its grace would have been over (on Linux). A result larger than a pipe (64 KiB) waits in the child
/// until it is joined. In a test whose output is captured, what the body prints waits likewise, and
/// is printed where the call is joined or dropped. Dropping the call stops the child as
/// [`cancel`](Self::cancel) does, waits for its end and reaps it. It may be joined on any thread,
/// and outlives the one that started it.
///
/// ```
/// use timeout_runtime::Timeout;
///
/// let calls: Vec<_> =
///     (1..=4u64).map(|n| Timeout::new(2).start(move || n * n)).collect::<Result<_, _>>()?;
/// let squares: Vec<u64> = calls.into_iter().map(|call| call.join()).collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9, 16]);
/// # Ok::<(), timeout_runtime::Error>(())
/// ```
///
/// After `Process` of Python's `multiprocessing`, and `gevent.Greenlet`.
#[must_use = "dropping a call stops it"]
pub struct Call<T> {
    going: Going,
    value: PhantomData<fn() -> T>,
}

impl<T> Call<T> {
    pub(crate) fn new(pending: Pending) -> Result<Self, Error> {
        Ok(Self { going: pending.0?, value: PhantomData })
    }

    /// The process id of the child, which is also the id of its process group.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.going.receiver.0.peek_source().id()
    }

    /// Whether the child still goes on; if so, past its deadline, it is told to end.
    ///
    /// `false` means that [`join`](Self::join) will not wait.
    #[must_use]
    pub fn pending(&mut self) -> bool {
        self.going.receiver.0.source().is_pending()
    }

    /// Tells the child to stop, and returns at once: SIGTERM now, SIGKILL at the end of the grace.
    ///
    /// [`join`](Self::join) then gives [`ErrorKind::Cancelled`], unless the value was there first.
    /// Cancelling a call that has ended, or was cancelled, does nothing.
    pub fn cancel(&mut self) {
        self.going.receiver.0.source().cancel();
    }

    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// Whatever became of the call other than a value.
    pub fn join(self) -> Result<T, Error>
    where
        T: DeserializeOwned,
    {
        Pending(Ok(self.going)).join()
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id()).finish_non_exhaustive()
    }
}
