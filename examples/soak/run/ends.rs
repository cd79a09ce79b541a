//! Every end of a call: how it is brought about, and what must come of it.

mod crash;
mod going;
mod late;
mod leave;
mod nested;
mod value;

use std::fmt::Debug;
use std::time::Duration;

use timeout_runtime::error::StoppedBy;
use timeout_runtime::{Error, ErrorKind, Timeout};

use super::board::{Board, Marker, now};
use super::random::Random;

/// One kind of call.
pub struct End {
    pub name: &'static str,
    /// For the table.
    pub expected: &'static str,
    pub call: fn(&mut Case<'_>) -> Verdict,
    /// It takes its time, and so comes up less often.
    pub is_slow: bool,
    /// For a lock that a thread of the caller held at the fork.
    pub may_wait: bool,
    pub escapes: bool,
}

/// Whether the laws were kept; if not, which one and how.
pub type Verdict = Result<Seen, String>;

pub enum Seen {
    AsExpected,
    /// And so long after limit and grace.
    Late(Duration),
    /// The body waited until its limit for a lock, as it may.
    Waited,
}

/// One call that is to be made.
pub struct Case<'a> {
    pub random: &'a mut Random,
    pub boards: [Board; 4],
    pub marker: Marker,
    /// Someone takes statuses.
    pub thief: bool,
}

pub const ALL: &[End] = &[
    quick("small value", "Ok", value::small),
    quick("text", "Ok", value::text),
    slow("large value", "Ok", value::large),
    quick("structure", "Ok", value::structure),
    quick("prints", "Ok", value::prints),
    quick("in time for run_or", "Ok", value::run_or),
    quick("&mut committed", "Ok, argument changed", value::committed),
    quick("&mut rolled back", "Panicked, argument as it was", value::rolled_back),
    quick("written Ok", "Ok", value::written_ok),
    quick("written Err", "Err as returned", value::written_err),
    quick("Err of no serde type", "Err with its chain", value::foreign_err),
    waits(slow("reads the environment", "Ok", value::environment)),
    quick("panic", "Panicked, message, place", crash::panic),
    quick("panic with a payload", "Panicked, Box<dyn Any>", crash::with_payload),
    quick("resumed panic", "Panicked, no place", crash::resumed),
    quick("exit(0)", "Exited(0)", crash::exit_zero),
    quick("exit(n)", "Exited(n)", crash::exit),
    quick("_exit(n)", "Exited(n)", crash::exit_at_once),
    waits(slow("std::process::exit", "Exited(n)", crash::std_exit)),
    quick("abort", "Signaled(SIGABRT)", crash::abort),
    quick("SIGSEGV", "Signaled(SIGSEGV)", crash::segfault),
    quick("killed from outside", "Signaled(that signal)", crash::killed),
    quick("cannot be encoded", "Encode", crash::encode),
    quick("cannot be decoded", "Decode", crash::decode),
    quick("limit of zero", "TimedOut, Nothing", late::zero),
    quick("limit negative, NaN", "InvalidLimit", late::invalid),
    slow("busy loop", "TimedOut, SIGTERM", late::busy),
    slow("sleep", "TimedOut, SIGTERM", late::sleep),
    slow("stalls in its result", "TimedOut, SIGTERM", late::stalled),
    slow("ignores SIGTERM", "TimedOut, SIGKILL after grace", late::ignores),
    slow("grace of zero", "TimedOut, SIGKILL", late::no_grace),
    slow("stopping()", "Ok, after the deadline", late::cooperates),
    slow("stopped by SIGSTOP", "TimedOut, SIGTERM", late::stopped),
    slow("late for run_or", "Ok, the other value", late::run_or),
    slow("late for on_timeout", "Ok, the other value", late::on_timeout),
    slow("late for io::Result", "Err of kind TimedOut", late::io_result),
    quick("start, join", "Ok", going::join),
    quick("start, pending, join", "Ok", going::pending),
    quick("start, cancel", "Cancelled", going::cancel),
    quick("start, drop", "gone", going::drop_it),
    quick("four at once", "Ok, in any order", going::four),
    slow("start, joined late", "TimedOut, SIGTERM", going::joined_late),
    quick("nested value", "Ok", nested::value),
    quick("nested panic", "Ok, Panicked in it", nested::panic),
    slow("nested, inner late", "Ok, TimedOut in it", nested::inner_late),
    slow("nested, outer late", "TimedOut, SIGTERM", nested::outer_late),
    quick("leaves some, returns", "Ok, nothing runs", leave::returns),
    quick("leaves some, crashes", "Signaled, nothing runs", leave::crashes),
    slow("leaves some, hangs", "TimedOut, nothing runs", leave::hangs),
    quick("daemon, returns", "Ok, nothing runs", leave::roams_and_returns),
    escapes(quick("daemon, crashes", "Signaled", leave::roams_and_crashes)),
    slow("daemon, hangs", "TimedOut, nothing runs", leave::roams_and_hangs),
];

const fn quick(
    name: &'static str,
    expected: &'static str,
    call: fn(&mut Case<'_>) -> Verdict,
) -> End {
    End { name, expected, call, is_slow: false, may_wait: false, escapes: false }
}

const fn slow(
    name: &'static str,
    expected: &'static str,
    call: fn(&mut Case<'_>) -> Verdict,
) -> End {
    End { is_slow: true, ..quick(name, expected, call) }
}

const fn waits(end: End) -> End {
    End { may_wait: true, ..end }
}

const fn escapes(end: End) -> End {
    End { escapes: true, ..end }
}

/// No body that is to end in time takes so long on any machine.
pub const LONG: Duration = Duration::from_secs(60);
/// A call may return so long after its limit and its grace.
const SLACK: Duration = Duration::from_secs(5);

impl Case<'_> {
    /// The body of the call's only child.
    pub fn body<T, W: FnOnce(Board) -> T>(&self, work: W) -> impl FnOnce() -> T + use<T, W> {
        self.body_on(0, work)
    }

    /// Of one of several.
    pub fn body_on<T, W: FnOnce(Board) -> T>(
        &self,
        board: usize,
        work: W,
    ) -> impl FnOnce() -> T + use<T, W> {
        let (board, marker) = (self.boards[board], self.marker);
        move || {
            board.enter(marker);
            work(board)
        }
    }

    /// Short, but most bodies come to their point in it.
    pub fn short(&mut self) -> Duration {
        Duration::from_micros(self.random.between(10_000, 40_000))
    }

    pub fn is_lost(&self, kind: &ErrorKind) -> bool {
        self.thief && matches!(kind, ErrorKind::Unknown)
    }

    /// An end of the body's own, long before the limit.
    pub fn fails<T: Debug>(
        &self,
        result: Result<T, Error>,
        is_expected: impl FnOnce(&ErrorKind) -> bool,
    ) -> Verdict {
        match result {
            Err(error) if is_expected(error.kind()) || self.is_lost(error.kind()) => {
                Ok(Seen::AsExpected)
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// That value and no other.
pub fn gives<T: Debug + PartialEq, E: Debug>(result: &Result<T, E>, expected: &T) -> Verdict {
    match result {
        Ok(value) if value == expected => Ok(Seen::AsExpected),
        other => Err(unexpected(other)),
    }
}

/// At most a line of it.
pub fn unexpected(what: &impl Debug) -> String {
    let text = format!("{what:?}").replace('\n', " ");
    format!("not expected: {}", text.chars().take(300).collect::<String>())
}

/// A call whose body does not end by itself.
pub struct Late {
    pub limit: Duration,
    pub grace: Duration,
    board: Board,
    began: u64,
}

impl Late {
    /// Its limit counts from here.
    pub fn new(case: &mut Case<'_>) -> Self {
        let limit = case.short();
        Self { limit, grace: Duration::from_secs(10), board: case.boards[0], began: now() }
    }

    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    pub fn timeout(&self) -> Timeout {
        Timeout::new(self.limit).grace(self.grace)
    }

    /// Whether the body was where it is sure to run out of time.
    pub fn was_ready(&self) -> bool {
        self.board.was_ready_within(self.limit, self.began)
    }

    /// The call has just returned after its deadline; it was stopped by this, if the body had begun.
    pub fn timed_out<T: Debug>(&self, result: Result<T, Error>, by: StoppedBy) -> Verdict {
        let elapsed = self.elapsed();
        match result.as_ref().map_err(Error::kind) {
            Err(ErrorKind::TimedOut { stopped_by }) if *stopped_by == by || !self.was_ready() => {
                let grace =
                    if *stopped_by == StoppedBy::Sigkill { self.grace } else { Duration::ZERO };
                self.returned(elapsed, grace)
            }
            _ => Err(unexpected(&result)),
        }
    }

    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(now() - self.began)
    }

    /// Not before limit and grace, and not long after.
    pub fn returned(&self, elapsed: Duration, grace: Duration) -> Verdict {
        match elapsed.checked_sub(self.limit + grace) {
            Some(late) if late <= SLACK => Ok(Seen::Late(late)),
            Some(late) => Err(format!("it returned {late:?} late")),
            None => Err(format!("after {elapsed:?}, and its limit was {:?}", self.limit)),
        }
    }
}

/// A body that goes on for ever.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

pub fn ignore_sigterm() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}
