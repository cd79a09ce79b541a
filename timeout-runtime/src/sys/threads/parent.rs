//! A thread that has started a process, and stays for as long as that is wanted.
//!
//! The kernel takes the thread that started a process for its parent, and tells the process when that thread
//! ends (`PR_SET_PDEATHSIG` in `prctl(2)`). What this library runs there knows what to make of it. Another
//! program that a body has become by `exec` does not, and would be ended with a thread that has nothing to do
//! with its call: the one whose call started the worker, or the nursery.
//!
//! Each process has one of its own, for it has of its parent what each thread has for itself: rights,
//! niceness, processors. A new thread has these of the thread that it is made by.

use std::mem;
use std::process;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::yield_now;

use super::Own;
use crate::sys::platform;

/// Dropped, its thread ends by itself.
#[derive(Debug)]
pub(crate) struct ParentThread {
    /// Nothing is sent: that it is gone ends the thread.
    stays: Option<Sender<()>>,
    thread: Option<Own>,
    /// As the kernel counts it.
    number: i32,
    /// Where there is such a thread: not in a copy.
    process: u32,
}

impl ParentThread {
    /// Does this on a thread of its own, or here, if there is none to be had. `None`: it panicked there.
    pub(crate) fn of<T: Send + 'static>(
        job: impl FnOnce() -> T + Send + 'static,
    ) -> (Option<T>, Option<Self>) {
        let here = Arc::new(Mutex::new(Some(job)));
        let there = Arc::clone(&here);
        let take =
            |job: &Mutex<Option<_>>| job.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ((stays, ends), (done, result)) = (channel(), channel());
        let thread = Own::start(c"timeout-parent", move || {
            let job = take(&there);
            // Its own copy would keep what it holds.
            drop(there);
            if let Some(job) = job {
                let _ = done.send((platform::thread_number(), job()));
            }
            drop(done);
            let _ = ends.recv();
        });
        match thread {
            Ok(thread) => {
                let (number, result) = result.recv().ok().unzip();
                let (stays, thread, process) = (Some(stays), Some(thread), process::id());
                let number = number.unwrap_or_default();
                (result, Some(Self { stays, thread, number, process }))
            }
            Err(_) => (take(&here).map(|job| job()), None),
        }
    }

    /// Waits for its end, for it has nothing left to do, until the kernel does not count it any more: there may
    /// be no room for another one.
    pub(crate) fn end(mut self) {
        self.let_go();
        if self.process == process::id() {
            self.thread.take().into_iter().for_each(Own::join);
            while platform::has_thread(self.number) {
                yield_now();
            }
        }
    }

    fn let_go(&mut self) {
        let stays = self.stays.take();
        if self.process != process::id() {
            mem::forget(stays);
        }
    }
}

impl Drop for ParentThread {
    fn drop(&mut self) {
        self.let_go();
        if self.process != process::id() {
            mem::forget(self.thread.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_thread_of_its_own() {
        let this_thread = || std::thread::current().id();
        let (there, parent) = ParentThread::of(this_thread);
        assert!(parent.is_some() && there.is_some_and(|there| there != this_thread()));
    }

    #[test]
    fn once_it_has_ended_there_is_none() {
        let (_, parent) = ParentThread::of(|| ());
        let parent = parent.unwrap();
        let number = parent.number;
        assert_eq!(platform::has_thread(number), number != 0);
        parent.end();
        assert!(!platform::has_thread(number));
    }

    #[test]
    fn a_copy_of_it_waits_for_no_thread() {
        let (_, parent) = ParentThread::of(|| ());
        crate::Timeout::new(60).run(move || drop(parent)).unwrap();
    }
}
