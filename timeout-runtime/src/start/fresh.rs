//! The child as this program started afresh, which knows nothing of the caller but what it is told.

pub(super) mod worker;

use std::io;

use self::worker::Worker;
use super::StartMethod;
use super::terms::Terms;
use super::workers::lease::Lease;
use crate::call::Pending;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "tokio")]
use crate::frame::Receiver;
use crate::limit::Limit;
use crate::remote::{Packed, Parcel, Refusal};
use crate::report::Report;
use crate::sys::image;
#[cfg(feature = "tokio")]
use crate::watch::apart::apart;
#[cfg(feature = "tokio")]
use crate::watch::gathering::Gathering;
#[cfg(feature = "tokio")]
use crate::watch::turn::{counted, turn_before};
use crate::worker::is_ready;

/// Starts a call of that function, unless the limit says that there is no time for it.
pub(crate) fn start(report: Report, grace: Limit, method: StartMethod, parcel: Parcel) -> Pending {
    let started = || {
        let terms = Terms::new(&report, grace)?;
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
        Err(error) => Pending::failed(error),
    }
}

/// The same for a task, which waits for nothing but the call; it has ended when this is ready.
#[cfg(feature = "tokio")]
pub(crate) fn start_awaited(
    report: Report,
    grace: Limit,
    method: StartMethod,
    parcel: Parcel,
) -> impl Future<Output = Pending> {
    counted(awaited(report, grace, method, parcel))
}

#[cfg(feature = "tokio")]
async fn awaited(report: Report, grace: Limit, method: StartMethod, parcel: Parcel) -> Pending {
    match try_start_awaited(&report, grace, method, parcel).await {
        Ok((gathering, lease)) => match gathering.finish().await {
            Some(watch) => Pending::leased(report, Receiver::new(watch), lease),
            None => Pending::failed(report.error(ErrorKind::Unknown)),
        },
        Err(error) => Pending::failed(error),
    }
}

#[cfg(feature = "tokio")]
async fn try_start_awaited(
    report: &Report,
    grace: Limit,
    method: StartMethod,
    parcel: Parcel,
) -> Result<(Gathering, Lease), Error> {
    let terms = Terms::new(report, grace)?;
    let packed = packed(&terms, parcel)?;
    if !turn_before(terms.deadline).await {
        return Err(terms.too_late());
    }
    let mut lease = Lease::new(method);
    let mut idle = lease.idle_worker();
    if idle.is_none() {
        let deadline = terms.deadline;
        let taken = apart(move || (lease.worker(deadline), lease)).await;
        let lost = || terms.failed(io::ErrorKind::WouldBlock.into());
        let (found, own) = taken.ok_or_else(lost)?;
        idle = Some(had(&terms, found)?);
        lease = own;
    }
    let Some(idle) = idle else { return Err(terms.too_late()) };
    let mut begun = idle.begin(&terms, packed, &lease).map_err(|error| terms.failed(error))?;
    if begun.is_small() {
        begun.send();
    } else {
        let sent = apart(move || {
            begun.send();
            begun
        });
        begun = sent.await.ok_or_else(|| terms.failed(io::ErrorKind::WouldBlock.into()))?;
    }
    let (watch, rest) = begun.worker.parted();
    let gathering = Gathering::new(watch).await.map_err(|error| terms.failed(error))?;
    Ok((gathering, lease.with(rest)))
}

fn had(terms: &Terms<'_>, worker: io::Result<Option<Worker>>) -> Result<Worker, Error> {
    worker.map_err(|error| terms.failed(error))?.ok_or_else(|| terms.too_late())
}

fn packed(terms: &Terms<'_>, parcel: Parcel) -> Result<Packed, Error> {
    if image::is_privileged() {
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

/// The linker gives such a program's child no word of its caller's, and neither does this library.
fn other_rights() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "a program that runs with other rights than its caller's (set-uid), or whose real user or group \
         is not the effective one, starts no copy of itself: use the start method `fork` there",
    )
}
