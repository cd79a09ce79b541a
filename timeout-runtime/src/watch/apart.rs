//! Work at a watch that takes time (to ask a hung body where it is, to walk its descendants, to wait
//! for its end), on a runtime's threads for blocking work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Watch;
use super::escalation::Stage;
use crate::sys::threads;

/// So long such a thread has to begin, before the work is done without one: the program may have
/// given all of them something to do that does not end. On a busy machine a thread takes a while.
const TO_BEGIN: Duration = Duration::from_millis(250);

/// So long one waits for a child whose call was dropped, before the next child has its turn.
const TURN: Duration = Duration::from_millis(10);

/// Gives the watch back when it is done; here, if no thread is to be had.
pub(super) async fn work(
    watch: Watch,
    work: impl FnOnce(&mut Watch) + Send + 'static,
) -> Option<Watch> {
    let here = Arc::new(Errand(Mutex::new((Some(watch), Some(work)))));
    let there = Arc::clone(&here);
    let mut job = pin!(apart(move || there.run()));
    match timeout(TO_BEGIN, &mut job).await {
        Ok(Some(())) => {}
        Err(_) if here.has_begun() => drop(job.await),
        Ok(None) | Err(_) => here.run(),
    }
    here.take()
}

/// Work at a watch, for the first who comes to do it.
struct Errand<W: FnOnce(&mut Watch)>(Mutex<(Option<Watch>, Option<W>)>);

impl<W: FnOnce(&mut Watch)> Errand<W> {
    fn run(&self) {
        let mut errand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (watch, work) = &mut *errand;
        if let (Some(watch), Some(work)) = (watch, work.take()) {
            work(watch);
        }
    }

    /// While somebody is at it, it is locked.
    fn has_begun(&self) -> bool {
        self.0.try_lock().map_or(true, |errand| errand.1.is_none())
    }

    fn take(&self) -> Option<Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// Of a call that was dropped meanwhile.
impl<W: FnOnce(&mut Watch)> Drop for Errand<W> {
    fn drop(&mut self) {
        if let Some(watch) = self.take() {
            leave(watch);
        }
    }
}

/// Anything else, if there is such a thread.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    // It panics where the system has no thread left.
    catch_unwind(AssertUnwindSafe(|| spawn_blocking(work))).ok()?.await.ok()
}

/// Work that others need not wait for, which is quick in a process of one thread.
pub(super) fn spare(work: impl FnOnce() + Send + 'static) {
    if threads::is_alone() {
        work();
    } else {
        // Where the system has no thread left it is not done.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(spawn_blocking(work))));
    }
}

/// Leaves the child to threads for blocking work. Each tells it to end and then waits a moment at a
/// time, so that any number of children end together, and nobody else's work waits for theirs.
///
/// What such a thread does not come to do any more, because its runtime shuts down, is done where it
/// is dropped.
pub(super) fn leave(watch: Watch) {
    if watch.reaped.is_some() {
        return;
    }
    // Else it is dropped here.
    let Ok(runtime) = Handle::try_current() else { return };
    let here = Arc::new(Mutex::new(Some(watch)));
    let there = Arc::clone(&here);
    let take =
        |place: &Mutex<Option<Watch>>| place.lock().unwrap_or_else(PoisonError::into_inner).take();
    let job = move || take(&there).map(attend);
    if catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(job))).is_err() {
        // There is no thread to be had, and yet the runtime keeps the job for one.
        drop(take(&here));
    }
}

fn attend(mut watch: Watch) {
    if matches!(watch.stage, Stage::Running { .. }) {
        watch.cancel();
    } else {
        watch.wait_for(TURN);
    }
    if !watch.ended && !watch.is_stuck() {
        leave(watch);
    }
}
