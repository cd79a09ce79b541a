//! The child as this program started afresh, which knows nothing of the caller but what it is told.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::StartMethod;
use super::terms::{FUSE, Terms};
use super::workers::Lease;
use crate::Timeout;
use crate::call::Pending;
use crate::child::served::Idle;
use crate::error::{Error, ErrorKind};
use crate::frame::{Receiver, Sender, Tag};
use crate::limit::{Deadline, Limit};
use crate::remote::{Packed, Parcel, Refusal, Request};
use crate::report::Report;
use crate::sys::hang::Slate;
use crate::sys::output::capture::Capture;
use crate::sys::pipe::Requests;
use crate::sys::surroundings::{Mark, Surroundings};
use crate::sys::{image, pipe, respawn};
use crate::watch::Watch;
#[cfg(feature = "tokio")]
use crate::watch::apart::apart;
#[cfg(feature = "tokio")]
use crate::watch::gathering::Gathering;
use crate::worker::{self, Inherited};

/// A child that runs what it is told.
#[derive(Debug)]
pub(crate) struct Worker {
    watch: Watch,
    requests: Requests,
    /// What it has of the caller's surroundings, if a body has not changed them since.
    mark: Option<Mark>,
    calls: u64,
    /// What it has used so far.
    cpu_time: Duration,
    /// Where it prints, for as long as it may ask for it.
    printed: Option<pipe::Writer>,
}

impl Worker {
    pub(crate) fn start() -> io::Result<Self> {
        let mark = Mark::now();
        let (reader, writer) = pipe::pipe()?;
        let requests = Requests::new()?;
        let (slate, memory) = Slate::shared().unzip();
        let inherited = Inherited {
            caller: std::process::id(),
            requests: requests.reader().as_raw_fd(),
            results: writer.number(),
            reader: reader.as_fd().as_raw_fd(),
            slate: memory.as_ref().map_or(-1, AsRawFd::as_raw_fd),
        };
        let mut shared = vec![requests.reader(), writer.as_fd()];
        shared.extend(memory.as_ref().map(AsFd::as_fd));
        let process = respawn::respawn((worker::TRIGGER, inherited.to_text()), &shared)?;
        let grace = Some(Duration::ZERO);
        let watch = Watch::new(process, reader, Deadline::NEVER, grace, Deadline::NEVER, slate);
        let (mark, cpu_time) = (Some(mark), Duration::ZERO);
        Ok(Self { watch, requests, mark, calls: 0, cpu_time, printed: None })
    }

    /// Whether it waits for a call, and for nothing else.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.watch.is_quiet()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// Ends it, and waits for that.
    pub(crate) fn end(mut self) {
        self.watch.kill();
        self.watch.finish();
    }

    /// From now on it is in a call.
    fn begin(mut self, terms: &Terms<'_>, packed: Packed, of: &Lease) -> io::Result<Begun> {
        let (printed, writer) = printed().unzip();
        let now = Instant::now();
        let mark = Mark::now();
        let (visible, call) = terms.visible();
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
            surroundings: (Some(mark) != self.mark).then(Surroundings::now),
            initializer: of.initializer().filter(|_| self.calls == 0),
            is_last: of.is_last(),
            printed: writer.as_ref().map(pipe::Writer::number),
        };
        self.mark = Some(mark);
        self.calls += 1;
        self.watch.begin(terms.deadline, terms.grace, terms.fuse());
        if let Some(printed) = printed {
            self.watch.echo(printed);
        }
        self.printed = writer;
        let mut head = Vec::with_capacity(1 << 10);
        Sender::new(&mut head).record(Tag::Request, &request.to_bytes())?;
        if packed.arguments.len() > AT_ONCE {
            return Ok(Begun { worker: self, parts: [head, packed.arguments] });
        }
        head.extend(packed.arguments);
        Ok(Begun { worker: self, parts: [head, Vec::new()] })
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
struct Begun {
    worker: Worker,
    parts: [Vec<u8>; 2],
}

impl Begun {
    /// Whether there is room for all of it in a stream that is empty.
    #[cfg(feature = "tokio")]
    fn is_small(&self) -> bool {
        self.parts[1].is_empty()
    }

    /// Tells it, as long as there is time. Whether it could not be told is seen by who waits for it.
    fn send(&mut self) {
        let Worker { watch, requests, .. } = &mut self.worker;
        for part in &mut self.parts {
            let mut sent = 0;
            while sent < part.len() {
                match requests.write(&part[sent..]) {
                    Ok(length) => sent += length,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if !watch.wait_for_room(requests.as_fd()) {
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

/// Starts a call of that function, unless the limit says that there is no time for it.
pub(crate) fn start(report: Report, grace: Limit, method: StartMethod, parcel: Parcel) -> Pending {
    let started = || {
        let terms = Terms::new(&report, grace)?;
        let packed = packed(&terms, parcel)?;
        let mut lease = Lease::new(method);
        let worker = worker(&terms, lease.worker(terms.deadline))?;
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
pub(crate) async fn start_awaited(
    report: Report,
    grace: Limit,
    method: StartMethod,
    parcel: Parcel,
) -> Pending {
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
    let mut lease = Lease::new(method);
    let mut idle = lease.idle_worker();
    if idle.is_none() {
        let deadline = terms.deadline;
        let taken = apart(move || (lease.worker(deadline), lease)).await;
        let lost = || terms.failed(io::ErrorKind::WouldBlock.into());
        let (found, own) = taken.ok_or_else(lost)?;
        idle = Some(worker(&terms, found)?);
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

fn worker(terms: &Terms<'_>, worker: io::Result<Option<Worker>>) -> Result<Worker, Error> {
    worker.map_err(|error| terms.failed(error))?.ok_or_else(|| terms.too_late())
}

fn packed(terms: &Terms<'_>, parcel: Parcel) -> Result<Packed, Error> {
    if image::is_privileged() {
        return Err(terms.failed(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a program that runs with other rights than its caller's (set-uid) starts no copy of \
             itself: use the start method `fork` there",
        )));
    }
    if !worker::is_ready() {
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

/// What is left of a worker while its watch is with the call.
#[derive(Debug)]
pub(crate) struct Rest {
    requests: Requests,
    mark: Option<Mark>,
    calls: u64,
    cpu_time: Duration,
    _printed: Option<pipe::Writer>,
}

impl Worker {
    fn pending(self, report: Report, lease: Lease) -> Pending {
        let (watch, rest) = self.parted();
        Pending::leased(report, Receiver::new(watch), lease.with(rest))
    }

    fn parted(self) -> (Watch, Rest) {
        let Self { watch, requests, mark, calls, cpu_time, printed } = self;
        (watch, Rest { requests, mark, calls, cpu_time, _printed: printed })
    }
}

impl Rest {
    /// After a call that left nothing.
    pub(crate) fn back(self, watch: Watch, idle: Idle) -> Worker {
        let Self { requests, mark, calls, .. } = self;
        let mark = mark.filter(|_| !idle.has_moved);
        let cpu_time = Duration::from_micros(idle.cpu_time);
        Worker { watch, requests, mark, calls, cpu_time, printed: None }
    }

    /// What was used before the call.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.cpu_time
    }
}
