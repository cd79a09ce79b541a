//! One process of this program that was started afresh, as its caller has it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::other_rights;
use crate::Timeout;
use crate::call::Pending;
use crate::child::served::Idle;
use crate::events::Events;
use crate::frame::{Receiver, Sender, Tag};
use crate::limit::Deadline;
use crate::remote::{Packed, Request};
use crate::report::Report;
use crate::start::nursery::{self, Birth, Born};
use crate::start::terms::{FUSE, Terms};
use crate::start::workers::lease::Lease;
use crate::sys::credentials::Credentials;
use crate::sys::hatch::{Hatch, Waits};
use crate::sys::nursery::Ends;
use crate::sys::output::capture::Capture;
use crate::sys::pipe::Requests;
use crate::sys::process::Process;
use crate::sys::respawn::{Shared, respawn};
use crate::sys::slate::Slate;
use crate::sys::surroundings::{Environment, Mark, Seen, Surroundings};
use crate::sys::threads::ParentThread;
use crate::sys::{image, pipe};
use crate::watch::Watch;
use crate::worker::{Inherited, TRIGGER};

/// A child that runs what it is told.
#[derive(Debug)]
pub(crate) struct Worker {
    watch: Watch,
    kept: Box<Kept>,
}

/// What is known of one, while its watch is with a call.
#[derive(Debug)]
pub(crate) struct Kept {
    requests: Requests,
    /// What it has of the caller's surroundings, if a body has not changed them since.
    mark: Option<Mark>,
    seen: Seen,
    /// What the caller's are, for the call that is about to begin.
    now: Option<Mark>,
    /// With which it was started.
    credentials: Credentials,
    calls: u64,
    /// What it has used so far.
    cpu_time: Duration,
    /// Where it prints, for as long as it may ask for it.
    printed: Option<pipe::Writer>,
}

/// Who starts one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// This thread, which waits for the call.
    Waits,
    /// A thread that stays as long as the process does.
    Stays,
}

impl Worker {
    pub(crate) fn start(parent: Parent) -> io::Result<Self> {
        Parts::new()?.start(parent)
    }

    /// By a nursery, if there is one. `None`: there is none before the deadline.
    pub(crate) fn born(parent: Parent, deadline: Deadline) -> io::Result<Option<Self>> {
        let parts = Parts::new()?;
        match nursery::child(&parts.ends(), deadline) {
            Birth::Child(Born { process, parent, has, wants }) => {
                Ok(Some(parts.into_worker(process, has, wants).of(parent)))
            }
            Birth::None => parts.start(parent).map(Some),
            Birth::Failed => Parts::new()?.start(parent).map(Some),
            Birth::Late => Ok(None),
        }
    }

    /// Whether it waits for a call, and for nothing else, and may do what this process may do: one
    /// that has dropped its rights has no body run with them. It may still be putting things back, which is
    /// waited for until then.
    pub(crate) fn is_usable(&mut self, until: Deadline) -> bool {
        // What is looked at here takes as long as the worker to be ready.
        let Self { watch, kept } = self;
        let have_changed = kept.credentials.have_changed();
        kept.now = Some(kept.seen.mark());
        let Some(has_moved) = watch.wait_until_ready(until) else { return false };
        if has_moved {
            kept.mark = None;
        }
        !have_changed && watch.is_quiet()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.kept.calls
    }

    /// Ends it, and waits for that. It is asked too, for it may be another user's by now.
    pub(crate) fn end(mut self) {
        self.watch.post(&Sender::new(Vec::new()).into_frame(), Waits::AtPipe);
        self.watch.kill();
        self.watch.finish();
        self.watch.end_parent();
    }

    /// From now on it is in a call.
    pub(super) fn begin(
        mut self,
        terms: &Terms<'_>,
        packed: Packed,
        of: &Lease,
    ) -> io::Result<Begun> {
        let (printed, writer) = printed().unzip();
        let now = Instant::now();
        let Self { watch, kept } = &mut self;
        let is_first = kept.calls == 0;
        let mark = kept.now.take().unwrap_or_else(|| kept.seen.mark());
        let (visible, call) = terms.visible();
        let surroundings = (Some(mark) != kept.mark).then(Surroundings::now);
        let mark = surroundings.as_ref().map_or(mark, Surroundings::mark);
        let request = Request {
            identity: image::identity()?,
            base: image::base(),
            thunk: packed.offset,
            type_name: packed.type_name.to_owned(),
            function: call.function().to_owned(),
            limit: call.limit().duration().ok().flatten(),
            elapsed: now.saturating_duration_since(call.started()),
            left: visible.remaining(),
            fuse: terms.fuse().remaining().map(|left| left.max(FUSE)),
            budget: terms.budget,
            surroundings,
            initializer: if is_first { of.initializer()? } else { None },
            is_last: of.is_last(),
            printed: writer.as_ref().map(pipe::Writer::number),
        };
        kept.mark = Some(mark);
        kept.calls += 1;
        kept.printed = writer;
        watch.begin(terms);
        let method = if of.is_last() { "spawn" } else { "pool" };
        watch.tell(Events::of(terms.report, method, watch.id()));
        if let Some(printed) = printed {
            watch.echo(printed);
        }
        let mut head = Vec::with_capacity(1 << 10);
        Sender::new(&mut head).record(Tag::Request, &request.to_bytes())?;
        // One that starts takes longer than anybody waits awake, and one that ends with its call says no
        // more than that.
        let waits = if is_first || of.is_last() { Waits::AtPipe } else { Waits::Here };
        if packed.arguments.len() > AT_ONCE {
            return Ok(Begun { worker: self, parts: [head, packed.arguments], waits });
        }
        head.extend(packed.arguments);
        Ok(Begun { worker: self, parts: [head, Vec::new()], waits })
    }
}

/// What there is of one before there is a process.
struct Parts {
    credentials: Credentials,
    reader: pipe::Reader,
    writer: pipe::Writer,
    requests: Requests,
    hatch: Hatch,
    /// By which the process has it.
    hatch_memory: OwnedFd,
    slate: Option<Slate>,
    /// By which the process has it.
    memory: Option<OwnedFd>,
}

impl Parts {
    fn new() -> io::Result<Self> {
        let credentials = Credentials::now();
        if credentials.are_mixed() {
            return Err(other_rights());
        }
        let (reader, writer) = pipe::pipe()?;
        let requests = Requests::new()?;
        let (hatch, hatch_memory) = Hatch::new()?;
        let (slate, memory) = Slate::shared().unzip();
        Ok(Self { credentials, reader, writer, requests, hatch, hatch_memory, slate, memory })
    }

    fn ends(&self) -> Ends<'_> {
        Ends {
            requests: &self.requests,
            results: self.writer.as_fd(),
            hatch: self.hatch_memory.as_fd(),
            slate: self.memory.as_ref().map(AsFd::as_fd),
            there: [self.requests.reader().as_raw_fd(), self.reader.as_fd().as_raw_fd()],
        }
    }

    fn start(self, parent: Parent) -> io::Result<Worker> {
        if parent == Parent::Waits {
            return self.start_here();
        }
        let (worker, thread) = ParentThread::of(move || self.start_here());
        let lost = || io::Error::other("the thread that was to start the process panicked");
        Ok(worker.ok_or_else(lost)??.of(thread.map(Arc::new)))
    }

    fn start_here(self) -> io::Result<Worker> {
        let environment = Environment::now();
        let mark = environment.mark();
        let Ends { requests, results, hatch, slate, there } = self.ends();
        let mut shared = vec![requests.reader(), results, hatch];
        shared.extend(slate);
        let shared = Shared::new(shared);
        let inherited = Inherited {
            caller: std::process::id(),
            requests: shared.number(0),
            results: shared.number(1),
            there,
            hatch: shared.number(2),
            slate: slate.map_or(-1, |_| shared.number(3)),
            has_others: !Shared::is_all(),
        };
        let process = respawn(environment, (TRIGGER, inherited.to_text()), &shared)?;
        Ok(self.into_worker(process, mark, mark))
    }

    fn into_worker(self, process: Process, has: Mark, wants: Mark) -> Worker {
        let Self { credentials, reader, requests, hatch, slate, .. } = self;
        let (grace, never) = (Some(Duration::ZERO), Deadline::NEVER);
        let mut watch = Watch::new(process, reader, never, grace, never, slate);
        watch.tell_by(hatch);
        let kept = Box::new(Kept {
            requests,
            mark: Some(has),
            seen: Seen::default(),
            now: Some(wants),
            credentials,
            calls: 0,
            cpu_time: Duration::ZERO,
            printed: None,
        });
        Worker { watch, kept }
    }
}

/// A pipe for what the body prints, if a harness captures what this thread prints. Only a copy of this
/// process can find that out, and only a program with a harness in it has to.
fn printed() -> Option<(pipe::Reader, pipe::Writer)> {
    if Capture::known() == Capture::Unknown && image::has_harness() {
        let _ = Timeout::new(PATIENCE).run(|| ());
    }
    if Capture::known() == Capture::Captured { pipe::pipe().ok() } else { None }
}

/// So long the copy may take, in seconds.
const PATIENCE: u32 = 2;

/// Arguments that are longer are not copied once more to be sent with the rest.
const AT_ONCE: usize = 64 << 10;

/// A call that the child is still to be told of.
pub(super) struct Begun {
    pub(super) worker: Worker,
    parts: [Vec<u8>; 2],
    waits: Waits,
}

impl Begun {
    /// Whether there is room for all of it in a stream that is empty.
    #[cfg(feature = "tokio")]
    pub(super) fn is_small(&self) -> bool {
        self.parts[1].is_empty()
    }

    /// Whoever waits for it waits at the pipe.
    #[cfg(feature = "tokio")]
    pub(super) fn awaited(self) -> Self {
        Self { waits: Waits::AtPipe, ..self }
    }

    /// Tells it, as long as there is time. Whether it could not be told is seen by who waits for it.
    pub(super) fn send(&mut self) {
        let [head, arguments] = &self.parts;
        self.worker.watch.post(if arguments.is_empty() { head } else { &[] }, self.waits);
        if !arguments.is_empty() || !Hatch::takes(head.len()) {
            self.send_by_pipe();
        }
    }

    #[cold]
    fn send_by_pipe(&mut self) {
        let Worker { watch, kept } = &mut self.worker;
        for part in &mut self.parts {
            let mut sent = 0;
            while sent < part.len() {
                match kept.requests.write(&part[sent..]) {
                    Ok(length) => sent += length,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if !watch.wait_for_room(kept.requests.as_fd()) {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
            *part = Vec::new();
        }
    }
}

impl Worker {
    pub(super) fn pending(self, report: Report, lease: Lease) -> Pending {
        let (watch, kept) = self.parted();
        Pending::leased(report, Receiver::new(watch), lease.with(kept))
    }

    pub(super) fn parted(self) -> (Watch, Box<Kept>) {
        (self.watch, self.kept)
    }

    fn of(mut self, parent: Option<Arc<ParentThread>>) -> Self {
        self.watch.keep(parent);
        self
    }

    /// After a call that left nothing.
    pub(crate) fn back(watch: Watch, mut kept: Box<Kept>, idle: Idle) -> Self {
        kept.cpu_time = Duration::from_micros(idle.cpu_time);
        kept.printed = None;
        Self { watch, kept }
    }
}

impl Kept {
    /// What was used before the call.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.cpu_time
    }
}
