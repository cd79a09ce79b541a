//! A child that serves one call after another.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use super::{Child, Job, Sink, complete, leave};
use crate::body;
use crate::budget::Budget;
use crate::frame::{Sender, Tag};
use crate::sys::credentials::Credentials;
use crate::sys::pipe;
use crate::sys::signal::Left;
use crate::sys::surroundings::Sign;
use crate::sys::threads::Census;
use crate::sys::{self, signal, slate};

/// By what it is seen whether a body has left anything behind.
#[derive(Debug)]
pub(crate) struct State {
    census: Census,
    sign: Sign,
    credentials: Credentials,
    cpu_time: CpuTime,
}

impl State {
    pub(crate) fn new() -> io::Result<Self> {
        let census = Census::new()?;
        let (sign, credentials) = (Sign::now(), Credentials::now());
        let cpu_time = CpuTime { asked: None, micros: 0 };
        Ok(Self { census, sign, credentials, cpu_time })
    }

    /// Another call begins, in other surroundings or in those of the last.
    pub(crate) fn begin(&mut self, is_elsewhere: bool) -> &mut Self {
        if is_elsewhere {
            self.sign = Sign::now();
        }
        self
    }

    /// No thread, no process, no other rights, and no signal that is still to come.
    fn is_unchanged(&self, signals: Left) -> bool {
        self.census.is_unchanged()
            && !self.credentials.have_changed()
            && !sys::platform::has_children()
            && signals != Left::Pending
    }

    /// Whether the next call is to be told its surroundings anew.
    fn has_moved(&mut self) -> bool {
        let now = Sign::now();
        mem::replace(&mut self.sign, now) != now
    }
}

/// What the caller is told of a worker that waits for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Idle {
    /// Its processor time so far, in microseconds.
    pub(crate) cpu_time: u64,
}

impl Idle {
    fn to_bytes(self) -> [u8; 8] {
        self.cpu_time.to_le_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self { cpu_time: u64::from_le_bytes(bytes.try_into().ok()?) })
    }
}

/// Asked for now and then: it tells by how much one call differs from all before, and the question
/// costs as much as a short call.
#[derive(Debug)]
struct CpuTime {
    asked: Option<Instant>,
    micros: u64,
}

impl CpuTime {
    /// Not older than 10 ms.
    fn recent(&mut self) -> u64 {
        let now = Instant::now();
        let is_recent = |asked: Instant| now - asked < Duration::from_millis(10);
        if !self.asked.is_some_and(is_recent) {
            *self = Self { asked: Some(now), micros: sys::process::own_cpu_time() };
        }
        self.micros
    }
}

impl Child {
    /// In a process that was started afresh.
    pub(crate) fn fresh(pipe: pipe::Writer) -> Self {
        sys::platform::end_before_inherited_handlers();
        Self { pipe, is_captured: false, is_kept: false, budget: Budget::default() }
    }

    /// The process that it works for.
    pub(crate) fn caller(&self) -> u32 {
        self.pipe.caller()
    }

    /// The next body may use so much.
    pub(crate) fn hold_to(&mut self, budget: Budget) {
        self.budget = budget;
    }

    pub(crate) fn number(&self) -> i32 {
        self.pipe.number()
    }

    /// Runs a body as [`enter`](Self::enter) does, but comes back if it returned and left nothing
    /// behind that would meet the next one: no thread, and no process. What else it may have changed is
    /// put back while the caller goes on with the value; before that is done it has no other call done here.
    pub(crate) fn serve(&mut self, type_name: &str, job: &mut Job<'_>, state: &mut State) {
        let (mut rests, mut signals) = (false, Left::Nothing);
        self.is_kept = true;
        let hatch = self.pipe.hatch();
        let code = self.attempt(type_name, job, |sender| {
            signals = signal::left();
            if !state.is_unchanged(signals) {
                return sender.complete();
            }
            sys::output::flush_alone();
            let idle = || Idle { cpu_time: state.cpu_time.recent() }.to_bytes();
            // What the body has done to the pipe is told there, as by every start method.
            let is_given = |pipe: &&mut pipe::Writer, frame: &[u8]| {
                hatch.is_some_and(|hatch| pipe.is_untouched() && hatch.answer(frame))
            };
            let said = sender.complete_and(Tag::Rests, idle, is_given);
            rests = said.is_ok();
            said
        });
        if !rests {
            leave(code);
        }
        signal::put_back(signals);
        slate::rest();
        mem::take(&mut self.budget).leave();
        body::forget_stopping();
        let has_moved = state.has_moved();
        if let Some(hatch) = hatch {
            hatch.be_ready(has_moved);
        }
    }

    /// Runs the last one.
    pub(crate) fn serve_last(&mut self, type_name: &str, job: &mut Job<'_>) -> ! {
        leave(self.attempt(type_name, job, complete))
    }

    /// Says that there will be no body, and ends the process.
    pub(crate) fn refuse(&mut self, why: &io::Error) -> ! {
        Sink(Sender::new(&mut self.pipe), false).refuse(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_an_idle_worker_is_heard() {
        let idle = Idle { cpu_time: 123_456_789 };
        assert_eq!(Idle::from_bytes(&idle.to_bytes()), Some(idle));
        assert_eq!(Idle::from_bytes(b"short"), None);
    }
}
