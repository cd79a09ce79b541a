//! The right of one call to one worker.

use std::io;
use std::time::Duration;

use super::Workers;
use crate::child::served::Idle;
use crate::limit::Deadline;
use crate::start::StartMethod;
use crate::start::fresh::worker::{Kept, Parent, Worker};
use crate::sys::image;
use crate::watch::Watch;

/// The right to a worker, and where it goes after the call.
#[derive(Debug)]
pub(crate) struct Lease {
    /// `None`: it ends with the call.
    workers: Option<&'static Workers>,
    kept: Option<Box<Kept>>,
    has_worker: bool,
    /// The worker stays for another call, and says so.
    idle: Option<Idle>,
}

impl Lease {
    pub(crate) fn new(method: StartMethod) -> Self {
        let workers = (method == StartMethod::Pool).then(Workers::own).flatten();
        Self { workers, kept: None, has_worker: false, idle: None }
    }

    pub(crate) fn is_last(&self) -> bool {
        self.workers.is_none()
    }

    pub(crate) fn initializer(&self) -> io::Result<Option<u64>> {
        let initializer = self.workers.and_then(Workers::initializer);
        let offset = |function: fn()| image::offset_to_send(function as *const (), "initializer");
        initializer.map(offset).transpose()
    }

    /// One that is there already.
    #[cfg(feature = "tokio")]
    pub(crate) fn idle_worker(&mut self) -> Option<Worker> {
        let worker = self.workers?.take_idle();
        self.has_worker = worker.is_some();
        worker
    }

    /// For a call that this thread waits for. `None`: there is none before the deadline.
    pub(crate) fn worker(&mut self, deadline: Deadline) -> io::Result<Option<Worker>> {
        self.worker_of(Parent::Waits, deadline)
    }

    /// The same, on a thread that goes its own way.
    #[cfg(feature = "tokio")]
    pub(crate) fn worker_apart(&mut self, deadline: Deadline) -> io::Result<Option<Worker>> {
        self.worker_of(Parent::Stays, deadline)
    }

    fn worker_of(&mut self, parent: Parent, deadline: Deadline) -> io::Result<Option<Worker>> {
        let worker = match self.workers {
            Some(workers) => workers.take(deadline)?,
            None => Worker::born(parent, deadline)?,
        };
        self.has_worker = worker.is_some();
        Ok(worker)
    }

    pub(crate) fn with(mut self, kept: Box<Kept>) -> Self {
        self.kept = Some(kept);
        self
    }

    /// What was used before the call.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.kept.as_ref().map(|kept| kept.cpu_time()).unwrap_or_default()
    }

    /// The worker stays for another call, if what it says of itself is whole.
    pub(crate) fn rests(&mut self, idle: Option<Idle>) {
        self.idle = idle;
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.idle.is_some()
    }

    /// The worker is for others from now on.
    pub(crate) fn give_back(mut self, watch: Watch) {
        let parts = (self.workers, self.kept.take(), self.idle);
        if let (Some(workers), Some(kept), Some(idle)) = parts {
            self.has_worker = false;
            workers.give_back(Worker::back(watch, kept, idle));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.filter(|_| self.has_worker) {
            workers.forget_one();
        }
    }
}
