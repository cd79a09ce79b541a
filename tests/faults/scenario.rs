//! The calls that are made while something fails, each in a process of its own.

use std::io::{Write, stdout};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, waitpid};
use serde::Serialize;
use serde::de::DeserializeOwned;
use timeout_runtime::error::StoppedBy;
use timeout_runtime::{Error, ErrorKind, Timeout};

use super::allowed;
use super::plan::{Call, Page, Plan, Refused, armed, page};
use super::support::{LONG, Traces};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Small,
    Large,
    /// Times out; SIGTERM ends it.
    Hangs,
    /// Times out; the grace is zero.
    HangsWithoutGrace,
    Crashes,
    Aborts,
    Panics,
    /// A `Call` that is joined; cancelled and joined; dropped.
    Joined,
    Cancelled,
    Dropped,
    /// Another thread holds stdout for a while.
    Contended,
}

/// A body, and the caller it is called by.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub body: Body,
    /// The caller has more than one thread: it does not know whether its streams are free.
    pub threads: bool,
    /// The thread has called before: it knows that it is not captured.
    pub later: bool,
    pub refused: Option<Refused>,
}

/// Every body, by three callers; but what a caller has no part in is not done thrice.
pub fn all() -> Vec<Scenario> {
    use Body::{
        Aborts, Cancelled, Contended, Crashes, Dropped, Hangs, HangsWithoutGrace, Joined, Large,
        Panics, Small,
    };
    let by =
        |threads, later| move |body: &Body| Scenario { body: *body, threads, later, refused: None };
    let first = [Small, Large, Crashes, Hangs, Dropped];
    let all = [Small, Large, Crashes, Panics, Hangs, HangsWithoutGrace, Joined, Cancelled, Dropped];
    let first = first.iter().map(by(false, false)).chain(all.iter().map(by(true, false)));
    let later = all.iter().chain(&[Aborts]).map(by(false, true));
    let without = |call, errno| {
        move |body: &Body| Scenario { refused: Some((call, errno)), ..by(false, true)(body) }
    };
    // Before Linux 6.9; and what ends a child of which there is no handle.
    let old = [Crashes, Hangs, HangsWithoutGrace];
    let old = old.iter().map(without(Call::PidfdSignalGroup, libc::EINVAL));
    let no_handle = [Small].iter().map(without(Call::PidfdOpen, libc::EMFILE));
    let contended = [Contended].iter().map(by(true, true));
    first.chain(later).chain(old).chain(no_handle).chain(contended).collect()
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Value,
    Start(i32),
    Sigterm,
    Sigkill,
    /// The time ran out before the body began.
    Late,
    Signal(i32),
    Exited(i32),
    Panicked,
    Cancelled,
    Dropped,
    Encode,
    Decode,
    Wrong(String),
}

impl Scenario {
    /// How it ends without a fault.
    pub fn end(self) -> Outcome {
        match self.body {
            _ if matches!(self.refused, Some((Call::PidfdOpen, _))) => Outcome::Start(libc::EMFILE),
            Body::Small | Body::Large | Body::Joined | Body::Contended => Outcome::Value,
            Body::Hangs => Outcome::Sigterm,
            Body::HangsWithoutGrace => Outcome::Sigkill,
            Body::Crashes => Outcome::Signal(libc::SIGSEGV),
            Body::Aborts => Outcome::Signal(libc::SIGABRT),
            Body::Panics => Outcome::Panicked,
            Body::Cancelled => Outcome::Cancelled,
            Body::Dropped => Outcome::Dropped,
        }
    }
}

const LIMIT: Duration = Duration::from_millis(50);
pub const GRACE: Duration = Duration::from_secs(1);
/// What a call may take beyond its limit and grace.
const BOUND: Duration = Duration::from_secs(20);

/// In the process of the scenario: runs it, and says on the page what was not as it must be.
pub fn run(scenario: Scenario, plan: Option<Plan>, page: &'static Page) -> String {
    // Not by a call that could be made to fail.
    // SAFETY: the default action of SIGALRM ends this process; the driver sees it.
    unsafe { libc::alarm(30) };
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
    // A mask that is not empty is put back too.
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR2);
    blocked.thread_block().unwrap();
    let printed = print_to_memory();
    page.adopt(scenario.refused, plan);
    let parked = scenario.threads.then(|| thread::spawn(thread::park));
    let before_all = Timeout::new(LONG);
    if scenario.later {
        before_all.run(|| ()).unwrap();
    }
    print!("begun ");
    let traces = Traces::now();
    let start = Instant::now();
    let outcome = call(scenario.body);
    let elapsed = start.elapsed();
    let mut wrong = Vec::new();
    if elapsed > BOUND {
        wrong.push(format!("it took {elapsed:?}"));
    }
    let left = waitpid(None, Some(WaitPidFlag::WNOHANG));
    if left != Err(Errno::ECHILD) {
        wrong.push(format!("a child is left: {left:?}"));
        thread::sleep(Duration::from_millis(50));
        while let Ok(
            nix::sys::wait::WaitStatus::Exited(..) | nix::sys::wait::WaitStatus::Signaled(..),
        ) = waitpid(None, Some(WaitPidFlag::WNOHANG))
        {}
    }
    // A thread that was joined may take another moment to leave the process's list.
    let mut now = Traces::now();
    while traces != now && start.elapsed() < elapsed + Duration::from_secs(2) {
        thread::sleep(Duration::from_millis(1));
        now = Traces::now();
    }
    if traces != now {
        wrong.push(format!("was {traces:?}, is {now:?}"));
    }
    match Timeout::new(LONG).run(|| 7u8) {
        Ok(7) => {}
        next => wrong.push(format!("the next call gave {next:?}")),
    }
    stdout().flush().unwrap();
    let printed = fs::read_to_string(format!("/proc/self/fd/{}", printed.as_raw_fd())).unwrap();
    let said = printed.matches("said\n").count();
    if printed.matches("begun ").count() != 1
        || said > 1
        || (outcome == Outcome::Value && said == 0)
    {
        wrong.push(format!("printed {printed:?}"));
    }
    if matches!(outcome, Outcome::Start(_) | Outcome::Late) && page.body_ran.load(Ordering::Relaxed)
    {
        wrong.push(format!("{outcome:?}, but the body ran"));
    }
    if let Some(parked) = parked {
        parked.thread().unpark();
        parked.join().unwrap();
    }
    let is_allowed = match plan {
        Some(plan) if page.hits() > 0 => allowed::is_allowed(scenario, plan, &outcome),
        _ => allowed::is_expected(scenario, &outcome),
    };
    if !is_allowed {
        wrong.push("not allowed".to_owned());
    }
    if wrong.is_empty() {
        format!("{outcome:?}")
    } else {
        format!("WRONG: {outcome:?}: {}", wrong.join("; "))
    }
}

/// What this process and its children print from now on.
fn print_to_memory() -> OwnedFd {
    let memory = memfd_create(c"printed", MFdFlags::MFD_CLOEXEC).unwrap();
    nix::unistd::dup2_stdout(&memory).unwrap();
    nix::unistd::dup2_stderr(&memory).unwrap();
    memory
}

fn call(body: Body) -> Outcome {
    let long = Timeout::new(LONG).grace(GRACE);
    match body {
        Body::Small => judged(|| long.run(number), &NUMBER),
        Body::Large => {
            let large = "large".repeat(40 << 10);
            judged(|| long.run(|| noted(|| large.clone())), &large)
        }
        Body::Hangs => judged(|| Timeout::new(LIMIT).grace(GRACE).run(hang), &()),
        Body::HangsWithoutGrace => judged(|| Timeout::new(LIMIT).grace(0).run(hang), &()),
        Body::Crashes => judged(|| long.run(crash), &0),
        Body::Aborts => judged(|| long.run(abort), &()),
        Body::Panics => judged(|| long.run(panic), &()),
        Body::Joined => judged(|| long.start(number)?.join(), &NUMBER),
        Body::Cancelled => {
            let cancelled = || {
                let mut call = long.start(hang)?;
                call.cancel();
                call.join()
            };
            judged(cancelled, &())
        }
        Body::Dropped => match armed(true, || long.start(hang).map(drop)) {
            Ok(()) => Outcome::Dropped,
            Err(error) => outcome(error),
        },
        Body::Contended => {
            let held = Arc::new(Barrier::new(2));
            let holder = thread::spawn({
                let held = Arc::clone(&held);
                move || {
                    let _stdout = stdout().lock();
                    held.wait();
                    thread::sleep(Duration::from_millis(20));
                }
            });
            held.wait();
            let outcome = judged(|| long.run(number), &NUMBER);
            holder.join().unwrap();
            outcome
        }
    }
}

fn judged<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    call: impl FnOnce() -> Result<T, Error>,
    expected: &T,
) -> Outcome {
    match armed(true, call) {
        Ok(value) if value == *expected => Outcome::Value,
        Ok(_) => Outcome::Wrong("a wrong value".to_owned()),
        Err(error) => outcome(error),
    }
}

fn outcome(error: Error) -> Outcome {
    // Its text can be made.
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Start(error) => Outcome::Start(error.raw_os_error().unwrap_or_default()),
        ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm } => Outcome::Sigterm,
        ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill } => Outcome::Sigkill,
        ErrorKind::TimedOut { .. } => Outcome::Late,
        ErrorKind::Signaled { signal, .. } => Outcome::Signal(*signal),
        ErrorKind::Exited(code) => Outcome::Exited(*code),
        ErrorKind::Panicked { message, location: Some(_) } if message == "as told" => {
            Outcome::Panicked
        }
        ErrorKind::Cancelled => Outcome::Cancelled,
        ErrorKind::Encode(_) => Outcome::Encode,
        ErrorKind::Decode(_) => Outcome::Decode,
        _ => Outcome::Wrong(text),
    }
}

// The bodies. What they call themselves is their own affair.

const NUMBER: u64 = 0x0102_0304_0506_0708;

fn noted<T>(body: impl FnOnce() -> T) -> T {
    armed(false, || {
        page().unwrap().body_ran.store(true, Ordering::Relaxed);
        println!("said");
    });
    body()
}

fn number() -> u64 {
    noted(|| NUMBER)
}

fn hang() {
    noted(|| ());
    loop {
        // SAFETY: it waits for a signal.
        unsafe { libc::pause() };
    }
}

fn crash() -> u8 {
    noted(|| ());
    // SAFETY: none; that is what it is for.
    unsafe { std::hint::black_box(std::ptr::null::<u8>()).read_volatile() }
}

fn abort() {
    noted(|| ());
    std::process::abort();
}

fn panic() {
    noted(|| ());
    panic!("as told");
}
