//! The child as this program started afresh, which knows nothing of the caller but what it is told.

pub(super) mod worker;

use std::io;

use self::worker::Worker;
use super::StartMethod;
use super::terms::Terms;
use super::workers::lease::Lease;
use crate::budget::Bounds;
use crate::call::Pending;
use crate::child::Sink;
use crate::error::{CodecError, Error, ErrorKind};
use crate::events;
use crate::frame::Receiver;
use crate::inline::Inline;
use crate::mode::is_inline;
use crate::remote::{Arguments, Packed, Parcel, Refusal};
use crate::report::Report;
use crate::sys::privilege::is_privileged;
#[cfg(feature = "tokio")]
use crate::watch::apart::apart;
#[cfg(feature = "tokio")]
use crate::watch::gathering::Gathering;
#[cfg(feature = "tokio")]
use crate::watch::turn::{counted, turn_before};
use crate::worker::{PRIVILEGED, is_ready};

/// Starts a call of that function, unless the limit says that there is no time for it.
pub(crate) fn start(
    report: Report,
    bounds: Bounds,
    method: StartMethod,
    parcel: Parcel,
) -> Pending {
    if is_inline() {
        return inline(report, parcel);
    }
    let started = || {
        let terms = Terms::new(&report, bounds)?;
        let packed = packed(&terms, parcel)?;
        let mut lease = Lease::new(method);
        let worker = had(&terms, lease.worker(terms.deadline))?;
        let mut begun =
            worker.begin(&terms, packed, &lease).map_err(|error| terms.failed(error))?;
        begun.send();
        Ok((begun.worker, lease))
    };
    match started() {
        Ok((worker, lease)) => worker.pending(report, lease),
        Err(error) => refused(&report, error),
    }
}

/// Here, with arguments that are copies as they would be there.
fn inline(report: Report, parcel: Parcel) -> Pending {
    let opened = Inline::new(report).and_then(|inline| Ok((inline, opened(&report, parcel)?)));
    match opened {
        Ok((inline, mut job)) => inline.send(&mut job),
        Err(error) => Pending::failed(error),
    }
}

/// The same for a task.
#[cfg(feature = "tokio")]
fn inline_apart(report: Report, parcel: Parcel) -> Pending {
    let opened = Inline::new(report).and_then(|inline| Ok((inline, opened(&report, parcel)?)));
    match opened {
        Ok((inline, mut job)) => inline.send_apart(&mut job),
        Err(error) => Pending::failed(error),
    }
}

/// What runs the function of a parcel.
fn opened(
    report: &Report,
    parcel: Parcel,
) -> Result<impl FnMut(&mut Sink<'_>) -> Result<(), CodecError> + Send + use<>, Error> {
    let (thunk, arguments) =
        parcel.open().map_err(|error| report.error(ErrorKind::Encode(error)))?;
    Ok(move |sink: &mut Sink<'_>| {
        thunk(&mut Arguments::new(Receiver::new(&mut arguments.as_slice())), sink)
    })
}

/// The same for a task, which waits for nothing but the call; it has ended when this is ready.
#[cfg(feature = "tokio")]
pub(crate) fn start_awaited(
    report: Report,
    bounds: Bounds,
    method: StartMethod,
    parcel: Parcel,
) -> impl Future<Output = Pending> {
    counted(awaited(report, bounds, method, parcel))
}

#[cfg(feature = "tokio")]
async fn awaited(report: Report, bounds: Bounds, method: StartMethod, parcel: Parcel) -> Pending {
    if is_inline() {
        return inline_apart(report, parcel);
    }
    match try_start_awaited(&report, bounds, method, parcel).await {
        Ok((gathering, lease)) => match gathering.finish().await {
            Some(watch) => Pending::leased(report, Receiver::new(watch), lease),
            None => Pending::failed(report.error(ErrorKind::Unknown)),
        },
        Err(error) => refused(&report, error),
    }
}

#[cfg(feature = "tokio")]
async fn try_start_awaited(
    report: &Report,
    bounds: Bounds,
    method: StartMethod,
    parcel: Parcel,
) -> Result<(Gathering, Lease), Error> {
    let terms = Terms::new(report, bounds)?;
    let packed = packed(&terms, parcel)?;
    if !turn_before(terms.deadline).await {
        return Err(terms.too_late());
    }
    let mut lease = Lease::new(method);
    let mut idle = lease.idle_worker();
    if idle.is_none() {
        let deadline = terms.deadline;
        let taken = apart(move || (lease.worker_apart(deadline), lease)).await;
        let lost = || terms.failed(io::ErrorKind::WouldBlock.into());
        let (found, own) = taken.ok_or_else(lost)?;
        idle = Some(had(&terms, found)?);
        lease = own;
    }
    let Some(idle) = idle else { return Err(terms.too_late()) };
    let begun = idle.begin(&terms, packed, &lease).map_err(|error| terms.failed(error))?;
    let mut begun = begun.awaited();
    if begun.is_small() {
        begun.send();
    } else {
        let sent = apart(move || {
            begun.send();
            begun
        });
        begun = sent.await.ok_or_else(|| terms.failed(io::ErrorKind::WouldBlock.into()))?;
    }
    let (watch, kept) = begun.worker.parted();
    let gathering = Gathering::new(watch).await.map_err(|error| terms.failed(error))?;
    Ok((gathering, lease.with(kept)))
}

fn refused(report: &Report, error: Error) -> Pending {
    events::refused(report, &error);
    Pending::failed(error)
}

fn had(terms: &Terms<'_>, worker: io::Result<Option<Worker>>) -> Result<Worker, Error> {
    worker.map_err(|error| terms.failed(error))?.ok_or_else(|| terms.too_late())
}

fn packed(terms: &Terms<'_>, parcel: Parcel) -> Result<Packed, Error> {
    if is_privileged() {
        return Err(terms.failed(other_rights()));
    }
    if !is_ready() {
        return Err(terms.failed(io::Error::other(
            "this program runs nothing before its `main`, where a copy of it would have to be told \
             what to do: use the start method `fork` there",
        )));
    }
    parcel.pack().map_err(|refusal| match refusal {
        Refusal::Start(error) => terms.failed(error),
        Refusal::Encode(error) => terms.report.error(ErrorKind::Encode(error)),
    })
}

/// What is to be said of a process that ended in that way before it had read what it was to do.
pub(crate) fn never_began(how: &ErrorKind) -> ErrorKind {
    ErrorKind::Start(match how {
        ErrorKind::Exited(PRIVILEGED) => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "its program file gives what is started from it other rights than this process has (set-uid, \
             set-gid, or capabilities of the file): use the start method `fork` there",
        ),
        how => io::Error::other(format!("the process that was to run it {how}")),
    })
}

/// The linker gives such a program's child no word of its caller's, and neither does this library.
fn other_rights() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "a program that runs with other rights than its caller's (set-uid), or whose real user or group \
         is not the effective one, starts no copy of itself: use the start method `fork` there",
    )
}
