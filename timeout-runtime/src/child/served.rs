//! A child that serves one call after another.

use super::{Child, Job, Sink, complete, leave};
use crate::body;
use crate::frame::{Sender, Tag};
use crate::sys::threads::Census;
use crate::sys::{self, pipe};

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
    pub(crate) fn serve(&mut self, type_name: &str, job: &mut Job<'_>, census: &Census) {
        let mut is_idle = false;
        let code = self.attempt(type_name, job, |sender| {
            is_idle = census.is_unchanged() && !sys::platform::has_children();
            if !is_idle {
                return sender.complete();
            }
            body::forget_stopping();
            sys::output::flush_alone();
            sys::platform::relight_fuse(std::time::Duration::ZERO);
            sender.complete_and(Tag::Idle, &sys::process::own_cpu_time().to_le_bytes())
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
    pub(crate) fn refuse(&mut self, why: &std::io::Error) -> ! {
        Sink(Sender::new(&mut self.pipe)).refuse(why)
    }
}
