//! A thread that starts processes, and stays for as long as they are wanted.
//!
//! The kernel takes the thread that started a process for its parent, and tells the process when that thread
//! ends (`PR_SET_PDEATHSIG` in `prctl(2)`). What this library runs there knows what to make of it. Another
//! program that a body has become by `exec` does not, and would be ended with a thread that has nothing to do
//! with its call: the one whose call started the worker, or the nursery.

use std::io;
use std::mem;
use std::process;
use std::sync::mpsc::{Sender, channel};

use crate::sys::threads::Own;

type Job = Box<dyn FnOnce() + Send>;

/// Dropped, it waits for the end of its thread, which has nothing left to do.
#[derive(Debug)]
pub(crate) struct Origin {
    jobs: Option<Sender<Job>>,
    thread: Option<Own>,
    /// Where there is such a thread: not in a copy.
    process: u32,
}

impl Origin {
    /// What it starts has from this thread what threads have each for themselves.
    pub(crate) fn new() -> io::Result<Self> {
        let (jobs, receiver) = channel::<Job>();
        let thread = Own::start(c"timeout-origin", move || {
            for job in receiver {
                job();
            }
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), process: process::id() })
    }

    /// Does this there, or here, if there is no such thread. It must not panic.
    pub(crate) fn run<T: Send + 'static>(
        origin: Option<&Self>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let Some(jobs) = origin.and_then(|origin| origin.jobs.as_ref()) else { return job() };
        let (give, take) = channel();
        let job = Box::new(move || drop(give.send(job())));
        let is_taken = jobs.send(job).is_ok();
        match take.recv() {
            Ok(result) => result,
            Err(_) => unreachable!("it takes all jobs: {is_taken}"),
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let (jobs, thread) = (self.jobs.take(), self.thread.take());
        if self.process == process::id() {
            drop(jobs);
            thread.into_iter().for_each(Own::join);
        } else {
            mem::forget((jobs, thread));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_thread() -> String {
        format!("{:?}", std::thread::current().id())
    }

    #[test]
    fn it_is_one_thread_of_its_own_for_all_that_it_does() {
        let origin = Origin::new().unwrap();
        let [first, second] = [(); 2].map(|()| Origin::run(Some(&origin), this_thread));
        assert_eq!(first, second);
        assert_ne!(first, this_thread());
        assert_eq!(Origin::run(None, this_thread), this_thread());
    }

    #[test]
    fn a_copy_of_it_waits_for_no_thread() {
        let origin = Origin::new().unwrap();
        crate::Timeout::new(60).run(move || drop(origin)).unwrap();
    }
}
