//! A child that serves one call after another.

use std::io;
use std::time::{Duration, Instant};

use super::{Child, Job, Sink, complete, leave};
use crate::body;
use crate::frame::{Sender, Tag};
use crate::sys::threads::Census;
use crate::sys::{self, pipe};

/// What a child that serves knows of itself.
pub(crate) struct Own {
    census: Census,
    cpu_time: CpuTime,
}

impl Own {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { census: Census::new()?, cpu_time: CpuTime { asked: None, micros: 0 } })
    }
}

/// Asked for now and then: it tells by how much one call differs from all before, and the question
/// costs as much as a short call.
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
        Self { pipe, is_captured: false }
    }

    /// The process that it works for.
    pub(crate) fn caller(&self) -> u32 {
        self.pipe.caller()
    }

    pub(crate) fn number(&self) -> i32 {
        self.pipe.number()
    }

    /// Runs a body as [`enter`](Self::enter) does, but comes back if it returned and left nothing
    /// behind that would meet the next one: no thread, and no process.
    pub(crate) fn serve(&mut self, type_name: &str, job: &mut Job<'_>, own: &mut Own) {
        let mut is_idle = false;
        let code = self.attempt(type_name, job, |sender| {
            is_idle = own.census.is_unchanged() && !sys::platform::has_children();
            if !is_idle {
                return sender.complete();
            }
            body::forget_stopping();
            sys::output::flush_alone();
            sys::platform::relight_fuse(Duration::ZERO);
            sender.complete_and(Tag::Idle, &own.cpu_time.recent().to_le_bytes())
        });
        if !is_idle || code != 0 {
            leave(code);
        }
    }

    /// Runs the last one.
    pub(crate) fn serve_last(&mut self, type_name: &str, job: &mut Job<'_>) -> ! {
        leave(self.attempt(type_name, job, complete))
    }

    /// Says that there will be no body, and ends the process.
    pub(crate) fn refuse(&mut self, why: &io::Error) -> ! {
        Sink(Sender::new(&mut self.pipe)).refuse(why)
    }
}
