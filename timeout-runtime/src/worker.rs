//! This program started afresh, to run bodies: in place of `main`.

mod fuse;
pub(crate) mod nursery;

use std::convert::Infallible;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use nix::unistd::{Pid, getppid};

use self::fuse::Fuse;
use crate::child::served::State;
use crate::child::{Child, Sink};
use crate::current::Current;
use crate::frame::{End, Receiver, Record, Tag};
use crate::limit::{Deadline, Limit};
use crate::remote::{Arguments, Request, Thunk};
use crate::report::Report;
use crate::sys::hang;
use crate::sys::hatch::Hatch;
use crate::sys::output::capture::Diverted;
use crate::sys::pipe::Inbox;
use crate::sys::privilege::is_privileged;
use crate::sys::slate::Slate;
use crate::sys::spin::{Company, Spin};
use crate::sys::threads::this_thread;
use crate::sys::{self, exit, image, pipe};
use crate::{panic, start};

/// The variable that tells such a process from any other. It is gone before a body runs.
pub(crate) const TRIGGER: &str = "TIMEOUT_RUNTIME_CHILD";

/// The program was linked so that this module comes before `main`.
static IS_READY: AtomicBool = AtomicBool::new(false);

ctor::declarative::ctor! {
    // The word is this macro's, for what runs before the language's runtime does: `enter` needs nothing
    // of that, and starts a thread for whatever may.
    #[ctor(unsafe)]
    fn before_main() {
        IS_READY.store(true, Ordering::Relaxed);
        // While there is one thread: the loader's lock, which this takes, would else be held in a child
        // that another thread forks meanwhile, and a body that formats a trace waits for it.
        image::base();
        enter();
    }
}

/// Whether a process of this program that is started afresh comes here, and not to its `main`.
pub(crate) fn is_ready() -> bool {
    IS_READY.load(Ordering::Relaxed)
}

/// What such a process is told by the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inherited {
    pub(crate) caller: u32,
    pub(crate) requests: i32,
    pub(crate) results: i32,
    /// Of the first, and of the caller's end of the second, by the caller's numbers.
    pub(crate) there: [i32; 2],
    pub(crate) hatch: i32,
    pub(crate) slate: i32,
    /// Whether it has descriptors of the caller's that are not for it.
    pub(crate) has_others: bool,
}

impl Inherited {
    pub(crate) fn to_text(self) -> String {
        let Self { caller, requests, results, there: [here, reader], hatch, slate, has_others } =
            self;
        format!("{caller} {requests} {results} {here} {reader} {hatch} {slate} {has_others}")
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let inherited = Self {
            caller: words.next()?.parse().ok()?,
            requests: words.next()?.parse().ok()?,
            results: words.next()?.parse().ok()?,
            there: [words.next()?.parse().ok()?, words.next()?.parse().ok()?],
            hatch: words.next()?.parse().ok()?,
            slate: words.next()?.parse().ok()?,
            has_others: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(inherited)
    }
}

/// Returns to `main` in a process that is none of these.
fn enter() {
    if is_privileged() {
        // Whoever set the variable has less rights than this process: nothing is done for them.
        return if std::env::var_os(TRIGGER).is_some() {
            exit::now(PRIVILEGED)
        };
    }
    let trigger = sys::surroundings::take_variable(TRIGGER);
    let Some(text) = trigger else { return };
    let Some(inherited) = Inherited::from_text(&text) else { return nursery::enter(&text) };
    let Inherited { requests, results, hatch, slate, .. } = inherited;
    if inherited.has_others {
        pipe::close_inherited(&[requests, results, hatch, slate]);
    }
    join_caller(inherited.caller);
    match first_thread().spawn(move || -> Infallible { serve_all(inherited) }) {
        Ok(body) => {
            sys::signal::leave_to_the_body();
            drop(body.join());
        }
        Err(why) => {
            if let Ok(results) = results_of(inherited) {
                Child::fresh(results).refuse(&why);
            }
        }
    }
    exit::now(FAILED)
}

/// From now on this process is one that serves that caller.
fn join_caller(caller: u32) {
    start::nursery::renounce();
    tie_to(caller);
}

/// A program's first thread has a name, which only the standard library can give it.
fn first_thread() -> thread::Builder {
    thread::Builder::new().name("main".to_owned()).stack_size(sys::threads::STACK)
}

/// A failure that is none of a body's. These codes are heard while the request is unread.
const FAILED: i32 = 125;

/// The program runs with rights that its caller does not have.
pub(crate) const PRIVILEGED: i32 = 126;

fn results_of(inherited: Inherited) -> io::Result<pipe::Writer> {
    pipe::Writer::inherited(inherited.results, (inherited.caller, inherited.there[1]))
}

fn serve_all(inherited: Inherited) -> ! {
    settle();
    serve(inherited, (Spin::default(), Company::default()))
}

/// On the thread of the body, whatever that will be.
fn settle() {
    sys::platform::tie_this_thread();
    sys::overflow::watch_this_thread();
    panic::install_hook();
    panic::wants_stack();
    image::write_for(0);
}

fn serve(inherited: Inherited, waits: (Spin, Company)) -> ! {
    let Ok(mut server) = Server::new(inherited, waits) else { exit::now(FAILED) };
    loop {
        server.serve_next();
    }
}

/// What one call after another is done by.
struct Server {
    inherited: Inherited,
    child: Child,
    /// Where requests come, and those that are too long.
    hatch: &'static Hatch,
    requests: Inbox,
    spin: Spin,
    company: Company,
    fuse: Fuse,
    /// Since the first call.
    state: Option<State>,
}

impl Server {
    fn new(inherited: Inherited, (spin, company): (Spin, Company)) -> io::Result<Self> {
        let results = results_of(inherited)?;
        let requests =
            Inbox::inherited(inherited.requests, (inherited.caller, inherited.there[0]))?;
        let hatch = Hatch::open(pipe::inherited(inherited.hatch)?.as_fd())?;
        // For as long as this process lives.
        let hatch: &'static Hatch = Box::leak(Box::new(hatch));
        sys::platform::remember_process();
        let child = Child::fresh(results.telling(hatch));
        Current::coming(Deadline::NEVER, Report::new("", Limit::never())).begin(child.number());
        // Without one there is no trace.
        let memory = pipe::inherited(inherited.slate).ok();
        if let Some(slate) = memory.and_then(|memory| Slate::of(memory.as_fd())) {
            slate.listen_afresh(this_thread());
            hang::answer_here();
        }
        Ok(Self {
            inherited,
            child,
            hatch,
            requests,
            spin,
            company,
            fuse: Fuse::default(),
            state: None,
        })
    }

    /// Waits for a call. When there is none for a while, what a body may have undone is made sure of again.
    fn request(&mut self) -> Option<Vec<u8>> {
        let Self { inherited, hatch, spin, company, fuse, .. } = self;
        hatch.take(spin, company, || {
            fuse.put_out();
            tie_to(inherited.caller);
        })
    }

    fn serve_next(&mut self) {
        let request = self.request();
        let (mut here, mut there);
        let stream: &mut dyn Read = if let Some(request) = &request {
            here = request.as_slice();
            &mut here
        } else {
            there = self.requests.open().unwrap_or_else(|why| self.child.refuse(&why));
            &mut there
        };
        let mut receiver = Receiver::new(stream);
        let request = match receiver.first() {
            Some(End::Record(Record { tag: Tag::Request, payload })) => {
                Request::from_bytes(&payload)
            }
            // The caller needs this process no more.
            Some(End::Missing | End::Complete) => exit::now(0),
            _ => None,
        };
        let Some(request) = request else { exit::now(FAILED) };
        if let Err(why) = prepare(&mut self.child, &request, &mut self.fuse) {
            self.child.refuse(&why);
        }
        let thunk: Thunk = image::function_at(request.thunk);
        let mut arguments = Arguments::new(receiver);
        let mut job = |sink: &mut Sink<'_>| {
            if let Some(initializer) = request.initializer {
                image::function_at::<fn()>(initializer)();
            }
            thunk(&mut arguments, sink)
        };
        let caller = self.child.caller();
        let divert = || request.printed.map(|number| Diverted::to(caller, number));
        if request.is_last {
            let _diverted = divert();
            self.child.serve_last(&request.type_name, &mut job);
        }
        let state = match &mut self.state {
            Some(state) => state.begin(request.surroundings.is_some()),
            None => match State::new() {
                Ok(new) => self.state.insert(new),
                Err(why) => self.child.refuse(&why),
            },
        };
        let diverted = divert();
        self.child.serve(&request.type_name, &mut job, state);
        drop(diverted);
    }
}

/// To the caller, who may have ended meanwhile.
fn tie_to(caller: u32) {
    let caller = Pid::from_raw(caller.try_into().unwrap_or_default());
    sys::platform::tie_to(caller);
    sys::platform::end_with_caller();
    if getppid() != caller {
        exit::now(0);
    }
}

/// Everything that is to be so before the body runs.
fn prepare(child: &mut Child, request: &Request, fuse: &mut Fuse) -> io::Result<()> {
    if image::identity()? != request.identity {
        return Err(io::Error::other("the process that was started is of another build"));
    }
    image::write_for(request.base);
    if let Some(surroundings) = &request.surroundings {
        surroundings.enter()?;
    }
    let limit = request.limit.map_or(Limit::never(), Limit::after);
    let function = interned(&request.function);
    let now = Instant::now();
    let started = now.checked_sub(request.elapsed).unwrap_or(now);
    let report = Report::begun(function, limit, started);
    Current::coming(Deadline::after(now, request.left), report).begin(child.number());
    child.hold_to(request.budget);
    fuse.relight(request.fuse);
    Ok(())
}

/// The names of functions are few.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| **known == name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.push(name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inherited_is_told_whole() {
        for has_others in [false, true] {
            let (caller, slate) = (7, -1);
            let (requests, results, there, hatch) = (10, 11, [12, 13], 14);
            let inherited =
                Inherited { caller, requests, results, there, hatch, slate, has_others };
            assert_eq!(Inherited::from_text(&inherited.to_text()), Some(inherited));
        }
        for other in [
            "",
            "1",
            "1 2 3 4 5 6 7",
            "1 2 3 4 5 6 7 8",
            "a b c d e f g true",
            "1 2 3 4 5 6 7 true ",
        ] {
            assert_eq!(Inherited::from_text(other), None, "{other:?}");
        }
    }
}
