//! The same watch, for a task: what the child sends is gathered while the executor's thread is free
//! for others, and read when it is whole.
//!
//! What takes time (to ask a hung body where it is, to walk its descendants) is done on a thread for
//! blocking work, one step at a time: between two steps nobody waits but the runtime's driver.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep_until};

use super::apart::spare;
use super::escalation::Stage;
use super::turn::turn;
use super::{Asked, Ended, Watch, apart};
use crate::frame::{End, HEADER, Receiver, Record, Scanner, Tag};
use crate::limit::Deadline;
use crate::sys::pipe;
use crate::sys::platform::{make_room, wanted};
use crate::sys::readiness::readiness;

/// A watch whose child is waited for by a task.
///
/// Dropped before the end, it leaves the child to threads for blocking work, which stop it and reap
/// it; without a runtime around, that is done on the spot.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// Elsewhere while a thread works at it.
    watch: Option<Watch>,
    scanner: Scanner,
    /// Descriptors of their own, so that none is closed while the runtime knows it.
    pipe: Option<AsyncFd<OwnedFd>>,
    end: Option<AsyncFd<OwnedFd>>,
    printed: Option<AsyncFd<OwnedFd>>,
}

/// How often to look for the end of a child of which nothing tells.
const LOOK: Duration = Duration::from_millis(5);

/// As much is read at once, at first: memory that was touched since the last fork costs nothing, and
/// other memory is copied a page at a time.
const CHUNK: usize = 4 << 10;

/// As much, when more comes: what a pipe holds.
const MOST: usize = 64 << 10;

impl Gathering {
    /// # Errors
    ///
    /// Without descriptors, or memory for them in the kernel; the child is gone then.
    pub(crate) async fn new(mut watch: Watch) -> io::Result<Self> {
        // Nobody waits awake for it.
        watch.asked = Asked::No;
        let mut gathering = Self {
            watch: Some(watch),
            scanner: Scanner::default(),
            pipe: None,
            end: None,
            printed: None,
        };
        match gathering.register() {
            Ok(()) => Ok(gathering),
            Err(error) => gathering.give_up(error).await,
        }
    }

    fn register(&mut self) -> io::Result<()> {
        if let Some(watch) = &self.watch {
            if let Some(wanted) = wanted(&watch.pipe) {
                spare(move || make_room(wanted));
            }
            self.pipe = Some(readiness(&watch.pipe)?);
            self.end = watch.process.end().map(readiness).transpose()?;
            self.printed = watch.echo.as_ref().map(readiness).transpose()?;
        }
        Ok(())
    }

    /// Ends the child, which cannot be waited for in the way it should be.
    async fn give_up<T>(mut self, why: io::Error) -> io::Result<T> {
        self.do_apart(Watch::kill).await;
        self.finish().await;
        Err(why)
    }

    /// From now on prints what comes out of this pipe.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) async fn echo(mut self, printed: pipe::Reader) -> io::Result<Self> {
        match self.register_printed(printed) {
            Ok(()) => Ok(self),
            Err(error) => self.give_up(error).await,
        }
    }

    fn register_printed(&mut self, printed: pipe::Reader) -> io::Result<()> {
        self.printed = Some(readiness(&printed)?);
        if let Some(watch) = &mut self.watch {
            watch.echo(printed);
        }
        Ok(())
    }

    /// Waits for the first record. That the child is ready is taken from what was gathered; all else
    /// is left for whoever reads it.
    pub(crate) async fn first(&mut self) -> Option<End> {
        while !self.scanner.has_first() && self.goes_on() {
            self.step().await;
        }
        if !self.goes_on() {
            self.read_the_rest();
        }
        let gathered = &mut self.watch.as_mut()?.gathered;
        let first = Receiver::new(gathered.get_ref().as_slice()).first();
        if let Some(End::Record(Record { tag: Tag::Ready, payload })) = &first {
            gathered.set_position((HEADER + payload.len()) as u64);
        }
        first
    }

    /// Waits for the end. What the watch then does needs no waiting.
    pub(crate) async fn finish(mut self) -> Option<Watch> {
        while self.goes_on() {
            self.step().await;
        }
        if self.scanner.rests() {
            return self.watch.take();
        }
        turn().await;
        self.read_the_rest();
        let watch = self.watch.as_mut()?;
        if matches!(watch.stage, Stage::Running { .. }) {
            watch.reap();
        }
        // Of one that was looked at in `/proc` the kernel has more to forget: milliseconds.
        if watch.reaped.is_none() || watch.ended && watch.process.is_outlived() {
            self.do_apart(|watch| {
                watch.reap_all();
            })
            .await;
        }
        self.watch.take()
    }

    /// As [`finish`](Self::finish), where no value is expected.
    pub(crate) async fn ended(self) -> Option<Ended> {
        Some(self.finish().await?.finish())
    }

    /// What it wrote before its end: the order is wait, then read.
    fn read_the_rest(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        while matches!(watch.read_ahead(&mut self.scanner), Ok(1..)) {}
    }

    fn goes_on(&self) -> bool {
        let is_under_way = |watch: &Watch| !watch.ended && !watch.is_stuck();
        !self.scanner.rests() && self.watch.as_ref().is_some_and(is_under_way)
    }

    async fn step(&mut self) {
        let until = self.watch.as_ref().map_or(Deadline::NEVER, Watch::next_step);
        let is_ready = self.ready(until).await;
        turn().await;
        self.read_pipe();
        self.pass_on();
        let Some(watch) = &mut self.watch else { return };
        if self.end.is_none() {
            watch.look();
        }
        if watch.ended {
            return;
        }
        if self.scanner.is_broken() && !matches!(watch.stage, Stage::Killed { .. }) {
            self.do_apart(Watch::kill).await;
        } else if until.has_passed() {
            self.do_apart(|watch| {
                watch.is_pending();
            })
            .await;
        } else if !is_ready && self.end.is_some() {
            // The runtime's clock is not the real one, as in a test with a paused clock.
            self.do_apart(|watch| watch.wait_for(LOOK)).await;
        }
    }

    /// Waits until there is something to be done; whether it is more than that time has passed.
    async fn ready(&mut self, until: Deadline) -> bool {
        let look = self.end.is_none().then(|| Deadline::after(Instant::now(), Some(LOOK)));
        let timer = look.map_or(until, |look| look.min(until)).instant();
        let mut timer = pin!(timer.map(|instant| sleep_until(instant.into())));
        poll_fn(|context| {
            // Each of them, so that each wakes this task.
            let pipe = self.poll_pipe(context).is_ready();
            let printed = self.poll_printed(context).is_ready();
            if self.poll_end(context).is_ready() || pipe || printed {
                return Poll::Ready(true);
            }
            poll_timer(timer.as_mut(), context).map(|()| false)
        })
        .await
    }

    fn poll_pipe(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.scanner.is_broken() {
            Poll::Pending
        } else {
            poll_readable(&mut self.pipe, context)
        }
    }

    fn poll_printed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        poll_readable(&mut self.printed, context)
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (Some(end), Some(watch)) = (&self.end, &mut self.watch) else { return Poll::Pending };
        let Poll::Ready(readiness) = end.poll_read_ready(context) else { return Poll::Pending };
        match readiness {
            Ok(_readiness) => watch.ended = true,
            // The runtime is shutting down.
            Err(_) => self.end = None,
        }
        Poll::Ready(())
    }

    /// Reads once what there is to be read.
    fn read_pipe(&mut self) {
        let (Some(pipe), Some(watch)) = (&self.pipe, &mut self.watch) else { return };
        if self.scanner.is_broken() {
            return;
        }
        match pipe.try_io(Interest::READABLE, |_| watch.read_ahead(&mut self.scanner)) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => self.pipe = None,
        }
    }

    fn pass_on(&mut self) {
        let (Some(printed), Some(watch)) = (&self.printed, &mut self.watch) else { return };
        let has_more = printed.try_io(Interest::READABLE, |_| {
            if watch.pass_on() { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
        });
        if has_more.is_err() && watch.echo.is_none() {
            self.printed = None;
        }
    }

    /// Does what may take time where that holds nobody up.
    async fn do_apart(&mut self, work: impl FnOnce(&mut Watch) + Send + 'static) {
        if let Some(watch) = self.watch.take() {
            self.watch = apart::work(watch, work).await;
        }
    }
}

/// A pipe of which nothing is told any more, for the runtime is shutting down, is there no longer.
fn poll_readable(pipe: &mut Option<AsyncFd<OwnedFd>>, context: &mut Context<'_>) -> Poll<()> {
    let Some(open) = pipe else { return Poll::Pending };
    let Poll::Ready(readiness) = open.poll_read_ready(context) else { return Poll::Pending };
    if readiness.is_err() {
        *pipe = None;
    }
    Poll::Ready(())
}

fn poll_timer(timer: Pin<&mut Option<Sleep>>, context: &mut Context<'_>) -> Poll<()> {
    timer.as_pin_mut().map_or(Poll::Pending, |timer| timer.poll(context))
}

impl Watch {
    /// Reads what is there, for later.
    fn read_ahead(&mut self, scanner: &mut Scanner) -> io::Result<usize> {
        let mut bytes = std::mem::take(self.gathered.get_mut());
        let begun = bytes.len();
        bytes.resize(begun + begun.clamp(CHUNK, MOST), 0);
        let read = self.read_pipe(&mut bytes[begun..]);
        bytes.truncate(begun + *read.as_ref().unwrap_or(&0));
        scanner.follow(&bytes[begun..]);
        *self.gathered.get_mut() = bytes;
        read
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            apart::leave(watch);
        }
    }
}
