//! The same start, for a task: what has to be waited for is awaited.

use std::io;

use tokio::time::timeout_at;

use super::{First, Forked, Meanwhile, Side, Start};
use crate::budget::Bounds;
use crate::call::Pending;
use crate::child::Child;
use crate::error::{Error, ErrorKind};
use crate::events;
use crate::frame::Receiver;
use crate::inline::{Inline, Performer};
use crate::mode::is_inline;
use crate::report::Report;
use crate::sys::output::{Prepared, Streams};
use crate::watch::apart::apart;
use crate::watch::gathering::Gathering;
use crate::watch::turn::{counted, turn_before};

/// Starts a child, unless the limit says that there is no time for it. Ready in the child at once,
/// and in the caller when the call has ended, whose value is then read from memory.
pub(crate) async fn start(report: Report, bounds: Bounds) -> Side {
    if is_inline() {
        return Inline::side(report);
    }
    counted(sides(report, bounds)).await
}

async fn sides(report: Report, bounds: Bounds) -> Side {
    match try_start(&report, bounds).await {
        Ok(Started::Child(child)) => Side::Child(Performer::Child(child)),
        Ok(Started::Caller(gathering)) => Side::Caller(match gathering.finish().await {
            Some(watch) => Pending::new(report, Receiver::new(watch)),
            None => Pending::failed(report.error(ErrorKind::Unknown)),
        }),
        Err(error) => {
            events::refused(&report, &error);
            Side::Caller(Pending::failed(error))
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and never stored")]
enum Started {
    Child(Child),
    Caller(Gathering),
}

async fn try_start(report: &Report, bounds: Bounds) -> Result<Started, Error> {
    let mut start = Start::new(report, bounds, Meanwhile::GoesOn)?;
    if !turn_before(start.terms.deadline).await {
        return Err(start.terms.too_late());
    }
    loop {
        let output = prepare(&start).await?;
        let (watch, word) = match start.fork(output)? {
            Forked::Child(child) => return Ok(Started::Child(child)),
            Forked::Caller(watch, word) => (watch, word),
        };
        let gathering = Gathering::new(watch).await;
        let mut gathering = gathering.map_err(|error| start.terms.failed(error))?;
        let Some(word) = word else { return Ok(Started::Caller(gathering)) };
        // Each says that it is ready, or it has failed.
        match word.of(gathering.first().await, true) {
            First::Ready(Some(printed)) => {
                let echoing = gathering.echo(printed).await;
                return echoing.map(Started::Caller).map_err(|error| start.terms.failed(error));
            }
            // Of the other it is gathered, and will be found there.
            First::Ready(None) | First::Other(_) => return Ok(Started::Caller(gathering)),
            First::Contended(streams) => {
                gathering.ended().await;
                start.note(streams)?;
            }
            First::Missing => {
                let ended = gathering.ended().await;
                return Err(
                    ended.map_or_else(|| start.terms.too_late(), |ended| start.unready(ended))
                );
            }
        }
    }
}

/// A stream that another thread holds is waited for apart, and not past the deadline.
async fn prepare(start: &Start<'_>) -> Result<Prepared, Error> {
    let (contended, deadline) = (start.contended, start.terms.deadline);
    if contended == Streams::default() {
        return start.prepare();
    }
    let prepared = apart(move || Prepared::new(contended, deadline));
    let prepared = match deadline.instant() {
        Some(instant) => {
            timeout_at(instant.into(), prepared).await.map_err(|_| start.terms.too_late())?
        }
        None => prepared.await,
    };
    start.prepared(prepared.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::WouldBlock))))
}
