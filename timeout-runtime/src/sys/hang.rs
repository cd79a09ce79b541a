//! Where a body hangs: the caller asks at the deadline, the threads of the child answer from a signal
//! handler.
//!
//! The signal is SIGURG, which a process that does not handle it ignores, so that asking harms no
//! program that the body has become by `exec`. It is sent to the process, which the caller has a handle
//! on; who gets it passes it on to the threads that the caller has listed.
//!
//! # Safety
//!
//! The handler touches the shared pages, and what `stack` says may be used in one. It returns at once
//! where nobody has asked.
#![expect(unsafe_code, reason = "see the heading")]

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::process::Process;
use super::slate::{
    self, LISTENING, MOST_THREADS, NOT_BEGUN, Note, Page, Slate, THE_CALLER, THE_CHILD,
    WHO_IS_FIRST,
};
use super::threads::this_thread;
use super::{crash, platform};
use crate::error::{Hang, Untraced};
use crate::limit::Deadline;
use crate::trace::{Stack, Stacks};

/// So long the caller waits for answers.
const PATIENCE: Duration = Duration::from_millis(100);

/// After so long it looks why there is none.
const LOOK: Duration = Duration::from_millis(5);

impl Slate {
    /// In a fresh child, whose body that thread will run: from now on its threads answer, and crashes
    /// are told.
    #[inline]
    pub(crate) fn listen(self, body: u64) {
        self.begin_to_listen(body);
    }

    #[inline]
    fn begin_to_listen(self, body: u64) -> &'static Page {
        let page = self.adopt();
        BODY.store(body, Ordering::Relaxed);
        let flags = libc::SA_SIGINFO | libc::SA_RESTART;
        platform::handle(libc::SIGURG, reply as *const () as usize, flags);
        crash::watch(page);
        page
    }

    /// The same in a process that was started afresh, of which it is not known before.
    #[cfg(feature = "pool")]
    pub(crate) fn listen_afresh(self, body: u64) {
        self.begin_to_listen(body).state.store(LISTENING, Ordering::Release);
    }

    /// In the caller: the stacks of the child, the body's first, or why there are none.
    ///
    /// What it was doing a moment ago spares a look at whether it can answer. Threads that have begun since
    /// these were listed are not asked.
    pub(crate) fn stacks_of(
        slate: Option<&Self>,
        process: &mut Process,
        hang: Option<&Hang>,
        threads: Vec<i32>,
    ) -> Stacks {
        slate.ok_or_else(Self::why_none).and_then(|slate| slate.ask(process, hang, threads))
    }

    fn ask(&self, process: &mut Process, hang: Option<&Hang>, threads: Vec<i32>) -> Stacks {
        let page = self.page();
        let state = || page.state.load(Ordering::Acquire);
        if state() != LISTENING {
            return Err(Untraced::NotBegun);
        }
        if hang.map_or_else(|| process.is_stopped(), |hang| *hang == Hang::Stopped) {
            return Err(Untraced::Stopped);
        }
        let threads = list(page, process, threads);
        process.signal(Signal::SIGURG);
        let notes = page.notes.iter().zip(&threads);
        let mut silences = vec![Silence::default(); threads.len()];
        let begun = Instant::now();
        let until = Deadline::after(begun, Some(PATIENCE));
        // It is woken by who answers; this is for one that has ended instead.
        let mut step = Duration::from_millis(1);
        let mut looks = LOOK;
        loop {
            let is_open = |((note, _), silence): ((&Note, &i32), &Silence)| {
                !note.is_written() && !silence.is_certain()
            };
            let said = page.said.load(Ordering::Acquire);
            let is_done = state() == NOT_BEGUN || !notes.clone().zip(&silences).any(is_open);
            let now = Deadline::after(Instant::now(), Some(Duration::ZERO));
            if is_done || until.has_passed() || process.wait([None; 2], now).ended {
                break;
            }
            platform::wait_for_change(&page.said, said, step);
            step = (step * 2).min(Duration::from_millis(2));
            if begun.elapsed() >= looks {
                looks *= 2;
                for ((note, thread), silence) in notes.clone().zip(&mut silences) {
                    if !note.is_written() {
                        silence.hear(process.why_silent(*thread));
                    }
                }
            }
        }
        if state() == NOT_BEGUN {
            return Err(Untraced::NotBegun);
        }
        let stacks = notes.zip(silences).map(|((note, thread), silence)| {
            if note.is_written() {
                return note.read();
            }
            let missing = Some(silence.0.unwrap_or(Untraced::Silent));
            let name = process.name_of(*thread);
            Stack { name, missing, is_body: false, ..note.read() }
        });
        let mut stacks: Vec<Stack> = stacks.collect();
        stacks[0].is_body = true;
        if stacks.iter().all(|stack| stack.addresses.is_empty()) {
            return Err(stacks[0].missing.unwrap_or(Untraced::Silent));
        }
        Ok(stacks)
    }

    /// In the caller: how many threads of the child it keeps from going on. The first is one that only
    /// waits, where the body has another.
    pub(crate) fn held(&self) -> usize {
        let page = self.page();
        let asked = page.asked.load(Ordering::Acquire).min(MOST_THREADS);
        let answered = page.notes[..asked].iter().filter(|note| note.is_written()).count();
        answered + usize::from(page.body.load(Ordering::Acquire) != 0)
    }

    /// In the caller, before it asks: who has answered may send itself the SIGTERM that follows, if it is
    /// alone. It would wait for the caller to wake up and send it.
    pub(crate) fn leave_sigterm_to_the_child(&self) {
        self.page().sends.store(WHO_IS_FIRST, Ordering::Release);
    }

    /// In the caller: whether the child has not done so. Then it will not.
    pub(crate) fn takes_sigterm_back(&self) -> bool {
        let before = first_is(self.page(), THE_CALLER);
        before != Err(THE_CHILD)
    }

    /// In the caller, once it has sent what ends the child: the threads may go on.
    ///
    /// Before that they must not: a call that the question interrupted, such as C's `sleep`, would
    /// return early, and the body after it.
    pub(crate) fn release(&self) {
        self.page().is_released.store(true, Ordering::Release);
    }
}

/// Writes down who is asked: the body's thread, then the others.
fn list(page: &Page, process: &Process, all: Vec<i32>) -> Vec<i32> {
    let first = i32::try_from(process.id()).unwrap_or_default();
    // Where the body has a thread of its own, the first one is the library's, and waits for ever.
    let body = match page.body.load(Ordering::Relaxed) {
        0 => first,
        body => body,
    };
    let mut threads = vec![body];
    let others = all.into_iter().filter(|thread| ![body, first].contains(thread));
    threads.extend(others.take(MOST_THREADS - 1));
    for (note, thread) in page.notes.iter().zip(&threads) {
        note.thread.store(*thread, Ordering::Relaxed);
    }
    page.asked.store(threads.len(), Ordering::Release);
    threads
}

/// Why a thread has not answered, as far as it was seen, and whether twice.
#[derive(Clone, Copy, Default)]
struct Silence(Option<Untraced>, bool);

impl Silence {
    /// Once may be by chance: a thread that starts another holds all signals back for an instant.
    fn hear(&mut self, why: Option<Untraced>) {
        *self = Self(why, why.is_some() && why == self.0);
    }

    fn is_certain(self) -> bool {
        self.1
    }
}

/// The thread that runs the body.
static BODY: AtomicU64 = AtomicU64::new(0);

/// In a child: the body is run by this thread, whether it is the first or not.
#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) fn answer_here() {
    BODY.store(this_thread(), Ordering::Release);
    let number = platform::thread_number();
    let is_first = number == nix::unistd::getpid().as_raw();
    if let Some(page) = slate::own().filter(|_| !is_first) {
        page.body.store(number, Ordering::Release);
    }
}

pub(super) fn is_body_thread() -> bool {
    BODY.load(Ordering::Acquire) == this_thread()
}

fn signal_body(signal: i32) {
    let body = BODY.load(Ordering::Acquire);
    // SAFETY: that thread lives as long as the process; it may be called in a handler.
    unsafe { libc::pthread_kill(body as libc::pthread_t, signal) };
}

extern "C" fn reply(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = Errno::last_raw();
    if let Some(page) = slate::own() {
        let asked = page.asked.load(Ordering::Acquire).min(MOST_THREADS);
        if asked > 0 && !page.is_released.load(Ordering::Acquire) {
            if slate::has_begun() {
                answer(page, &page.notes[..asked], context);
            } else {
                page.state.store(NOT_BEGUN, Ordering::Release);
                tell(page);
            }
            wait_for_release(page);
        }
    }
    Errno::set_raw(errno);
}

fn answer(page: &Page, notes: &[Note], context: *const libc::c_void) {
    let (is_body, own) = (is_body_thread(), platform::thread_number());
    if !page.is_passed_on.swap(true, Ordering::AcqRel) {
        if !is_body {
            signal_body(libc::SIGURG);
        }
        let others = notes[1..].iter().map(|note| note.thread.load(Ordering::Relaxed));
        others.filter(|thread| *thread != own).for_each(|thread| {
            platform::signal_own_thread(thread, libc::SIGURG);
        });
    }
    let is_own = |note: &&Note| note.thread.load(Ordering::Relaxed) == own;
    let note = if is_body { notes.first() } else { notes[1..].iter().find(is_own) };
    if let Some(note) = note.filter(|note| !note.is_written()) {
        note.write(is_body, platform::interrupted(context));
        // There is no other thread to be asked, nor one that could start a process now.
        let is_alone = notes.len() == 1 && platform::has_nobody_below();
        let sends = is_alone && first_is(page, THE_CHILD).is_ok();
        tell(page);
        if sends {
            platform::signal_own_process(libc::SIGTERM);
        }
    }
}

/// If it is left to who is the first, that is this one; else, who it is.
fn first_is(page: &Page, who: u32) -> Result<u32, u32> {
    page.sends.compare_exchange(WHO_IS_FIRST, who, Ordering::AcqRel, Ordering::Acquire)
}

/// Wakes who waits for an answer.
fn tell(page: &Page) {
    page.said.fetch_add(1, Ordering::AcqRel);
    platform::wake(&page.said);
}

/// In the handler, where SIGTERM ends the process or runs the body's own handler on top. Not for
/// ever: the caller may have been killed.
fn wait_for_release(page: &Page) {
    let step = libc::timespec { tv_sec: 0, tv_nsec: 200_000 };
    for _ in 0..5_000 {
        if page.is_released.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: the step lives through the call; it may be called in a handler.
        unsafe { libc::nanosleep(&raw const step, ptr::null_mut()) };
    }
}

#[cfg(all(test, feature = "backtrace", target_os = "linux"))]
mod tests {
    use std::thread::yield_now;

    use super::*;
    use crate::Timeout;
    use crate::current::Current;
    use crate::limit::Limit;
    use crate::report::Report;
    use crate::sys::fork::{Side, fork};
    #[cfg(not(timeout_portable))]
    use crate::sys::process::Status;

    fn is_pending(signal: i32) -> bool {
        // SAFETY: zero is an empty set, which lives through the calls.
        unsafe {
            let mut pending: libc::sigset_t = std::mem::zeroed();
            libc::sigpending(&raw mut pending);
            libc::sigismember(&raw const pending, signal) == 1
        }
    }

    /// What a child says that is asked before it runs a body: once it listens, or before.
    fn answer_of_one_without_a_body(is_early: bool) -> Result<(), Untraced> {
        let mut slate = Slate::new();
        let prepare = || {
            while is_early && !is_pending(libc::SIGURG) {
                yield_now();
            }
            Current::coming(Deadline::NEVER, Report::new("", Limit::never())).begin(-1);
            slate.take().unwrap().listen(this_thread());
        };
        let Side::Caller(mut process) = fork(prepare).unwrap() else {
            loop {
                std::thread::park();
            }
        };
        let stacks = Slate::stacks_of(slate.as_ref(), &mut process, None, Vec::new());
        process.kill();
        process.reap();
        stacks.map(drop)
    }

    /// A note that is nobody's: there it says that it is so far.
    #[cfg(not(timeout_portable))]
    const LAST: usize = MOST_THREADS - 1;

    /// A child that is in its body, which has started so many processes, and its slate.
    #[cfg(not(timeout_portable))]
    fn child_in_its_body(processes: usize) -> (Slate, Process) {
        let mut slate = Slate::new();
        let prepare = || {
            Current::coming(Deadline::NEVER, Report::new("", Limit::never())).begin(-1);
            slate.take().unwrap().listen(this_thread());
        };
        match fork(prepare).unwrap() {
            Side::Caller(process) => {
                let slate = slate.unwrap();
                while slate.page().notes[LAST].thread.load(Ordering::Acquire) == 0 {
                    yield_now();
                }
                (slate, process)
            }
            Side::Child => slate::bounded(&mut || {
                let sleep = || std::process::Command::new("sleep").arg("600").spawn().unwrap();
                let _started: Vec<_> = (0..processes).map(|_| sleep()).collect();
                slate::own().unwrap().notes[LAST].thread.store(1, Ordering::Release);
                loop {
                    std::thread::park();
                }
            }),
        }
    }

    #[cfg(not(timeout_portable))]
    fn asks(slate: &Slate, process: &mut Process) -> bool {
        Slate::stacks_of(Some(slate), process, None, Vec::new()).is_ok()
    }

    #[cfg(not(timeout_portable))]
    #[test]
    fn who_is_alone_sends_itself_the_sigterm_if_it_may() {
        let answers = Timeout::new(60).run(|| {
            let asked = |processes: usize, is_left: bool| {
                let (slate, mut process) = child_in_its_body(processes);
                if is_left {
                    slate.leave_sigterm_to_the_child();
                }
                assert!(asks(&slate, &mut process));
                let is_callers = slate.takes_sigterm_back();
                if is_callers {
                    process.kill();
                }
                while !process.wait([None; 2], Deadline::NEVER).ended {}
                (is_callers, process.reap().0)
            };
            let signaled = |signal| Some(Status::Signaled { signal, core_dumped: false });
            let (sigterm, sigkill) = (signaled(libc::SIGTERM), signaled(libc::SIGKILL));
            [
                asked(0, true) == (false, sigterm),
                asked(1, true) == (true, sigkill),
                asked(0, false) == (true, sigkill),
            ]
        });
        assert_eq!(answers.unwrap(), [true; 3]);
    }

    #[test]
    fn a_child_that_is_asked_before_the_body_says_so_however_early() {
        // In a process of one thread: the child of a fork has no other.
        let answers = Timeout::new(60).run(|| {
            [false, true]
                .map(|is_early| answer_of_one_without_a_body(is_early) == Err(Untraced::NotBegun))
        });
        assert_eq!(answers.unwrap(), [true, true]);
    }
}
